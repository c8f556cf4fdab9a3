"""Several changes of one account in one request, against a Microsoft cloud in a box."""

from __future__ import annotations

import pytest

from msp.errors import (
    AnswerLost,
    Busy,
    CannotRemove,
    DefaultMethodRefused,
    DifferentObject,
    NoConnection,
    NotSent,
    NotTried,
    PasswordRefused,
    SyncedAccount,
)
from msp.microsoft.ports import (
    AccountRef,
    Answer,
    EndSessions,
    MethodKind,
    ObservedMethod,
    RemoveMethod,
    SetPassword,
)
from tests.support.box import NEW, OLD, Place, new_place, way_to

CODES = MethodKind.SOFTWARE_OATH


def requests_of(place: Place) -> list[str]:
    """What reached the cloud for this tenant, the items of batches apart."""
    return [
        entry.path
        for entry in place.box.cloud.log
        if entry.tenant_id == place.tenant and not entry.in_batch and "oauth2" not in entry.path
    ]


def order_of_effects(place: Place) -> list[str]:
    return [
        effect.kind for effect in place.box.cloud.effects if effect.tenant_id == place.tenant and effect.by == "graph"
    ]


class WhenAnAccountIsClosedToSomebody:
    def test_one_request_does_it_all_in_the_order_of_the_acts(self, place):
        gone, kept = place.add(MethodKind.FIDO2), place.add(CODES)
        outcomes = place.directory.act(place.account, (SetPassword(NEW), RemoveMethod(gone), EndSessions()))
        assert [type(outcome) for outcome in outcomes] == [Answer] * 3
        assert requests_of(place) == ["/v1.0/$batch"]
        assert order_of_effects(place) == ["password_changed", "method_removed", "sessions_revoked"]
        assert place.lets_in(NEW) and not place.lets_in(OLD)
        assert not place.holds(gone.directory_id) and place.holds(kept.directory_id)

    def test_each_answer_bears_the_id_of_its_own_part(self, place):
        outcomes = place.directory.act(place.account, (SetPassword(NEW), EndSessions()))
        ids = {outcome.request_id for outcome in outcomes}
        assert len(ids) == 2
        assert ids == {e.request_id for e in place.box.cloud.effects if e.tenant_id == place.tenant and e.request_id}

    def test_a_token_of_hardware_makes_the_whole_request_one_of_beta(self, place):
        token = place.add(MethodKind.HARDWARE_OATH)
        outcomes = place.directory.act(place.account, (SetPassword(NEW), RemoveMethod(token), EndSessions()))
        assert [type(outcome) for outcome in outcomes] == [Answer] * 3
        assert requests_of(place) == ["/beta/$batch"]
        assert not place.holds(token.directory_id)

    def test_what_no_application_can_remove_is_said_and_the_rest_is_done(self, place):
        strange = ObservedMethod(MethodKind.UNKNOWN, "x", raw_type="newAuthenticationMethod")
        outcomes = place.directory.act(place.account, (SetPassword(NEW), RemoveMethod(strange), EndSessions()))
        assert [type(outcome) for outcome in outcomes] == [Answer, CannotRemove, Answer]

    def test_a_method_that_is_gone_already_is_a_yes(self, place):
        gone = ObservedMethod(MethodKind.FIDO2, "00000000-0000-4000-8000-000000000001")
        removed, ended = place.directory.act(place.account, (RemoveMethod(gone), EndSessions()))
        assert removed.already
        # A 404 is a failure to Microsoft, so what waited for it was not tried.
        assert isinstance(ended, NotTried)


class WhenThereAreManyMethods:
    def test_of_forty_five_exactly_the_one_goes(self, place):
        methods = [place.add(MethodKind.FIDO2, f"Key {number}") for number in range(40)]
        methods += [place.add(CODES) for _ in range(5)]
        before = {m.id for m in place.box.cloud.methods(place.tenant, place.user)}
        assert len(before) == 45
        (outcome,) = place.directory.act(place.account, (RemoveMethod(methods[17]),))
        assert isinstance(outcome, Answer)
        after = {m.id for m in place.box.cloud.methods(place.tenant, place.user)}
        assert before - after == {methods[17].directory_id}

    def test_more_than_twenty_acts_take_a_second_batch(self, place):
        methods = [place.add(MethodKind.FIDO2, f"Key {number}") for number in range(25)]
        outcomes = place.directory.act(place.account, tuple(RemoveMethod(method) for method in methods))
        assert [type(outcome) for outcome in outcomes] == [Answer] * 25
        assert requests_of(place) == ["/v1.0/$batch"] * 2
        assert not place.box.cloud.methods(place.tenant, place.user)

    def test_when_the_first_batch_is_lost_the_second_is_not_sent(self, place):
        methods = [place.add(MethodKind.FIDO2, f"Key {number}") for number in range(22)]
        place.box.cloud.faults.plan(kind="reset_after_effect", path=r"\$batch", tenant=place.tenant)
        outcomes = place.directory.act(place.account, tuple(RemoveMethod(method) for method in methods))
        assert [type(outcome) for outcome in outcomes] == [AnswerLost] * 20 + [NotTried] * 2
        assert len(place.box.cloud.methods(place.tenant, place.user)) == 2


class WhenOnePartIsRefused:
    def test_what_came_before_stands_and_what_follows_is_not_tried(self, place):
        gone = place.add(MethodKind.FIDO2)
        outcomes = place.directory.act(place.account, (RemoveMethod(gone), SetPassword("short"), EndSessions()))
        assert [type(outcome) for outcome in outcomes] == [Answer, PasswordRefused, NotTried]
        assert order_of_effects(place) == ["method_removed"]
        assert place.lets_in(OLD)

    def test_the_default_method_is_told_as_such(self, place):
        default = place.add(CODES)
        place.add(MethodKind.MICROSOFT_AUTHENTICATOR)
        refused, untried = place.directory.act(place.account, (RemoveMethod(default), EndSessions()))
        assert isinstance(refused, DefaultMethodRefused)
        assert isinstance(untried, NotTried)
        assert place.holds(default.directory_id)

    def test_a_synced_account_is_told_as_such(self, box, pem):
        place = new_place(box, way_to(box, pem))
        box.cloud.user(place.tenant, place.user).synced = True
        (refused,) = place.directory.act(place.account, (SetPassword(NEW),))
        assert isinstance(refused, SyncedAccount)
        assert place.lets_in(OLD)

    def test_a_throttled_part_says_how_long_to_wait(self, place):
        gone = place.add(MethodKind.FIDO2)
        place.box.cloud.faults.plan(kind="429", method="DELETE", tenant=place.tenant, delay=7)
        outcomes = place.directory.act(place.account, (SetPassword(NEW), RemoveMethod(gone), EndSessions()))
        assert [type(outcome) for outcome in outcomes] == [Answer, Busy, NotTried]
        assert outcomes[1].retry_after == 7
        assert order_of_effects(place) == ["password_changed"]

    def test_a_part_that_broke_inside_may_have_happened(self, place):
        place.box.cloud.faults.plan(kind="500", method="PATCH", tenant=place.tenant)
        outcomes = place.directory.act(place.account, (SetPassword(NEW), EndSessions()))
        assert [type(outcome) for outcome in outcomes] == [AnswerLost, NotTried]


class WhenTheWholeRequestFails:
    ACTS = (SetPassword(NEW), EndSessions())

    @pytest.mark.parametrize("kind", ["reset_before", "reset_after_effect"])
    def test_every_act_of_a_lost_one_may_have_happened(self, place, kind):
        place.box.cloud.faults.plan(kind=kind, path=r"\$batch", tenant=place.tenant)
        assert [type(o) for o in place.directory.act(place.account, self.ACTS)] == [AnswerLost] * 2
        assert order_of_effects(place) == (["password_changed", "sessions_revoked"] if "after" in kind else [])

    def test_one_that_was_turned_away_did_nothing(self, place):
        place.box.cloud.faults.plan(kind="429", path=r"\$batch", tenant=place.tenant, delay=3)
        assert [type(o) for o in place.directory.act(place.account, self.ACTS)] == [Busy] * 2
        assert order_of_effects(place) == []

    def test_one_that_never_left_did_nothing(self, box, pem, place):
        nowhere = way_to(box, pem, graph_url="https://127.0.0.1:9")(place.tenant, "global")
        outcomes = nowhere.act(place.account, self.ACTS)
        assert all(isinstance(outcome, NotSent) for outcome in outcomes)

    def test_without_consent_every_act_says_so(self, box, pem):
        closed = new_place(box, way_to(box, pem), consent=False)
        outcomes = closed.directory.act(closed.account, self.ACTS)
        assert [type(outcome) for outcome in outcomes] == [NoConnection] * 2

    def test_an_expired_token_is_renewed_and_each_act_happens_once(self, place):
        place.directory.observe(place.account)
        place.box.cloud.expire_tokens(place.tenant)
        assert [type(o) for o in place.directory.act(place.account, self.ACTS)] == [Answer] * 2
        assert order_of_effects(place) == ["password_changed", "sessions_revoked"]


class WhenTheUserIsAnotherObjectNow:
    def test_a_renamed_one_goes_on(self, place):
        account = AccountRef(place.tenant, place.user, "older-name@contoso.example")
        assert place.directory.observe(account).object_id == place.user
        assert isinstance(place.directory.act(account, (SetPassword(NEW),))[0], Answer)

    def test_one_that_was_deleted_and_made_anew_stops(self, place):
        account = AccountRef(place.tenant, "00000000-0000-4000-8000-00000000dead", place.account.user_principal_name)
        with pytest.raises(DifferentObject, match="different object"):
            place.directory.observe(account)
        assert place.lets_in(OLD)
