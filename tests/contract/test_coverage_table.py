"""docs/microsoft.md says of every request what allows it, who published it, what tests it: that is held true here."""

from __future__ import annotations

import ast
import base64
import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from msp.microsoft.client import GraphDirectory
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.methods import PLACES
from msp.microsoft.partner import GraphPartner
from msp.microsoft.ports import (
    Access,
    AccountRef,
    Act,
    EndSessions,
    MethodKind,
    ObservedMethod,
    RemoveMethod,
    SetPassword,
)
from msp.microsoft.registrar import GraphRegistrar
from msp.microsoft.tenant_reader import GraphTenantReader
from msp.simulator import kinds, roles
from msp.simulator import permissions as simulated
from tests.contract.test_graph_readers import LONG_AGO, PARTNERS, READINGS
from tests.contract.test_graph_registrar import REQUESTS
from tests.support import reference
from tests.support.reference import OPENAPI_FILES, REFERENCE, plain, reference_needed
from tests.support.source import ROOT, tree_of
from tests.support.wire import Wire, fault, said

PAGE = ROOT / "docs" / "microsoft.md"
SENT, SIGN_IN, ONLY_SIMULATED = (
    "What is asked of Graph",
    "What is asked of the sign-in service",
    "Only in the simulator",
)
ADAPTERS = (GraphDirectory, GraphTenantReader, GraphRegistrar, GraphPartner)
SPEAKING = ("client", "tenant_reader", "registrar", "partner", "methods")

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
USER = "22222222-bbbb-4bbb-8bbb-222222222222"
METHOD = "00000000-0000-4000-8000-000000000043"
DEVICE = "00000000-0000-4000-8000-000000000051"
ACCOUNT = AccountRef(TENANT, USER, "admin@contoso.example")
KNOWN_IDS = {USER, METHOD, DEVICE, ACCOUNT.user_principal_name, "r-1"}
REMOVABLE = sorted(set(PLACES) - {MethodKind.PASSWORD})

Request = tuple[str, str, str]
"""HTTP method, version, path with {id} for every id."""


# --- what the client sends ---------------------------------------------------------------------------------------


def token(**claims: str) -> httpx.Response:
    """The answer of the token endpoint, with a token that says this of itself."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": f"e30.{payload}.c2ln"})


ANYTHING = {
    "value": [{"id": "1"}],
    "id": "1",
    "userPrincipalName": ACCOUNT.user_principal_name,
    "isEnabled": True,
    "authenticationMethodConfigurations": [],
    "temporaryAccessPass": "x",
    "perUserMfaState": "enforced",
}


def yes(request: httpx.Request) -> httpx.Response:
    """A yes to anything; of a batch, to each of its items."""
    if not request.url.path.endswith("/$batch"):
        return said(200, ANYTHING, date="Fri, 20 Nov 2026 12:00:00 GMT")
    items = json.loads(request.content)["requests"]
    return said(200, {"responses": [{"id": item["id"], "status": 200, "body": ANYTHING} for item in items]})


def user_is_gone(request: httpx.Request) -> httpx.Response:
    body = {"error": {"code": "Request_ResourceNotFound", "message": ""}}
    return said(200, {"responses": [{"id": "user", "status": 404, "body": body}]})


def every_act(*kinds_of_method: MethodKind) -> tuple[Act, ...]:
    removals = (RemoveMethod(ObservedMethod(kind, METHOD)) for kind in kinds_of_method)
    return (SetPassword("New-pass-1"), *removals, EndSessions())


class Keeper:
    """Holds the partner's refresh token."""

    def read(self) -> str:
        return "refresh"

    def replace(self, used: str, new: str) -> None:
        raise AssertionError("no other token comes along here")


@dataclass(frozen=True)
class Scenario:
    """One use of an adapter, with what Microsoft answers: the given answers first, then yes to everything."""

    way: str
    ask: Callable[[Any], object]
    answers: tuple[httpx.Response | Callable[[httpx.Request], httpx.Response], ...] = ()
    tokens: tuple[httpx.Response, ...] = ()
    access: Access = Access.APPLICATION


SOME_METHOD = ObservedMethod(MethodKind.SOFTWARE_OATH, METHOD)
PUSH = ObservedMethod(MethodKind.MICROSOFT_AUTHENTICATOR, "m-2")
OF_V1 = [kind for kind in REMOVABLE if PLACES[kind].version == "v1.0"]


def scenarios() -> Iterator[Scenario]:
    """Every public method at least once, and every way that an answer can send it on to another address."""
    yield Scenario("directory", lambda d: d.observe(ACCOUNT))
    yield Scenario("directory", lambda d: d.observe(ACCOUNT), answers=(user_is_gone,))
    yield Scenario("directory", lambda d: d.act(ACCOUNT, every_act(*OF_V1)))
    yield Scenario("directory", lambda d: d.act(ACCOUNT, every_act(*REMOVABLE)))
    yield Scenario("directory", lambda d: d.set_password(ACCOUNT, "New-pass-1"))
    for kind in REMOVABLE:
        yield Scenario("directory", lambda d, kind=kind: d.remove(ACCOUNT, ObservedMethod(kind, METHOD)))
    yield Scenario("directory", lambda d: d.revoke_sessions(ACCOUNT))
    yield Scenario("directory", lambda d: d.move_default(ACCOUNT, SOME_METHOD, (PUSH,)))
    yield Scenario("directory", lambda d: d.sign_in_probe(ACCOUNT, "Old-pass-1"))
    yield Scenario("directory", lambda d: d.try_sign_in(ACCOUNT, "Old-pass-1", keep_session=True))
    yield Scenario("directory", lambda d: d.try_session(ACCOUNT, "a-session"))
    yield from (Scenario("reader", ask) for ask in READINGS.values())
    yield Scenario("reader", lambda r: r.domains(), answers=(fault(403, "Authorization_RequestDenied"),))
    yield Scenario("reader", lambda r: r.sign_ins(ACCOUNT, LONG_AGO), answers=(fault(400, "BadRequest"),))
    yield Scenario("reader", lambda r: r.own_access(), tokens=(token(oid=USER), token(oid=USER)))
    yield Scenario("reader", lambda r: r.own_access(), tokens=(token(appid="1"), token(appid="1")))
    yield Scenario("reader", lambda r: r.organisation(), access=Access.PARTNER)
    yield from (Scenario("registrar", ask) for ask in REQUESTS.values())
    yield from (Scenario("partner", ask) for ask in PARTNERS.values())


class Watched:
    """An adapter that notes which of its methods were called."""

    def __init__(self, adapter: object, called: set[str]) -> None:
        self._adapter, self._called = adapter, called

    def __getattr__(self, name: str) -> Any:
        self._called.add(f"{type(self._adapter).__name__}.{name}")
        return getattr(self._adapter, name)


@dataclass
class Played:
    """What went out in all scenarios together."""

    requests: set[Request]
    grants: set[str]
    called: set[str]


@functools.cache
def played() -> Played:
    done = Played(set(), set(), set())
    for scenario in scenarios():
        wire = Wire()
        wire.answers(*scenario.answers, yes)
        wire.signs_in_with(*scenario.tokens)
        known = Connection("client-1", client_secret="s", sign_in_probe=True)
        graph = Graph(known, keeper=Keeper(), wire=wire)
        adapter = getattr(graph, scenario.way)(TENANT, "global", scenario.access)
        try:
            scenario.ask(Watched(adapter, done.called))
        except AssertionError:
            raise
        except Exception as told:
            assert wire.graph_requests, told
        done.grants |= {form["grant_type"] for form in wire.token_forms}
        done.requests |= {one for request in wire.graph_requests for one in spoken(request)}
    return done


def spoken(request: httpx.Request) -> Iterator[Request]:
    """A request, and those inside it when it is a batch."""
    _, version, path = request.url.path.split("/", 2)
    yield request.method, version, template(path)
    if path == "$batch":
        for item in json.loads(request.content)["requests"]:
            yield item["method"], version, template(item["url"].partition("?")[0].strip("/"))


def template(path: str) -> str:
    return "/" + "/".join("{id}" if part in KNOWN_IDS else part for part in path.split("/"))


# --- what the page says ------------------------------------------------------------------------------------------


@functools.cache
def rows(heading: str) -> tuple[dict[str, str], ...]:
    """The lines of the first table below a heading: column -> text."""
    below = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^##|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert below, f"docs/microsoft.md has no part {heading!r}"
    lines = [line for line in below[1].splitlines() if line.startswith("|")]
    names, _line, *found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return tuple(dict(zip(names, cells, strict=True)) for cells in found)


def called(row: dict[str, str]) -> tuple[str, str]:
    """(method, path) of a line."""
    method, _, path = row["Request"].strip("`").partition(" ")
    return method, path


def spelled_out(row: dict[str, str]) -> list[tuple[str, str]]:
    """The same, with every kind's own collection in the place of {collection}, as the contract spells paths."""
    method, path = called(row)
    if "{collection}" not in path:
        return [(method, plain(path))]
    several = [kind for kind in kinds.COLLECTIONS.values() if not (kind.singleton and path.endswith("/{id}"))]
    return [(method, plain(path.replace("{collection}", kind.collection))) for kind in several]


def every_row() -> list[dict[str, str]]:
    return [*rows(SENT), *rows(SIGN_IN), *rows(ONLY_SIMULATED)]


class EveryRequestOfTheClient:
    def test_is_in_the_table_with_its_versions_and_no_other_is(self) -> None:
        told = {(method, version, path) for method, path, version in _versions_told()}
        assert told == played().requests

    def test_to_the_sign_in_service_is_in_the_table_too(self) -> None:
        assert {row["Grant"] for row in rows(SIGN_IN)} == played().grants

    def test_was_sent_here_by_every_public_method(self) -> None:
        public = {f"{one.__name__}.{name}" for one in ADAPTERS for name in vars(one) if not name.startswith("_")}
        assert played().called == public

    @pytest.mark.parametrize("module", SPEAKING)
    def test_was_sent_here_to_every_address_in_the_code(self, module: str) -> None:
        sent = {f"/{version}{path}" for _, version, path in played().requests}
        unsent = [part for part in addresses_in(module) if not any(part in address for address in sent)]
        assert unsent == []


def _versions_told() -> Iterator[tuple[str, str, str]]:
    for row in rows(SENT):
        for version in row["Versions"].split(", "):
            yield *called(row), version


def addresses_in(module: str) -> Iterator[str]:
    """Every piece of an address among the texts of an adapter's code, without its query."""
    for node in ast.walk(tree_of(Path("msp") / "microsoft" / f"{module}.py")):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"/[\w$./?=]+", node.value):
            yield node.value.partition("?")[0]


class EveryRouteOfTheSimulator:
    def test_is_in_one_of_the_tables(self) -> None:
        told = [one for row in (*rows(SENT), *rows(ONLY_SIMULATED)) for one in spelled_out(row)]
        twice = {one for one in told if told.count(one) > 1}
        assert twice == set()
        # A batch has no permission of its own, and so no row at the simulator.
        assert set(told) - {("POST", "/$batch")} == set(simulated.TABLE)

    def test_of_its_sign_in_service_is_on_the_page(self) -> None:
        told = {re.sub(r"\{\w+\}", "{}", address) for address in re.findall(r"`((?:GET|POST) /\S+)`", PAGE.read_text())}
        answered = set(sign_in_routes())
        assert "POST /{}/oauth2/v2.0/token" in answered
        assert answered - told == set()


def sign_in_routes() -> Iterator[str]:
    """What the login host of the simulator answers: the cases of (method, [pieces of the path]) in its doors."""
    for case in ast.walk(tree_of(Path("msp/simulator/doors.py"))):
        match case:
            case ast.MatchSequence([ast.MatchValue(ast.Constant(str() as method)), ast.MatchSequence(pieces)]):
                names = [piece.value.value if isinstance(piece, ast.MatchValue) else "{}" for piece in pieces]
                yield f"{method} /{'/'.join(names)}"


class EveryNamedTest:
    def test_exists(self) -> None:
        named = {
            name for row in every_row() for cell in row.values() for name in re.findall(r"`(test_\w+::\w+)`", cell)
        }
        assert len(named) > 30
        assert named - existing_tests() == set()

    def test_stands_in_every_line_or_a_word_says_why_not(self) -> None:
        silent = [
            (row["Request"], column)
            for row in every_row()
            for column in row
            if column.endswith(" test")
            and not re.fullmatch(r"`test_\w+::\w+`" + (r"|none(: .+)?" if column == "SDK test" else ""), row[column])
        ]
        assert silent == []


@functools.cache
def existing_tests() -> frozenset[str]:
    """`file::Class` of every class with a test in it, of the suite and of tests/sdk."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            methods = node.body if isinstance(node, ast.ClassDef) else []
            if any(isinstance(one, ast.FunctionDef) and one.name.startswith("test_") for one in methods):
                found.add(f"{path.stem}::{node.name}")
    return frozenset(found)


class EveryPermission:
    NAMES = re.compile(r"\*?([\w-]+(?:\.\w+)+)\*?")

    def test_is_one_that_opens_the_call_by_microsofts_list(self) -> None:
        reference_needed()
        published = reference.permissions()
        wrong = []
        for row in rows(SENT):
            method, path = called(row)
            listed = published.get(plain(path), {}).get(method)
            for name in self.NAMES.findall(row["Permission"]):
                if listed is not None and name not in listed["application"]:
                    wrong.append((row["Request"], name))
        assert wrong == []

    def test_is_in_italics_where_the_list_is_silent(self) -> None:
        reference_needed()
        listed = reference.permissions()
        silent = {row["Request"] for row in rows(SENT) if called(row)[0] not in listed.get(plain(called(row)[1]), {})}
        slanted = {row["Request"] for row in rows(SENT) if row["Permission"].startswith("*")}
        assert slanted == silent - {"`POST /$batch`"}

    def test_is_a_name_of_microsofts(self) -> None:
        reference_needed()
        text = (REFERENCE / "graph-openapi" / "permissions.json").read_text()
        named = {name for row in rows(SENT) for name in self.NAMES.findall(row["Permission"])}
        assert {name for name in named if f'"{name}"' not in text} <= {"Application.Read.All"}

    def test_is_the_one_that_opens_it_at_the_simulator(self) -> None:
        closed = []
        for row in rows(SENT):
            known = simulated.TABLE.get((called(row)[0], plain(called(row)[1])))
            if known and not set(self.NAMES.findall(row["Permission"])) & known.application:
                closed.append(row["Request"])
        assert closed == []

    def test_comes_with_a_role_that_exists(self) -> None:
        said_of_roles = {row["Role"] for row in rows(SENT)} - {"none", "that of each item"}
        assert said_of_roles
        assert [text for text in said_of_roles if text.partition(",")[0] not in roles.ROLE_NAMES.values()] == []


class EveryContract:
    def test_has_the_call_in_each_file_that_is_named_and_is_named_where_one_has_it(self) -> None:
        reference_needed()
        wrong = [row["Request"] for row in (*rows(SENT), *rows(ONLY_SIMULATED)) if not holds(row)]
        assert wrong == []


def holds(row: dict[str, str]) -> bool:
    """Whether each named file has the call, and whether each version's call is in one of them.

    A page is named only where none has it.
    """
    calls, cell = spelled_out(row), row["Contract"]
    if cell.startswith("Page "):
        return not any(call in found for call in calls for found in published().values())
    files = cell.split(", ")
    if any(not set(calls) & published()[name] for name in files):
        return False
    lacking = [call for call in calls if not any(call in published()[name] for name in files)]
    wanted = {version for version in row.get("Versions", "").split(", ") if version}
    has_it = {version for version, names in OPENAPI_FILES.items() for name in names if set(calls) & published()[name]}
    has_named = {version for version, names in OPENAPI_FILES.items() if set(names) & set(files)}
    return not lacking and wanted & has_it <= has_named


@functools.cache
def published() -> dict[str, frozenset[tuple[str, str]]]:
    """File -> (method, plain path) of everything in it.

    The types of v1.0 (CSDL) have no operations; a typed collection of methods there can be read and deleted from.
    """
    found: dict[str, frozenset[tuple[str, str]]] = {}
    for name in (name for names in OPENAPI_FILES.values() for name in names):
        text = (REFERENCE / "graph-openapi" / name).read_text()
        paths = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["paths"]
        found[name] = frozenset((method.upper(), plain(path)) for path, methods in paths.items() for method in methods)
    collections = re.findall(r'<NavigationProperty Name="(\w+Methods)" Type="Collection\(', reference.current_types())
    root = "/users/{}/authentication"
    found[reference.CURRENT_TYPES] = frozenset(
        one
        for name in collections
        for one in (
            ("GET", f"{root}/{name.lower()}"),
            ("GET", f"{root}/{name.lower()}/{{}}"),
            ("DELETE", f"{root}/{name.lower()}/{{}}"),
        )
    )
    return found
