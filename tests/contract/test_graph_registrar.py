"""The making of methods: every request against Microsoft's contract, every effect in a cloud in a box."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from msp.errors import (
    AccountMissing,
    AnswerLost,
    CodeRefused,
    DuplicateSerial,
    NoFreeSlot,
    NotAllowed,
    NotInThisCloud,
    PolicyForbids,
    Refused,
)
from msp.microsoft import registrar as adapter
from msp.microsoft.connection import Connection
from msp.microsoft.enrolment_ports import HardwareToken, MfaState, NewToken, Registrar, TokenStatus, as_method
from msp.microsoft.graph import Graph
from msp.microsoft.ports import AccountRef, Directory, MethodKind
from msp.simulator import totp
from msp.simulator.server import Simulator
from msp.simulator.state import DEFAULT_PERMISSIONS
from tests.support.box import CLIENT_ID
from tests.support.published import find, may_be_asked_by, misfits
from tests.support.reference import reference_needed
from tests.support.wire import Wire, said

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
DEVICE = "00000000-0000-4000-8000-000000000051"
ACCOUNT = AccountRef(TENANT, "22222222-bbbb-4bbb-8bbb-222222222222", "admin@contoso.example")
PASSWORD = "Old-Password-1!"
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
COLLEAGUES_SEED = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
PERMISSIONS = (*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod")

REQUESTS: dict[str, Callable[[Registrar], object]] = {
    "issue_pass": lambda registrar: registrar.issue_pass(ACCOUNT, minutes=60),
    "mfa_state": lambda registrar: registrar.mfa_state(ACCOUNT),
    "set_mfa_state": lambda registrar: registrar.set_mfa_state(ACCOUNT, MfaState.ENFORCED),
    "preferred_method": lambda registrar: registrar.preferred_method(ACCOUNT),
    "set_preferred_method": lambda registrar: registrar.set_preferred_method(ACCOUNT, "oath"),
    "tokens": lambda registrar: list(registrar.tokens()),
    "tokens_of_a_serial": lambda registrar: list(registrar.tokens(serial="LK-0001")),
    "create_token": lambda registrar: registrar.create_token(NewToken("LK-0001", SEED, "Ana")),
    "activate_token": lambda registrar: registrar.activate_token(ACCOUNT, DEVICE, "123456", display_name="Ana"),
    "deactivate_token": lambda registrar: registrar.deactivate_token(ACCOUNT, DEVICE),
    "unassign_token": lambda registrar: registrar.unassign_token(ACCOUNT, DEVICE),
    "delete_token": lambda registrar: registrar.delete_token(DEVICE),
}
ANYTHING = {"value": [], "id": "1", "temporaryAccessPass": "x", "perUserMfaState": "enforced"}
NOT_IN_PERMISSIONS_JSON = ("/directory/authenticationMethodDevices", "signInPreferences")


class EveryRequestWeSend:
    @pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
    def test_is_published_with_its_options_names_and_body(self, ask):
        reference_needed()
        wire = Wire()
        wire.answers(said(200, ANYTHING))
        ask(Graph(Connection("client-1", client_secret="s"), wire=wire).registrar(TENANT, "global"))
        (request,) = wire.graph_requests
        assert misfits(request) == []
        assert not request.content or request.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("word", adapter.WORDS_OF_PREFERENCE)
    def test_of_a_preference_names_one_that_microsoft_knows(self, word):
        reference_needed()
        _, schemas, _ = find("PATCH", "/beta/users/x/authentication/signInPreferences")
        assert word in schemas["userDefaultAuthenticationMethodType"]["enum"]


class ThePermissions:
    def test_that_are_named_are_enough_by_microsofts_list(self):
        reference_needed()
        rows = re.findall(r"^\| ([A-Z]+) (\S.*?) +\| (\S+) +\|$", adapter.__doc__ or "", re.MULTILINE)
        assert len(rows) == 11
        for method, path, permission in rows:
            if any(part in path for part in NOT_IN_PERMISSIONS_JSON):
                continue
            # Microsoft's list has this one path without the id that its OpenAPI file has.
            listed = path.replace("/{id}/deactivate", "/deactivate")
            assert may_be_asked_by(permission, method, listed), path


@dataclass
class Place:
    """One tenant whose policy allows passes and tokens, with one shared account."""

    box: Simulator
    account: AccountRef
    registrar: Registrar
    directory: Directory

    @property
    def tenant(self) -> str:
        return self.account.tenant_id

    def allow(self, **methods: str) -> None:
        self.box.cloud.tenant(self.tenant).policies.methods.update(methods)

    def code(self, seed: str = SEED, *, ahead: int = 0) -> str:
        """What a device with this seed shows now, or so many steps later."""
        step = totp.step_of(self.box.cloud.now().timestamp(), 30) + ahead
        return totp.code_of_step(seed, step, digest="sha1")

    def wrong_code(self) -> str:
        near = {self.code(ahead=step) for step in range(-8, 9)}
        return next(
            code for code in ("000000", "111111", "222222", *map(str, range(333333, 333433))) if code not in near
        )

    def signs_in(self, code: str) -> str:
        return self.box.cloud.sign_in(self.tenant, self.account.object_id, PASSWORD, code).result

    def active_token(self, serial: str = "LK-0001", seed: str = SEED) -> HardwareToken:
        made = self.registrar.create_token(NewToken(serial, seed))
        self.registrar.activate_token(self.account, made.device_id, self.code(seed))
        return made


@pytest.fixture
def place(box, graph) -> Iterator[Place]:
    tenant = box.cloud.add_tenant("Contoso", domain=f"t{len(box.cloud.tenants)}.example")
    box.cloud.consent(CLIENT_ID, tenant.id, permissions=PERMISSIONS)
    user = box.cloud.add_user(tenant.id, "admin", "Shared Admin", PASSWORD)
    account = AccountRef(tenant.id, user.id, user.upn)
    made = Place(box, account, graph.registrar(tenant.id, "global"), graph.directory(tenant.id, "global"))
    made.allow(HardwareOath="enabled", TemporaryAccessPass="enabled")
    yield made
    box.cloud.faults.clear()
    box.cloud.knobs.reset()


class WhenAPassIsIssued:
    def test_it_is_a_method_of_the_account_until_it_is_taken_away(self, place):
        issued = place.registrar.issue_pass(place.account, minutes=60, once=False)
        assert (issued.minutes, issued.once) == (60, False)
        seen = {m.directory_id: m for m in place.directory.observe(place.account).methods}
        assert seen[issued.method_id].kind is MethodKind.TEMPORARY_ACCESS_PASS
        place.directory.remove(place.account, seen[issued.method_id])
        assert not place.directory.observe(place.account).has(issued.method_id, MethodKind.TEMPORARY_ACCESS_PASS)

    def test_a_new_one_replaces_it(self, place):
        first = place.registrar.issue_pass(place.account, minutes=60)
        second = place.registrar.issue_pass(place.account, minutes=60)
        methods = place.directory.observe(place.account).methods
        passes = [m.directory_id for m in methods if m.kind is MethodKind.TEMPORARY_ACCESS_PASS]
        assert passes == [second.method_id]
        assert first.code != second.code

    def test_the_policy_must_allow_it(self, place):
        place.allow(TemporaryAccessPass="disabled")
        with pytest.raises(PolicyForbids):
            place.registrar.issue_pass(place.account, minutes=60)

    def test_for_nobody_is_told_as_such(self, place):
        with pytest.raises(AccountMissing):
            place.registrar.issue_pass(AccountRef(place.tenant, "", "nobody@t.example"), minutes=60)


class WhenMfaIsDemanded:
    def test_the_account_shows_what_was_demanded(self, place):
        assert place.registrar.mfa_state(place.account) is MfaState.DISABLED
        place.registrar.set_mfa_state(place.account, MfaState.ENFORCED)
        assert place.registrar.mfa_state(place.account) is MfaState.ENFORCED

    def test_it_takes_its_permission(self, place):
        place.box.cloud.consent(CLIENT_ID, place.tenant, permissions=DEFAULT_PERMISSIONS)
        place.box.cloud.expire_tokens(place.tenant)
        with pytest.raises(NotAllowed, match=r"Policy\.ReadWrite\.AuthenticationMethod"):
            place.registrar.set_mfa_state(place.account, MfaState.ENFORCED)


class WhenAMethodIsPreferred:
    def test_another_kind_is_asked_for_first(self, place):
        place.box.cloud.register(place.tenant, place.account.object_id, "microsoft_authenticator")
        place.box.cloud.register(place.tenant, place.account.object_id, "phone")
        place.registrar.set_preferred_method(place.account, "sms")
        assert place.registrar.preferred_method(place.account) == "sms"

    def test_one_that_is_not_registered_is_refused(self, place):
        place.box.cloud.register(place.tenant, place.account.object_id, "microsoft_authenticator")
        with pytest.raises(Refused):
            place.registrar.set_preferred_method(place.account, "sms")
        assert place.registrar.preferred_method(place.account) == "push"


class WhenATokenIsPutIntoTheInventory:
    def test_it_is_found_there_by_its_serial(self, place):
        made = place.registrar.create_token(NewToken("LK-0001", SEED, "Ana"))
        place.registrar.create_token(NewToken("LK-0002", SEED))
        (found,) = place.registrar.tokens(serial="LK-0001")
        assert found == made
        assert (found.display_name, found.status, found.assigned_to) == ("Ana", TokenStatus.AVAILABLE, "")
        assert {token.serial for token in place.registrar.tokens()} == {"LK-0001", "LK-0002"}

    def test_a_serial_is_taken_once(self, place):
        place.registrar.create_token(NewToken("LK-0001", SEED))
        with pytest.raises(DuplicateSerial):
            place.registrar.create_token(NewToken("LK-0001", SEED))
        assert len(list(place.registrar.tokens())) == 1

    def test_after_a_lost_answer_it_is_found_by_its_serial(self, place):
        place.box.cloud.faults.plan(
            kind="reset_after_effect", method="POST", path="hardwareOathDevices", tenant=place.tenant
        )
        with pytest.raises(AnswerLost):
            place.registrar.create_token(NewToken("LK-0001", SEED))
        assert [token.serial for token in place.registrar.tokens(serial="LK-0001")] == ["LK-0001"]


class WhenATokenIsActivated:
    def test_its_codes_let_in_and_it_is_the_method_of_the_same_id(self, place):
        made = place.active_token()
        method = as_method(made, place.directory.observe(place.account).methods)
        assert (method.kind, method.label) == (MethodKind.HARDWARE_OATH, "LK-0001")
        (found,) = place.registrar.tokens()
        assert (found.status, found.assigned_to) == (TokenStatus.ACTIVATED, place.account.object_id)
        assert place.signs_in(place.code(ahead=1)) == "signed_in"

    def test_a_wrong_code_is_told_and_the_next_one_may_be_tried(self, place):
        made = place.registrar.create_token(NewToken("LK-0001", SEED))
        with pytest.raises(CodeRefused):
            place.registrar.activate_token(place.account, made.device_id, place.wrong_code())
        (found,) = place.registrar.tokens()
        assert found.status is not TokenStatus.ACTIVATED
        place.registrar.unassign_token(place.account, made.device_id)
        place.registrar.activate_token(place.account, made.device_id, place.code())
        assert next(place.registrar.tokens()).status is TokenStatus.ACTIVATED

    def test_five_authenticators_are_the_most(self, place):
        for _ in range(5):
            place.box.cloud.register(place.tenant, place.account.object_id, "software_oath")
        made = place.registrar.create_token(NewToken("LK-0001", SEED))
        with pytest.raises(NoFreeSlot):
            place.registrar.activate_token(place.account, made.device_id, place.code())

    def test_the_policy_must_allow_it(self, place):
        made = place.registrar.create_token(NewToken("LK-0001", SEED))
        place.allow(HardwareOath="disabled")
        with pytest.raises(PolicyForbids):
            place.registrar.activate_token(place.account, made.device_id, place.code())

    def test_one_that_is_not_in_the_inventory_is_not_a_missing_user(self, place):
        with pytest.raises(Refused) as caught:
            place.registrar.activate_token(place.account, DEVICE, place.code())
        assert not isinstance(caught.value, AccountMissing)


class WhenATokenIsTakenAway:
    def test_it_goes_back_to_the_inventory_and_out_of_it(self, place):
        made = place.active_token()
        with pytest.raises(Refused):
            place.registrar.delete_token(made.device_id)
        assert not place.registrar.unassign_token(place.account, made.device_id).already
        (back,) = place.registrar.tokens()
        assert (back.status, back.assigned_to) == (TokenStatus.AVAILABLE, "")
        assert as_method(made, place.directory.observe(place.account).methods) is None
        assert not place.registrar.delete_token(made.device_id).already
        assert list(place.registrar.tokens()) == []

    def test_twice_is_as_good_as_once(self, place):
        made = place.active_token()
        place.registrar.unassign_token(place.account, made.device_id)
        assert place.registrar.unassign_token(place.account, made.device_id).already
        place.registrar.delete_token(made.device_id)
        assert place.registrar.delete_token(made.device_id).already

    def test_a_deactivated_one_no_longer_lets_in_and_stays_assigned(self, place):
        place.box.cloud.register(place.tenant, place.account.object_id, "software_oath")
        made = place.active_token()
        place.registrar.deactivate_token(place.account, made.device_id)
        assert place.signs_in(place.code(ahead=1)) != "signed_in"
        (found,) = place.registrar.tokens()
        assert (found.status, found.assigned_to) == (TokenStatus.ASSIGNED, place.account.object_id)

    def test_a_colleagues_token_is_untouched(self, place):
        mine, other = place.active_token("LK-0001"), place.active_token("LK-0002", COLLEAGUES_SEED)
        place.registrar.unassign_token(place.account, mine.device_id)
        left = {token.serial: token.status for token in place.registrar.tokens()}
        assert left == {"LK-0001": TokenStatus.AVAILABLE, "LK-0002": TokenStatus.ACTIVATED}
        assert as_method(other, place.directory.observe(place.account).methods) is not None
        assert place.signs_in(place.code(COLLEAGUES_SEED, ahead=1)) == "signed_in"


@dataclass(frozen=True)
class Change:
    """One change of an active or waiting token or of the account, and how to see that it happened."""

    path: str
    ask: Callable[[Place, str], object]
    happened: Callable[[Place, str], bool]
    active: bool = True


def status_of(place: Place, device_id: str) -> str:
    token = place.box.cloud.tenant(place.tenant).tokens.get(device_id)
    return token.status if token else "gone"


CHANGES = {
    "issue_pass": Change(
        "temporaryAccessPassMethods",
        lambda place, _: place.registrar.issue_pass(place.account, minutes=60),
        lambda place, _: bool(place.box.cloud.methods(place.tenant, place.account.object_id, "temporary_access_pass")),
    ),
    "set_mfa_state": Change(
        "requirements",
        lambda place, _: place.registrar.set_mfa_state(place.account, MfaState.ENFORCED),
        lambda place, _: place.box.cloud.user(place.tenant, place.account.object_id).mfa_state == "enforced",
    ),
    "activate_token": Change(
        "assignAndActivate",
        lambda place, device: place.registrar.activate_token(place.account, device, place.code()),
        lambda place, device: status_of(place, device) == "activated",
        active=False,
    ),
    "deactivate_token": Change(
        "deactivate",
        lambda place, device: place.registrar.deactivate_token(place.account, device),
        lambda place, device: status_of(place, device) == "assigned",
    ),
    "unassign_token": Change(
        "hardwareOathMethods",
        lambda place, device: place.registrar.unassign_token(place.account, device),
        lambda place, device: status_of(place, device) == "available",
    ),
    "delete_token": Change(
        "hardwareOathDevices",
        lambda place, device: place.registrar.delete_token(device),
        lambda place, device: status_of(place, device) == "gone",
        active=False,
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
class EveryChangeWhoseAnswerIsLost:
    def strike(self, place: Place, change: Change, kind: str) -> str:
        """Prepare a token, plan the fault, ask; answers the token's id."""
        if change.active:
            device = place.active_token().device_id
        else:
            device = place.registrar.create_token(NewToken("LK-0001", SEED)).device_id
        place.box.cloud.faults.plan(kind=kind, path=change.path, tenant=place.tenant, delay=0.1)
        with pytest.raises(AnswerLost, match="It may have happened"):
            change.ask(place, device)
        return device

    def test_after_its_effect_happened(self, place, change):
        assert change.happened(place, self.strike(place, change, "reset_after_effect"))

    def test_before_its_effect_did_not(self, place, change):
        assert not change.happened(place, self.strike(place, change, "reset_before"))


class WhenTheCloudLacksIt:
    def test_nothing_reaches_it(self, box, graph):
        tenant = box.cloud.add_tenant("Agency", domain=f"t{len(box.cloud.tenants)}.example")
        box.cloud.consent(CLIENT_ID, tenant.id, permissions=PERMISSIONS)
        with pytest.raises(NotInThisCloud):
            graph.registrar(tenant.id, "us_gov_l4").create_token(NewToken("LK-0001", SEED))
        assert box.cloud.log.count(tenant_id=tenant.id) == 0
