"""The walls: every address, walked by every role, with what is theirs, with what is out of scope, with a stranger's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from msp.simulator.server import Simulator
from technicians.models import Technician
from technicians.models.technician import RIGHTS
from tests.pages.addresses import OPEN, SIGNED_IN, TABLE, Page, about_an_object, known
from tests.pages.cast import (
    NARROW,
    ROLES,
    Side,
    another_reseller,
    forget_composition,
    installed,
    make_side,
    url_of,
    wrong_urls,
)
from tests.support.source import Address
from tests.support.stage import build_world
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST")
HTMX = {"HX-Request": "true"}
WITH_A_SHEET = {"reports:access", "reports:leavers", "reports:knowledge", "ledger:list"}


@dataclass
class Stage:
    """Northwind with North (in everybody's scope) and Southpaw (in no narrow scope); Tailspin is a stranger."""

    world: World
    northwind: Side
    tailspin: Side
    home: Path


@pytest.fixture(scope="module")
def stage(
    django_db_setup: None,
    django_db_blocker: Any,
    simulator_server: Simulator,
    credential: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """Built once: each test undoes its own changes, and none of them changes anything at Microsoft."""
    home = tmp_path_factory.mktemp("walls")
    simulator_server.cloud.reset()
    with django_db_blocker.unblock():
        world = build_world(simulator_server, credential, home)
        tailspin = another_reseller(world, "Tailspin", "tom@tailspin.example")
        yield Stage(world, make_side(world, "North", "Southpaw"), make_side(tailspin, "Tailspin", "Tallinn"), home)
        call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)


@pytest.fixture(autouse=True)
def _pages_of_this_installation(stage: Stage, credential: Path, settings: Any, db: None) -> Iterator[None]:
    with installed(settings, stage.world, credential, stage.home):
        yield


@pytest.fixture
def northwind(stage: Stage) -> Side:
    return stage.northwind


@pytest.fixture
def tailspin(stage: Stage) -> Side:
    return stage.tailspin


def none_of(found: Iterable[str]) -> None:
    found = list(found)
    assert not found, "\n".join(found)


def may(role: str, page: Page) -> bool:
    name = {"scoped manager": "manager", "customer contact": "customer_contact"}.get(role, role)
    return page.needs in (SIGNED_IN, OPEN) or page.needs in RIGHTS[name]


def ask(visitor: Client, method: str, url: str, page: Page, **headers: str) -> Any:
    """With a query or a form that would do something, were the object one's own."""
    if method == "GET":
        return visitor.get(f"{url}?{page.words}", headers=headers)
    return visitor.post(url, page.form, headers=headers)


def strangers_answers(visitor: Client, own: dict[str, Any], other: dict[str, Any], role: str) -> Iterator[str]:
    """Every answer about another's object that tells more than 'there is no such page'."""
    for address in about_an_object():
        page = TABLE[address.name]
        for url in wrong_urls(address, own, other):
            for method in METHODS:
                for headers in ({}, HTMX):
                    expected = 404 if may(role, page) else 403
                    if method not in page.methods:
                        expected = 405
                    got = ask(visitor, method, url, page, **headers).status_code
                    if got != expected:
                        yield f"{role}: {method} {address.name} answers {got} instead of {expected}"


@pytest.mark.parametrize("role", ROLES)
class EveryRole:
    def test_finds_nothing_of_another_reseller(self, role: str, northwind: Side, tailspin: Side):
        visitor = Visitor(northwind.people[role])
        own = northwind.own_objects(role)
        none_of(strangers_answers(visitor, own, tailspin.here.objects, role))

    def test_reads_no_word_of_another_reseller_on_any_page(self, role: str, northwind: Side, tailspin: Side):
        words = (tailspin.here.word, tailspin.hidden.word)
        none_of(pages_that_say(words, Visitor(northwind.people[role]), northwind.own_objects(role)))

    def test_gets_an_answer_on_every_address_about_what_is_theirs(self, role: str, northwind: Side):
        """Never an internal error; and whoever has the right finds the page."""
        visitor = Visitor(northwind.people[role])
        visitor.raise_request_exception = False
        wrong = []
        for address in known():
            page = TABLE[address.name]
            if address.name == "access:sign_out":
                continue
            url = url_of(address, northwind.own_objects(role) | {"token": "not-a-token"})
            for method in METHODS:
                got = ask(visitor, method, url, page).status_code
                if got >= 500 or got not in answers_about_ones_own(role, address, method):
                    wrong.append(f"{role}: {method} {address.name} answers {got}")
        none_of(wrong)


def answers_about_ones_own(role: str, address: Address, method: str) -> set[int]:
    page = TABLE[address.name]
    if method not in page.methods:
        return {405}
    if not may(role, page):
        return {403}
    if page.needs == OPEN:
        return {200, 302, 410, 422}
    if address.name in SEVERAL_ANSWERS.get(role, {}):
        return SEVERAL_ANSWERS[role][address.name]
    return {200} if method == "GET" else {200, 302, 422}


SEVERAL_ANSWERS: dict[str, dict[str, set[int]]] = {
    # A departure and a policy of all concern every tenant, so somebody who sees only some is told why not.
    "scoped manager": {
        "technicians:offboard": {403},
        "technicians:ask_departure": {403},
        "technicians:rehearse": {403},
        # A rehearsal is about every tenant of a person, so its page is not there for somebody who sees only some.
        "technicians:rehearsal": {404},
        "technicians:rehearsal_evidence": {404},
        **{f"technicians:{act}_departure": {403} for act in ("approve", "reject", "withdraw", "override", "review")},
        # A customer's exit is decided by somebody who sees everything; how far it is can be looked at.
        "technicians:exit_customer": {403},
        "technicians:exit_received": {403},
        # Its page can be read by whoever may set other policies.
        "tenants:departure_policy": {200, 403},
        # So do a lost or new phone of somebody else, and a leave.
        "technicians:lost_phone": {403},
        "technicians:new_phone": {403},
        "technicians:suspend": {403},
        "technicians:bring_back": {403},
        "tenants:set_policy_of_all": {403},
        "tenants:set_enrolment_policy_of_all": {403},
        # A place would be in none of their groups, so they would not even see it.
        "tenants:new_place": {403},
    },
}
# The owner asked for the departure on the stage, so others decide about it; only an owner starts one without them.
SEVERAL_ANSWERS["owner"] = {f"technicians:{act}_departure": {403} for act in ("approve", "reject")}
SEVERAL_ANSWERS["manager"] = {"technicians:override_departure": {403}}
for _role in ROLES:
    _answers = SEVERAL_ANSWERS.setdefault(_role, {})
    # A shared password is shown to whoever has the account assigned, whatever the role.
    _answers.setdefault("tenants:reveal", {200} if _role == "technician" else {403})
    # So is copying it, which needs a script besides, and having the account for oneself.
    _answers.setdefault("tenants:check_out", {302, 422} if _role == "technician" else {403})
    _answers.setdefault("tenants:hand_over", {200} if _role == "technician" else {403})
    # Without a name in the form it is for oneself; a manager has not got the account, and an auditor may look alone.
    _answers.setdefault("technicians:enrol", {200, 302, 422})
    # What is shown once is for the one person whose enrolment it is, and so is a code of their phone.
    for _once in ("enrol_show", "enrol_prove", "enrol_code", "enrol_pass"):
        _answers.setdefault(f"technicians:{_once}", {422} if _role == "technician" else {403})
    # A sitting is of one person, and others only look at how far it is.
    for _act in ("show", "prove", "smaller", "leave_out", "file", "cancel"):
        _answers.setdefault(f"technicians:bulk_{_act}", {302, 422} if _role == "technician" else {403})
    # The test has no token that somebody was sent.
    _answers.setdefault("technicians:enrolment_link", {410})
    # So is a new password that is to be set by hand; somebody else's walk may have cancelled its run before.
    _answers.setdefault("tenants:hand_password", {200} if _role == "technician" else {403, 422})
    # One hit opens at once.
    _answers.setdefault("web:search", {200, 302})
    # A colleague's second device is the colleague's alone.
    if _role == "technician":
        _answers.setdefault("technicians:withdraw_duplicate", {404})
    if _role == "auditor":
        # An auditor looks, and acts for nobody.
        _acts = ("enrol_key", "enrol_finish", "enrol_cancel")
        _answers |= {f"technicians:{_act}": {403} for _act in _acts}
        _answers |= {f"technicians:{name}": {403} for name in ("withdraw_request", "make_room")}
        _answers["tenants:hand_step"] = {200, 403}
        _answers |= {f"technicians:{name}": {403} for name in ("lost_phone", "new_phone", "unclaim")}
    if _role == "technician":
        # What others ask of one is not one's own to take off the list.
        _answers["technicians:withdraw_request"] = {403}


@pytest.mark.parametrize("role", NARROW)
class EveryNarrowRole:
    def test_finds_nothing_out_of_scope(self, role: str, northwind: Side):
        visitor = Visitor(northwind.people[role])
        found = strangers_answers(visitor, northwind.own_objects(role), northwind.hidden.objects, role)
        none_of(found)

    def test_reads_no_word_of_what_is_out_of_scope_on_any_page(self, role: str, northwind: Side):
        visitor = Visitor(northwind.people[role])
        none_of(pages_that_say((northwind.hidden.word,), visitor, northwind.own_objects(role)))


def pages_that_say(words: tuple[str, ...], visitor: Client, objects: dict[str, Any]) -> Iterator[str]:
    """The pages, fragments and sheets in which one of the words stands."""
    for address in known():
        page = TABLE[address.name]
        if page.needs == OPEN:
            continue
        url = url_of(address, objects)
        methods = METHODS if address.name in WITH_A_SHEET or "evidence" in address.name else ("GET",)
        for method in (m for m in methods if m in page.methods):
            for headers in ({}, HTMX | {"HX-Target": page.part}):
                said = content_of(ask(visitor, method, url, page, **headers))
                yield from (f"{method} {address.name} says {word}" for word in words if word.lower() in said)


def content_of(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return f"{answer.headers.get('Location', '')} {content.decode(errors='replace')}".lower()


class WhenSomebodyAsksForAStrangerByName:
    """In a search box, a filter or a field of a form."""

    QUESTIONS = (
        ("web:search", "q"),
        ("tenants:list", "q"),
        ("technicians:list", "q"),
        ("technicians:accounts_like", "account"),
        ("ledger:list", "tenant"),
        ("ledger:list", "technician"),
        ("reports:access", "q"),
        ("reports:knowledge", "customer"),
        ("reports:knowledge", "technician"),
    )

    @pytest.mark.parametrize(("name", "field"), QUESTIONS)
    @pytest.mark.parametrize("role", ["owner", "scoped manager"])
    def test_nothing_is_found(self, role: str, name: str, field: str, northwind: Side, tailspin: Side):
        stranger = tailspin.here if role == "owner" else northwind.hidden
        visitor = Visitor(northwind.people[role])
        for headers in ({}, HTMX, HTMX | {"HX-Target": "list"}):
            page = content_of(visitor.get(f"{reverse(name)}?{field}={stranger.word}", headers=headers))
            assert [what for what, pk in stranger.objects.items() if str(pk) in page] == []
            assert stranger.tenant.default_domain not in page

    def test_the_same_question_finds_ones_own(self, northwind: Side):
        visitor = Visitor(northwind.people["owner"])
        for name, field in self.QUESTIONS:
            said = content_of(visitor.get(f"{reverse(name)}?{field}={northwind.hidden.word}", follow=True))
            assert northwind.hidden.tenant.default_domain in said or "ben-southpaw@reseller.example" in said, name

    def test_nobody_can_be_given_a_strangers_account(self, northwind: Side, tailspin: Side):
        visitor = Visitor(northwind.people["owner"])
        url = reverse("technicians:assign", args=[northwind.here.objects["technician_id"]])
        for asked in (tailspin.here.account.user_principal_name, str(tailspin.here.account.pk)):
            assert visitor.post(url, {"account": asked, "reason": "help"}).status_code == 422
        assert not tailspin.here.account.assignments.filter(technician__reseller=northwind.here.tenant.reseller)

    def test_no_stranger_can_be_enrolled_on_ones_own_account(self, northwind: Side, tailspin: Side):
        visitor = Visitor(northwind.people["owner"])
        url = reverse("technicians:enrol", args=[northwind.here.account.pk])
        assert visitor.post(url, {"technician": str(tailspin.here.objects["technician_id"])}).status_code == 404


class TheOwner:
    def test_reads_the_words_of_both_corners(self, northwind: Side):
        """So that the tests above cannot pass because no page says anything."""
        visitor = Visitor(northwind.people["owner"])
        for word in (northwind.here.word, northwind.hidden.word):
            said = set(pages_that_say((word,), visitor, northwind.here.objects))
            for name in ("tenants:list", "tenants:run_list", "technicians:list", "reports:access", "ledger:list"):
                assert f"GET {name} says {word}" in said
            for name in WITH_A_SHEET:
                assert f"POST {name} says {word}" in said


class WhoGuessesPasswords:
    """From an address that colleagues share."""

    def guess(self, email: str) -> int:
        return Client().post(reverse("access:sign_in"), {"email": email, "password": "not-the-password"}).status_code

    def test_is_stopped_after_some_guesses_at_one_name(self, northwind: Side):
        email = northwind.people["owner"].email
        assert 429 in {self.guess(email) for _ in range(settings.AXES_FAILURE_LIMIT + 1)}
        assert self.guess(email.upper()) == 429

    def test_does_not_lock_out_the_others(self, northwind: Side):
        for _ in range(settings.AXES_FAILURE_LIMIT + 1):
            self.guess(northwind.people["owner"].email)
        assert self.guess(northwind.people["manager"].email) == 422


class WhoIsNotSignedIn:
    def test_is_led_to_the_sign_in_by_every_address(self, northwind: Side):
        none_of(doors_that_lead_elsewhere(Client(), northwind, reverse("access:sign_in")))


class WhoHasGivenOnlyThePassword:
    def test_is_led_to_the_code_by_every_address(self, northwind: Side):
        owner = northwind.people["owner"]
        Visitor(owner)
        half = Client()
        half.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
        none_of(doors_that_lead_elsewhere(half, northwind, reverse("access:code")))

    def test_is_led_to_the_set_up_of_a_second_factor_while_there_is_none(self, northwind: Side):
        half = Client()
        half.force_login(northwind.people["auditor"], backend="django.contrib.auth.backends.ModelBackend")
        none_of(doors_that_lead_elsewhere(half, northwind, reverse("access:second_factor")))


def doors_that_lead_elsewhere(client: Client, side: Side, door: str) -> Iterator[str]:
    """The same answer for what exists and for what does not, so that nothing is told."""
    for address in known():
        page = TABLE[address.name]
        if page.needs == OPEN:
            continue
        for method in METHODS:
            answer = ask(client, method, url_of(address, side.here.objects), page)
            if answer.status_code != 302 or not answer["Location"].startswith(door):
                yield f"{method} {address.name} answers {answer.status_code}"
            answer = ask(client, method, url_of(address, side.here.objects), page, **HTMX)
            if answer.status_code != 204 or answer.headers.get("HX-Redirect") != door:
                yield f"{method} {address.name} answers a fragment with {answer.status_code}"


class WhoHasLeft:
    def test_is_out_on_every_address_in_the_same_second(self, northwind: Side, stage: Stage):
        tess = northwind.people["technician"]
        visitor = Visitor(tess)
        assert visitor.get(reverse("web:dashboard")).status_code == 200
        stage.world.offboard(Technician.objects.get(pk=tess.pk))
        none_of(doors_that_lead_elsewhere(visitor, northwind, reverse("access:sign_in")))


class WhenMicrosoftIsNotSetUpYet:
    def test_no_page_breaks(self, northwind: Side, settings: Any):
        """The first start: no application, no certificate."""
        settings.MICROSOFT = settings.MICROSOFT | {"client_id": "", "client_certificate": "", "client_secret": ""}
        forget_composition()
        visitor = Visitor(northwind.people["owner"])
        visitor.raise_request_exception = False
        broken = []
        for address in known():
            page = TABLE[address.name]
            url = url_of(address, northwind.here.objects | {"token": "not-a-token"})
            for method in page.methods:
                if address.name != "access:sign_out" and ask(visitor, method, url, page).status_code >= 500:
                    broken.append(f"{method} {address.name}")
        none_of(broken)


class WhenThereIsNothingYet:
    def test_no_page_breaks(self, stage: Stage):
        """An owner on the first day, with nobody and nothing."""
        newcomer = another_reseller(stage.world, "Fourth Coffee IT", "fay@fourth.example").owner
        newcomer.set_password("only for today")
        newcomer.save()
        visitor = Visitor(newcomer)
        visitor.raise_request_exception = False
        pages = [a for a in known() if not a.parameters and "GET" in TABLE[a.name].methods]
        answers = {a.name: ask(visitor, "GET", reverse(a.name), TABLE[a.name]).status_code for a in pages}
        assert {name: got for name, got in answers.items() if got >= 500} == {}
        assert answers["web:dashboard"] == 200
