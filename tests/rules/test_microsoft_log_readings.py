"""The logs of a tenant: what is asked for, and which of two versions of Graph answers."""

from __future__ import annotations

import datetime as dt

import pytest

from msp.errors import Busy
from msp.microsoft.ports import AccountRef
from msp.microsoft.tenant_ports import Cursor
from tests.rules.test_microsoft_readers import ACCOUNT, NOON, TENANT, USER, asked, listing, reader, wire
from tests.support.wire import fault

__all__ = ["reader", "wire"]


def sign_in(name: str, at: str, **more: object) -> dict:
    return {"id": name, "createdDateTime": at, "userId": USER, "status": {"errorCode": 0}} | more


class WhenLogsAreRead:
    def test_the_audit_log_is_asked_for_from_before_the_newest_event(self, wire, reader):
        wire.answers(listing({"id": "a", "activityDateTime": "2026-11-20T12:05:00Z"}, {"id": "no time"}))
        events, cursor = reader.audits(Cursor(NOON))
        assert [event.event_id for event in events] == ["a"]
        assert cursor.newest == NOON + dt.timedelta(minutes=5)
        assert asked(wire) == (
            "/v1.0/auditLogs/directoryAudits",
            {"$filter": "activityDateTime ge 2026-11-20T11:45:00Z"},
        )

    def test_every_page_of_it_is_read(self, wire, reader):
        more = "https://graph.microsoft.com/v1.0/auditLogs/directoryAudits?$skiptoken=x"
        second = {"id": "b", "activityDateTime": "2026-11-20T12:01:00Z"}
        wire.answers(listing({"id": "a", "activityDateTime": "2026-11-20T12:05:00Z"}, next_link=more), listing(second))
        events, _ = reader.audits(Cursor(NOON))
        assert [event.event_id for event in events] == ["b", "a"]

    def test_a_page_that_fails_fails_the_reading_so_that_nothing_is_lost(self, wire, reader):
        more = "https://graph.microsoft.com/v1.0/auditLogs/directoryAudits?$skiptoken=x"
        wire.answers(
            listing({"id": "a", "activityDateTime": "2026-11-20T12:05:00Z"}, next_link=more),
            fault(429, "TooManyRequests"),
        )
        with pytest.raises(Busy):
            reader.audits(Cursor(NOON))

    def test_sign_ins_are_those_of_one_account_with_and_without_a_person(self, wire, reader):
        wire.answers(listing(sign_in("s", "2026-11-20T12:05:00Z", isInteractive=False)))
        events, _ = reader.sign_ins(ACCOUNT, Cursor(NOON))
        assert [(event.event_id, event.interactive) for event in events] == [("s", False)]
        path, options = asked(wire)
        assert path == "/beta/auditLogs/signIns"
        assert options["$filter"] == (
            f"userId eq '{USER}' and createdDateTime ge 2026-11-20T11:45:00Z and "
            "signInEventTypes/any(t: t eq 'interactiveUser' or t eq 'nonInteractiveUser')"
        )

    def test_an_account_without_an_id_is_asked_for_by_name(self, wire, reader):
        wire.answers(listing())
        reader.sign_ins(AccountRef(TENANT, "", "O'Neil@Contoso.example"), Cursor(NOON))
        assert asked(wire)[1]["$filter"].startswith("userPrincipalName eq 'o''neil@contoso.example' and ")

    @pytest.mark.parametrize("status", [400, 404])
    def test_where_beta_says_no_v1_is_read(self, wire, reader, status):
        wire.answers(fault(status, "BadRequest"), listing(sign_in("s", "2026-11-20T12:05:00Z")))
        events, _ = reader.sign_ins(ACCOUNT, Cursor(NOON))
        assert [event.event_id for event in events] == ["s"]
        path, options = asked(wire)
        assert path == "/v1.0/auditLogs/signIns"
        assert options["$filter"] == f"userId eq '{USER}' and createdDateTime ge 2026-11-20T11:45:00Z"

    def test_a_busy_beta_is_not_a_reason_to_read_less(self, wire, reader):
        wire.answers(fault(429, "TooManyRequests"), listing())
        with pytest.raises(Busy):
            reader.sign_ins(ACCOUNT, Cursor(NOON))
