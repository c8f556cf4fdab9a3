"""Every request we send, and every documented answer we read, against Microsoft's own contract."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from msp.errors import DefaultMethodRefused, DirectoryError, NotAllowed, PasswordRefused
from msp.microsoft import client, graph
from msp.microsoft.connection import Connection
from msp.microsoft.methods import PLACES, PREFERENCES, delete_path, observed
from msp.microsoft.ports import AccountRef, Directory, MethodKind, ObservedMethod
from msp.microsoft.sign_in_codes import judged
from tests.support.reference import current_types, operations, permissions, plain, reference_needed, sample
from tests.support.wire import Wire, said

pytestmark = pytest.mark.usefixtures("reference")

USER_ID = "22222222-bbbb-4bbb-8bbb-222222222222"
METHOD_ID = "00000000-0000-4000-8000-000000000043"
ACCOUNT = AccountRef("11111111-aaaa-4aaa-8aaa-111111111111", USER_ID, "admin@contoso.example")
CODES = ObservedMethod(MethodKind.SOFTWARE_OATH, METHOD_ID)
PUSH = ObservedMethod(MethodKind.MICROSOFT_AUTHENTICATOR, "m-2")
REMOVABLE = sorted(set(PLACES) - {MethodKind.PASSWORD})
NEWER_THAN_THE_OPENAPI_FILES = {MethodKind.EXTERNAL: "externalAuthenticationMethods"}

CHANGES = {
    "set_password": lambda directory: directory.set_password(ACCOUNT, "New-pass-1"),
    "move_default": lambda directory: directory.move_default(ACCOUNT, CODES, (PUSH,)),
    "revoke_sessions": lambda directory: directory.revoke_sessions(ACCOUNT),
}


@pytest.fixture(scope="module")
def reference() -> None:
    reference_needed()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def directory(wire: Wire) -> Directory:
    return graph.graph_directories(Connection("client-1", client_secret="s"), wire=wire)(ACCOUNT.tenant_id, "global")


def template(path: str) -> tuple[str, str]:
    """(version, plain path) of a path that we sent about the one user and method of this file."""
    _, version, rest = path.split("/", 2)
    return version, plain("/" + rest.replace(USER_ID, "{id}").replace(METHOD_ID, "{id}"))


def operation(method: str, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The published operation and the schemas of its file."""
    version, place = template(path)
    methods, schemas = operations(version)[place]
    return methods[method.lower()], schemas


def fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether each name and value is one that the schema knows; unlike OpenAPI, a stranger does not fit."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if isinstance(value, dict):
        known: dict[str, Any] = {}
        for part in (schema, *schema.get("allOf", [])):
            part = schemas[part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
            known |= part.get("properties", {})
        return all(name in known and fits(inner, known[name], schemas) for name, inner in value.items())
    if "enum" in schema:
        return value in schema["enum"]
    return {"string": str, "boolean": bool}[schema["type"]] is type(value)


class EveryChangeWeSend:
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_is_published_with_its_method_path_and_body(self, wire, directory, change):
        wire.answers(said(204))
        change(directory)
        (request,) = wire.graph_requests
        published, schemas = operation(request.method, request.url.path)
        if not request.content:
            assert "requestBody" not in published
            return
        schema = published["requestBody"]["content"]["application/json"]["schema"]
        assert fits(json.loads(request.content), schema, schemas)
        assert request.headers["content-type"] == "application/json"

    def test_of_a_default_names_one_that_microsoft_knows(self):
        _, schemas = operations("beta")[plain("/users/{id}/authentication/signInPreferences")]
        assert set(PREFERENCES) <= set(schemas["userDefaultAuthenticationMethodType"]["enum"])

    def test_of_a_password_does_not_force_the_next_person_to_change_it(self, wire, directory):
        wire.answers(said(204))
        directory.set_password(ACCOUNT, "New-pass-1")
        profile = json.loads(wire.graph_requests[0].content)["passwordProfile"]
        assert profile == {"password": "New-pass-1", "forceChangePasswordNextSignIn": False}


class EveryRemoval:
    @pytest.mark.parametrize("kind", REMOVABLE)
    def test_is_a_published_delete(self, wire, directory, kind):
        wire.answers(said(204))
        directory.remove(ACCOUNT, ObservedMethod(kind, METHOD_ID))
        (request,) = wire.graph_requests
        assert request.method == "DELETE"
        if kind in NEWER_THAN_THE_OPENAPI_FILES:
            assert f'<NavigationProperty Name="{NEWER_THAN_THE_OPENAPI_FILES[kind]}"' in current_types()
        else:
            assert operation("DELETE", request.url.path)

    @pytest.mark.parametrize("kind", REMOVABLE)
    def test_is_open_to_an_application(self, kind):
        _, place = template(delete_path(USER_ID, ObservedMethod(kind, METHOD_ID)) or "")
        assert permissions()[place]["DELETE"]["application"]

    def test_of_a_password_is_not(self):
        place = plain("/users/{id}/authentication/passwordMethods/{id}")
        assert "DELETE" not in permissions()[place]

    def test_cannot_be_generic(self):
        assert permissions()[plain("/users/{id}/authentication/methods/{id}")]["DELETE"]["application"] == []

    def test_knows_every_type_of_method_that_microsoft_publishes(self):
        published = set(re.findall(r'EntityType Name="(\w+)" BaseType="graph.authenticationMethod"', current_types()))
        assert published
        assert published <= {place.raw_type for place in PLACES.values()}


class TheReading:
    @pytest.fixture
    def inner(self, wire, directory) -> dict[str, dict[str, str]]:
        user = {"id": "1", "status": 404, "body": {"error": {"code": "x"}}}
        wire.answers(said(200, {"responses": [user]}))
        with pytest.raises(DirectoryError):
            directory.observe(ACCOUNT)
        (request,) = wire.graph_requests
        assert (request.method, request.url.path) == ("POST", "/beta/$batch")
        return {item["id"]: item for item in json.loads(request.content)["requests"]}

    def test_asks_for_user_and_methods_at_published_addresses(self, inner):
        assert len(inner) == 2
        for item in inner.values():
            assert item["method"] == "GET"
            assert operation("GET", "/beta" + urlsplit(item["url"]).path)

    def test_selects_only_properties_that_a_user_has(self, inner):
        (selected,) = parse_qs(urlsplit(inner["user"]["url"]).query)["$select"]
        _, schemas = operation("GET", f"/beta/users/{USER_ID}")
        known = str(schemas["microsoft.graph.user"])
        assert [name for name in selected.split(",") if f"'{name}'" not in known and name != "id"] == []

    def test_gives_the_list_of_methods_no_options_since_it_takes_none(self, inner):
        assert "?" not in inner["methods"]["url"]

    def test_of_a_guest_is_quoted_inside_the_batch(self, wire, directory):
        wire.answers(said(200, {"responses": []}))
        guest = "ana_x.example#EXT#@contoso.example"
        with pytest.raises(DirectoryError):
            directory.observe(AccountRef(ACCOUNT.tenant_id, "", guest))
        for item in json.loads(wire.graph_requests[0].content)["requests"]:
            assert not urlsplit(item["url"]).fragment
            assert unquote(urlsplit(item["url"]).path).startswith(f"/users/{guest}")


class ThePermissions:
    def table(self) -> list[tuple[str, str, str]]:
        return re.findall(r"^\| ([A-Z]+) (\S.*?) +\| (\S+) +\|$", client.__doc__ or "", re.MULTILINE)

    def test_that_the_client_names_are_enough_by_microsofts_list(self):
        rows = self.table()
        assert len(rows) == 6
        for method, path, permission in rows:
            if "signInPreferences" in path:
                continue
            places = [path]
            if "{kind's collection}" in path:
                paths = (delete_path(USER_ID, ObservedMethod(kind, METHOD_ID)) or "" for kind in REMOVABLE)
                places = [template(found)[1] for found in paths]
            for place in places:
                assert permission in permissions()[plain(place)][method]["application"], place


class TheDocumentedAnswers:
    @pytest.mark.parametrize("name", ["authentication-methods-list", "beta-hardwareOathMethods-list"])
    def test_hold_only_kinds_that_we_know(self, name):
        found = [observed(item) for item in sample(name)["value"]]
        assert found
        assert MethodKind.UNKNOWN not in {method.kind for method in found}

    def test_give_the_labels_that_people_know_them_by(self):
        found = [observed(item) for item in sample("authentication-methods-list")["value"]]
        labels = [method.label for method in found if method.label]
        assert labels == ["mobile +1 ******0101", "Sam's phone", "Ada's phone", "Red key", "LAPTOP-01"]
        token = observed(sample("beta-hardwareOathMethods-list")["value"][0])
        assert token.label == "TOTP-0001"

    @pytest.mark.parametrize(
        ("name", "status", "act", "expected"),
        [
            ("error-400-default-method", 400, "remove", DefaultMethodRefused),
            ("error-400-default-phone-method", 400, "remove", DefaultMethodRefused),
            ("error-400-password-complexity", 400, "set_password", PasswordRefused),
            ("error-403-auth-methods-access-denied", 403, "remove", NotAllowed),
            ("error-403-authorization-request-denied", 403, "set_password", NotAllowed),
        ],
    )
    def test_of_a_no_become_the_right_error(self, wire, directory, name, status, act, expected):
        wire.answers(said(status, sample(name)))
        argument = CODES if act == "remove" else "New-pass-1"
        with pytest.raises(expected):
            getattr(directory, act)(ACCOUNT, argument)

    def test_of_a_revocation_is_a_yes(self, wire, directory):
        wire.answers(said(200, sample("revokeSignInSessions-200")))
        assert directory.revoke_sessions(ACCOUNT).request_id

    def test_of_a_sign_in_are_judged_by_their_number(self):
        assert judged(400, sample("token-error-50126-bad-password")).refused
        assert judged(400, sample("token-error-50076-mfa-required")).accepted
