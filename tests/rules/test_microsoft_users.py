"""The users of a tenant: all of them page by page, some by a beginning, one by name."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import httpx
import pytest

from msp.errors import AccountMissing, NotAllowed
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.ports import FoundAccount
from tests.rules.test_microsoft_readers import ACCOUNT, USER, asked, listing, reader, wire
from tests.support.wire import fault, said

__all__ = ["reader", "wire"]


def many_users(count: int, size: int) -> Callable[[httpx.Request], httpx.Response]:
    """A tenant of `count` users, `size` of them on a page."""

    def answer(request: httpx.Request) -> httpx.Response:
        first = int(dict(request.url.params).get("$skiptoken", "0"))
        names = range(first, min(first + size, count))
        items = [{"id": f"u{n}", "userPrincipalName": f"u{n}@c.example", "displayName": f"User {n}"} for n in names]
        more = f"https://graph.microsoft.com/v1.0/users?$skiptoken={first + size}" if first + size < count else ""
        return listing(*items, next_link=more)

    return answer


class WhenUsersAreRead:
    def test_ten_thousand_come_page_by_page_each_once(self, wire, reader):
        wire.answers(many_users(10_000, 999))
        assert [user.object_id for user in reader.users()] == [f"u{n}" for n in range(10_000)]
        assert asked(wire, 0)[1]["$top"] == "999"

    def test_the_next_page_is_asked_for_only_when_it_is_needed(self, wire, reader):
        wire.answers(many_users(10_000, 999))
        users = reader.users()
        assert next(users) == FoundAccount("u0", "u0@c.example", "User 0")
        assert len(wire.graph_requests) == 1

    def test_none_that_was_passed_on_is_kept_in_memory(self, wire, reader):
        wire.answers(many_users(3_000, 999))
        alive: weakref.WeakSet[FoundAccount] = weakref.WeakSet()
        most = 0
        for user in reader.users():
            alive.add(user)
            most = max(most, len(alive))
        assert most <= 2

    @pytest.mark.parametrize("text", ["o'neil", "50% & more?", "a b#c+d", "Zoë"])
    def test_a_beginning_is_quoted_so_that_it_stays_one_text(self, wire, reader, text):
        wire.answers(listing())
        assert list(reader.users(starts_with=text)) == []
        literal = "'" + text.replace("'", "''") + "'"
        wanted = f"startsWith(displayName,{literal}) or startsWith(userPrincipalName,{literal})"
        path, options = asked(wire)
        assert (path, options["$filter"]) == ("/v1.0/users", wanted)

    def test_one_is_found_by_id_or_name(self, wire, reader):
        wire.answers(said(200, {"id": USER, "userPrincipalName": "admin@contoso.example", "displayName": None}))
        assert reader.find("admin@contoso.example") == FoundAccount(USER, "admin@contoso.example", "")

    def test_a_guests_name_is_found_whole(self, wire, reader):
        wire.answers(said(200, {"id": USER}))
        reader.find("ana_x.example#EXT#@contoso.example")
        assert b"ana_x.example%23EXT%23@contoso.example" in wire.graph_requests[0].url.raw_path

    def test_nobody_is_found_as_nobody(self, wire, reader):
        wire.answers(fault(404, "Request_ResourceNotFound"))
        assert reader.find("nobody@contoso.example") is None

    def test_no_name_is_nobody_and_not_everybody(self, wire, reader):
        assert reader.find("") is None
        assert wire.graph_requests == []

    def test_not_being_allowed_is_not_nobody(self, wire, reader):
        wire.answers(fault(403, "Authorization_RequestDenied"))
        with pytest.raises(NotAllowed, match=r"User\.Read\.All"):
            reader.find("admin@contoso.example")

    def test_the_facts_for_the_check_are_those_that_were_asked_for(self, wire, reader):
        wire.answers(said(200, {"userPrincipalName": "a@c.example", "userType": "Guest", "mobilePhone": "+1 555"}))
        facts = reader.raw_properties(ACCOUNT)
        assert (facts["userType"], facts["isManagementRestricted"]) == ("Guest", None)
        assert "mobilePhone" not in facts

    def test_the_facts_of_nobody_are_an_error(self, wire, reader):
        wire.answers(fault(404, "Request_ResourceNotFound"))
        with pytest.raises(AccountMissing, match=r"admin@contoso\.example"):
            reader.raw_properties(ACCOUNT)


class WhenAQuestionNeedsTheAdvancedQueries:
    def test_each_page_is_asked_for_with_the_consistency_that_they_want(self, wire):
        line = Graph(Connection("client-1", client_secret="s"), wire=wire).line(ACCOUNT.tenant_id, "global")
        wire.answers(many_users(5, 2))
        path = "/v1.0/users?$count=true&$filter=endsWith(userPrincipalName,'.example')"
        call = line.reading(path, "counting", needs="User.Read.All", headers={"ConsistencyLevel": "eventual"})
        assert len(list(line.pages(call))) == 5
        assert [request.headers.get("consistencylevel") for request in wire.graph_requests] == ["eventual"] * 3
