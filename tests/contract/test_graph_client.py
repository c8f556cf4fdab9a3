"""The Graph directory against a Microsoft cloud in a box, over real HTTPS: what was said and what is true."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from msp.errors import (
    AccountMissing,
    AnswerLost,
    Busy,
    CannotRemove,
    DefaultMethodRefused,
    FederatedAccount,
    GuestRefused,
    NoConnection,
    NotAllowed,
    PasswordBanned,
    PasswordRefused,
    Refused,
    RoleMissing,
    SyncedAccount,
    Unreachable,
)
from msp.microsoft.methods import PLACES
from msp.microsoft.ports import AccountRef, MethodKind, ProbeResult
from tests.support.box import CLIENT_ID, NEW, OLD, Place, new_place, way_to
from tests.support.wire import write_certificate

OTHERS = sorted(set(PLACES) - {MethodKind.PASSWORD})


class WhenAnAccountIsObserved:
    def test_every_kind_of_method_is_seen_with_its_id(self, place):
        registered = {(kind, place.add(kind).directory_id) for kind in OTHERS}
        future = place.box.cloud.register(place.tenant, place.user, "future").id
        seen = place.directory.observe(place.account)
        found = {(method.kind, method.directory_id) for method in seen.methods}
        assert registered | {(MethodKind.UNKNOWN, future)} <= found
        assert MethodKind.PASSWORD in {method.kind for method in seen.methods}

    def test_the_name_serves_while_no_id_is_known(self, place):
        by_name = AccountRef(place.tenant, "", place.account.user_principal_name)
        seen = place.directory.observe(by_name)
        assert (seen.object_id, seen.display_name, seen.enabled) == (place.user, "Shared Admin", True)

    def test_the_name_of_a_guest_serves_too(self, box, pem):
        guest = new_place(box, way_to(box, pem), upn="ana_fabrikam.example#EXT#@contoso.example")
        by_name = AccountRef(guest.tenant, "", guest.account.user_principal_name)
        assert guest.directory.observe(by_name).object_id == guest.user
        guest.directory.revoke_sessions(by_name)
        assert guest.effects("sessions_revoked") == 1
        with pytest.raises(GuestRefused, match="guest"):
            guest.directory.set_password(by_name, NEW)
        assert guest.lets_in(OLD)

    def test_a_hardware_token_shows_its_serial_and_an_app_its_device(self, place):
        place.add(MethodKind.HARDWARE_OATH, serialNumber="LK-0001")
        place.add(MethodKind.MICROSOFT_AUTHENTICATOR, "Ana's phone")
        labels = {method.kind: method.label for method in place.directory.observe(place.account).methods}
        assert labels[MethodKind.MICROSOFT_AUTHENTICATOR] == "Ana's phone"
        assert labels[MethodKind.HARDWARE_OATH] == "LK-0001"

    def test_nobody_of_that_name_is_told_as_such(self, place):
        with pytest.raises(AccountMissing, match=r"nobody@t\.example"):
            place.directory.observe(AccountRef(place.tenant, "", "nobody@t.example"))

    def test_microsofts_request_ids_are_kept(self, place):
        ids = place.directory.observe(place.account).request_ids
        assert ids
        assert set(ids) <= {entry.request_id for entry in place.box.cloud.log.find(tenant_id=place.tenant)}


class WhenThePasswordIsChanged:
    def test_only_the_new_one_works_and_the_directory_says_when(self, place):
        before = place.directory.observe(place.account)
        answer = place.directory.set_password(place.account, NEW)
        after = place.directory.observe(place.account)
        assert (place.lets_in(OLD), place.lets_in(NEW)) == (False, True)
        assert before.password_changed_at < after.password_changed_at
        assert answer.request_id in {entry.request_id for entry in place.box.cloud.log.find(tenant_id=place.tenant)}

    def test_a_weak_one_leaves_the_old_one(self, place):
        with pytest.raises(PasswordRefused):
            place.directory.set_password(place.account, "weakweak")
        assert place.lets_in(OLD)

    def test_a_banned_one_is_told_apart_from_a_weak_one(self, place):
        place.box.cloud.tenant(place.tenant).policies.banned = ["contoso"]
        with pytest.raises(PasswordBanned):
            place.directory.set_password(place.account, "Contoso-2026-winter!")
        assert place.lets_in(OLD)

    def test_of_a_synced_account_belongs_to_the_local_directory(self, place):
        place.box.cloud.user(place.tenant, place.user).synced = True
        with pytest.raises(SyncedAccount, match="local directory"):
            place.directory.set_password(place.account, NEW)
        assert place.lets_in(OLD)

    def test_of_a_federated_account_belongs_to_its_identity_provider(self, place):
        tenant = place.box.cloud.tenant(place.tenant)
        tenant.federated.append(tenant.domain)
        with pytest.raises(FederatedAccount, match="identity provider"):
            place.directory.set_password(place.account, NEW)
        assert place.box.cloud.user(place.tenant, place.user).password == OLD

    def test_without_the_directory_role_it_is_the_role_that_is_missing(self, place):
        place.box.cloud.consent(CLIENT_ID, place.tenant, roles=())
        with pytest.raises(RoleMissing, match="Privileged Authentication Administrator"):
            place.directory.set_password(place.account, NEW)
        assert place.lets_in(OLD)

    def test_without_the_permission_it_is_the_permission(self, place):
        place.box.cloud.consent(CLIENT_ID, place.tenant, permissions=("User.Read.All",))
        with pytest.raises(NotAllowed, match=r"User-PasswordProfile\.ReadWrite\.All") as caught:
            place.directory.set_password(place.account, NEW)
        assert not isinstance(caught.value, RoleMissing)
        assert place.lets_in(OLD)

    def test_of_nobody_is_told_as_such(self, place):
        with pytest.raises(AccountMissing):
            place.directory.set_password(AccountRef(place.tenant, "", "nobody@t.example"), NEW)


class WhenAMethodIsRemoved:
    @pytest.mark.parametrize("kind", OTHERS)
    def test_it_is_gone_and_every_other_stays_and_a_repeat_is_success(self, place, kind):
        place.add(MethodKind.SOFTWARE_OATH)
        leaving = place.add(kind)
        kept = [method.id for method in place.box.cloud.methods(place.tenant, place.user)]
        kept.remove(leaving.directory_id)
        assert not place.directory.remove(place.account, leaving).already
        assert [method.id for method in place.box.cloud.methods(place.tenant, place.user)] == kept
        assert place.directory.remove(place.account, leaving).already

    def test_what_no_application_can_remove_is_left_alone(self, place):
        future = place.box.cloud.register(place.tenant, place.user, "future")
        for method in place.directory.observe(place.account).methods:
            with pytest.raises(CannotRemove):
                place.directory.remove(place.account, method)
        assert place.holds(future.id)

    def test_without_the_permission_it_stays_and_that_is_said(self, place):
        place.box.cloud.consent(CLIENT_ID, place.tenant, permissions=("User.Read.All",))
        method = place.add(MethodKind.FIDO2)
        with pytest.raises(NotAllowed, match="still there"):
            place.directory.remove(place.account, method)
        assert place.holds(method.directory_id)


class WhenTheDefaultMethodMustGo:
    def test_it_goes_after_the_default_was_moved(self, place):
        phone = place.add(MethodKind.PHONE)
        codes = place.add(MethodKind.SOFTWARE_OATH)
        with pytest.raises(DefaultMethodRefused):
            place.directory.remove(place.account, phone)
        assert place.holds(phone.directory_id)
        place.directory.move_default(place.account, phone, (codes,))
        place.directory.remove(place.account, phone)
        assert not place.holds(phone.directory_id)
        assert place.holds(codes.directory_id)

    def test_an_alternate_phone_before_its_mobile_is_told_in_microsofts_words(self, place):
        mobile = place.add(MethodKind.PHONE)
        place.add(MethodKind.PHONE, phoneType="alternateMobile")
        place.directory.move_default(place.account, mobile, (place.add(MethodKind.SOFTWARE_OATH),))
        with pytest.raises(Refused) as caught:
            place.directory.remove(place.account, mobile)
        assert place.holds(mobile.directory_id)
        assert caught.value.code


class WhenSessionsAreEnded:
    def test_an_open_one_ends_and_the_directory_says_when(self, place):
        session = place.box.cloud.sign_in(place.tenant, place.user, OLD).session
        before = place.directory.observe(place.account).sessions_valid_from
        place.directory.revoke_sessions(place.account)
        assert not place.box.cloud.session_alive(place.tenant, session)
        assert before < place.directory.observe(place.account).sessions_valid_from


class WhenASignInIsProbed:
    def test_old_and_new_password_are_told_apart_with_and_without_a_second_factor(self, place):
        place.directory.set_password(place.account, NEW)
        for _ in range(2):
            assert place.directory.sign_in_probe(place.account, OLD) is ProbeResult.PASSWORD_REFUSED
            assert place.directory.sign_in_probe(place.account, NEW) is ProbeResult.PASSWORD_ACCEPTED
            place.add(MethodKind.SOFTWARE_OATH)

    def test_a_locked_account_tells_nothing(self, place):
        for number in range(12):
            place.directory.sign_in_probe(place.account, f"wrong-{number}")
        assert place.directory.sign_in_probe(place.account, OLD) is ProbeResult.INCONCLUSIVE


@dataclass(frozen=True)
class Change:
    """One change, how it is asked for, and what it leaves in the cloud's own journal."""

    method: str
    path: str
    effect: str
    ask: Callable[[Place], object]


CHANGES = {
    "set_password": Change(
        "PATCH", "users/[^/]+$", "password_changed", lambda place: place.directory.set_password(place.account, NEW)
    ),
    "remove": Change(
        "DELETE",
        "fido2Methods",
        "method_removed",
        lambda place: place.directory.remove(place.account, place.add(MethodKind.FIDO2)),
    ),
    "revoke_sessions": Change(
        "POST", "revokeSignIn", "sessions_revoked", lambda place: place.directory.revoke_sessions(place.account)
    ),
    "move_default": Change(
        "PATCH",
        "signInPreferences",
        "default_moved",
        lambda place: place.directory.move_default(
            place.account, place.add(MethodKind.SOFTWARE_OATH), (place.add(MethodKind.MICROSOFT_AUTHENTICATOR),)
        ),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
class EveryChange:
    def strike(self, place: Place, change: Change, kind: str, **more: float) -> None:
        place.box.cloud.faults.plan(kind=kind, method=change.method, path=change.path, tenant=place.tenant, **more)

    @pytest.mark.parametrize("kind", ["timeout_after_effect", "reset_after_effect"])
    def test_whose_answer_is_lost_after_its_effect_happened_once(self, box, pem, place, change, kind):
        place.directory = way_to(box, pem, timeout_seconds=1.5)(place.tenant, "global")
        self.strike(place, change, kind, delay=4)
        with pytest.raises(AnswerLost):
            change.ask(place)
        assert place.effects(change.effect) == 1

    @pytest.mark.parametrize("kind", ["timeout_before", "reset_before", "500"])
    def test_whose_answer_is_lost_before_its_effect_cannot_be_told_from_one_after(self, place, change, kind):
        self.strike(place, change, kind, delay=0.1)
        with pytest.raises(AnswerLost):
            change.ask(place)
        assert place.effects(change.effect) == 0

    @pytest.mark.parametrize("kind", ["429", "503"])
    def test_that_was_turned_away_did_not_happen_and_says_how_long_to_wait(self, place, change, kind):
        self.strike(place, change, kind, delay=7)
        with pytest.raises(Busy) as caught:
            change.ask(place)
        assert caught.value.retry_after == 7
        assert place.effects(change.effect) == 0

    def test_whose_body_is_slow_is_still_a_yes(self, box, pem, place, change):
        place.directory = way_to(box, pem, timeout_seconds=1.5)(place.tenant, "global")
        self.strike(place, change, "slow_body", delay=6)
        assert change.ask(place).request_id
        assert place.effects(change.effect) == 1


class WhenMethodsAreThrottled:
    def test_the_reading_says_how_long_to_wait(self, place):
        place.box.cloud.knobs.set(place.tenant, throttle=2)
        with pytest.raises(Busy) as caught:
            for _ in range(3):
                place.directory.observe(place.account)
        assert 1 <= caught.value.retry_after <= 10


class WhenATenantIsDead:
    @pytest.mark.parametrize(("how", "expected"), [("reset", Unreachable), ("503", Busy), ("hang", Unreachable)])
    def test_its_calls_fail_in_time(self, box, pem, place, how, expected):
        box.cloud.knobs.set(place.tenant, dead=how)
        began = time.monotonic()
        with pytest.raises(expected):
            way_to(box, pem, timeout_seconds=1)(place.tenant, "global").observe(place.account)
        assert time.monotonic() - began < 5

    def test_another_tenant_does_not_wait_for_it(self, box, pem):
        directories = way_to(box, pem, timeout_seconds=8)
        dead, living = new_place(box, directories), new_place(box, directories)
        box.cloud.knobs.set(dead.tenant, dead="hang")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(dead.directory.observe, dead.account)
            assert living.directory.observe(living.account).object_id == living.user
            assert not waiting.done()
            with pytest.raises(Unreachable):
                waiting.result(timeout=60)
        box.cloud.knobs.reset()

    def test_one_that_dies_after_the_token_was_given_loses_the_answer_of_a_change(self, place):
        place.directory.observe(place.account)
        place.box.cloud.knobs.set(place.tenant, dead="reset")
        with pytest.raises(AnswerLost):
            place.directory.set_password(place.account, NEW)


class WhenATenantDoesNotLetUsIn:
    def test_without_consent_the_number_and_the_way_out_are_told(self, box, pem):
        closed = new_place(box, way_to(box, pem), consent=False)
        with pytest.raises(NoConnection, match="consent") as caught:
            closed.directory.observe(closed.account)
        assert caught.value.code in {"AADSTS700016", "AADSTS65001"}

    def test_consent_given_afterwards_counts_at_once(self, box, pem):
        closed = new_place(box, way_to(box, pem), consent=False)
        with pytest.raises(NoConnection):
            closed.directory.observe(closed.account)
        box.cloud.consent(CLIENT_ID, closed.tenant)
        assert closed.directory.observe(closed.account).object_id == closed.user

    def test_a_foreign_certificate_is_told_as_such(self, box, place, tmp_path):
        foreign = write_certificate(tmp_path / "foreign.pem")
        directory = way_to(box, foreign)(place.tenant, "global")
        with pytest.raises(NoConnection, match="certificate") as caught:
            directory.observe(place.account)
        assert caught.value.code == "AADSTS700027"

    def test_a_tenant_that_does_not_exist_is_told_as_such(self, box, pem):
        nowhere = "99999999-0000-4000-8000-000000000099"
        with pytest.raises(NoConnection, match="no such tenant") as caught:
            way_to(box, pem)(nowhere, "global").observe(AccountRef(nowhere, "", "a@b.example"))
        assert caught.value.code == "AADSTS90002"

    def test_a_server_whose_authority_we_do_not_trust_gets_nothing(self, box, pem, place):
        before = box.cloud.log.count(tenant_id=place.tenant)
        directory = way_to(box, pem, ca_bundle="")(place.tenant, "global")
        with pytest.raises(Unreachable, match="not one we trust"):
            directory.set_password(place.account, NEW)
        assert box.cloud.log.count(tenant_id=place.tenant) == before

    def test_the_environment_decides_neither_the_way_nor_whom_we_trust(self, box, pem, place, monkeypatch, tmp_path):
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            monkeypatch.setenv(name, str(tmp_path / "none.pem"))
        seen = way_to(box, pem)(place.tenant, "global").observe(place.account)
        assert seen.object_id == place.user

    def test_a_closed_port_is_told_as_nothing_sent(self, box, pem, place):
        directory = way_to(box, pem, login_url="https://127.0.0.1:1")(place.tenant, "global")
        with pytest.raises(Unreachable, match="Nothing was sent"):
            directory.observe(place.account)


class WhenTokensRunOut:
    def test_the_next_call_fetches_a_new_one_by_itself(self, place):
        place.directory.observe(place.account)
        place.box.cloud.expire_tokens(place.tenant)
        assert place.directory.observe(place.account).object_id == place.user
        place.box.cloud.expire_tokens(place.tenant)
        place.directory.set_password(place.account, NEW)
        assert place.effects("password_changed") == 1


class WhenManyThreadsWorkAtOnce:
    def test_each_account_is_read_right_and_each_tenant_gave_one_token(self, box, pem):
        directories = way_to(box, pem)
        places = [new_place(box, directories) for _ in range(8)]
        with ThreadPoolExecutor(32) as pool:
            seen = list(pool.map(lambda place: place.directory.observe(place.account).object_id, places * 8))
        assert seen == [place.user for place in places * 8]
        for place in places:
            asked = [entry for entry in box.cloud.log.find(tenant_id=place.tenant) if entry.path.endswith("/token")]
            assert len(asked) == 1
