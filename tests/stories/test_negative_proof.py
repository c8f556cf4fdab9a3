"""After the change, what opened the door before must be refused: tried where the policy asks, and never too often."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msp.errors import Unreachable
from msp.ledger.models import Entry
from msp.microsoft.enrolment_ports import HardwareToken, TokenStatus
from msp.microsoft.graph import Graph
from msp.microsoft.ports import AccountRef, ProbeResult, SignInAnswer
from msp.outside import Outside
from tenants.actions.mend import retry_target, waive_step
from tenants.models import DeparturePolicy, Finding, Secret, SecretVersion, Target, Tenant
from tenants.plans import RunState, StepKind, StepState
from tests.support.token_desk import TokenDesk
from tests.support.world import World

ALL = {"try_password": True, "try_code": True, "try_session": True}


class Scene:
    """Ana and Ben hold Contoso's shared account. The installation allows tries at the sign-in."""

    asks: dict[str, bool] = ALL
    may_try = True

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        DeparturePolicy.objects.create(reseller=world.reseller, **self.asks)
        graph = Graph(replace(world.connection, sign_in_probe=self.may_try))
        self.outside = replace(world.outside, directory_for=graph.directory, registrar_for=graph.registrar)
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.old = world.password_at_microsoft(self.account)

    @property
    def user(self) -> Any:
        return self.world.cloud.user(self.world.directory_id(self.account), self.account.object_id)

    def no_second_factor_is_asked_for(self) -> None:
        self.world.cloud.tenant(self.world.directory_id(self.account)).policies.security_defaults = False

    def leave(self, person: Any = None) -> Any:
        self.run = self.world.offboard(person or self.ana).run
        self.world.work(self.run, outside=self.outside)
        return self.run

    def later(self, **by: float) -> None:
        with time_machine.travel(timezone.now() + dt.timedelta(**by), tick=True):
            self.world.work(self.run, outside=self.outside)

    def step(self, kind: StepKind) -> Any:
        return self.world.step(self.run, kind)


class WhenThePolicyAsksForNothing(Scene):
    asks: dict[str, bool] = {}

    def test_no_try_is_planned_and_nothing_signs_in(self):
        self.leave()
        assert not {StepKind.TRY_PASSWORD, StepKind.TRY_CODE, StepKind.TRY_SESSION} & set(self.world.steps(self.run))
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR
        assert self.user.wrong_passwords == []


class WhenTheOldPasswordIsTried(Scene):
    asks = {"try_password": True}

    def test_it_is_refused_while_the_new_one_is_taken_and_that_is_said(self):
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.VERIFIED
        assert "refused version 1" in step.was["said"]
        assert "took version 2" in step.was["said"]
        assert step.was["code"] == "AADSTS50126"
        assert len(step.request_ids) == 2
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR

    def test_it_was_written_down_before_it_was_sent_and_after(self):
        self.leave()
        entries = [e for e in Entry.objects.filter(run_id=self.run.pk) if e.facts.get("kind") == "try_password"]
        assert [e.verb for e in sorted(entries, key=lambda e: e.pk)] == ["step.sent", "step.verified"]

    def test_it_is_one_wrong_try_and_the_colleague_gets_in(self):
        self.leave()
        assert len(self.user.wrong_passwords) == 1
        assert self.user.locked_until is None
        assert self.world.gets_in(self.account, self.ben)

    def test_no_password_is_in_anything_that_was_kept_of_it(self):
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        kept = f"{step.was} {step.problem} {step.request_ids}"
        new = self.world.password_at_microsoft(self.account)
        assert self.old not in kept
        assert new not in kept

    def test_the_run_is_clean_after_the_second_look(self):
        self.leave()
        self.later(minutes=66)
        assert self.world.state(self.run) == RunState.CLEAN


class WhenTheOldPasswordStillSignsIn(Scene):
    """The directory says that the password was changed, and takes the old one all the same."""

    asks = {"try_password": True}

    @pytest.fixture(autouse=True)
    def _takes_everything(self, _scene: None) -> None:
        real = self.outside.directory_for

        class TakesEverything:
            def __init__(self, directory: Any) -> None:
                self.directory = directory

            def __getattr__(self, name: str) -> Any:
                return getattr(self.directory, name)

            def try_sign_in(self, account: AccountRef, password: str, *, keep_session: bool = False) -> SignInAnswer:
                return SignInAnswer(ProbeResult.PASSWORD_ACCEPTED, "AADSTS50076")

        self.honest = self.outside
        self.outside = replace(self.outside, directory_for=lambda *way: TakesEverything(real(*way)))

    def test_the_run_needs_attention_and_a_finding_says_so_loudly(self):
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.UNVERIFIED
        assert "THE OLD PASSWORD STILL SIGNS IN" in step.problem
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        finding = Finding.objects.open().get(kind=Finding.Kind.RUN_PROBLEM, account=self.account)
        assert "STILL SIGNS IN" in finding.detail

    def test_it_is_not_tried_again_by_itself(self):
        self.leave()
        tried_at = self.step(StepKind.TRY_PASSWORD).sent_at
        self.later(hours=5)
        assert self.step(StepKind.TRY_PASSWORD).sent_at == tried_at

    def test_a_person_may_have_it_tried_again(self):
        self.leave()
        self.outside = self.honest
        assert retry_target(Target.objects.get(run=self.run), by=self.world.owner) == 1
        self.world.work(self.run, outside=self.outside)
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.VERIFIED
        assert self.world.steps(self.run)[StepKind.RESHARE] == StepState.VERIFIED


class WhenAWrongPasswordWasTriedWithinTheHour(Scene):
    asks = {"try_password": True}

    def test_the_try_waits_for_its_hour_and_holds_up_nothing_else(self):
        Secret.objects.filter(account=self.account).update(wrong_try_at=timezone.now() - dt.timedelta(minutes=10))
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.PLANNED
        assert "within the hour" in step.problem
        assert dt.timedelta(minutes=49) < step.due_at - timezone.now() < dt.timedelta(minutes=51)
        assert self.step(StepKind.RESHARE).status == StepState.VERIFIED
        assert self.user.wrong_passwords == []
        self.later(minutes=52)
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.VERIFIED


class WhenTheSignInGivesNoClearAnswer(Scene):
    asks = {"try_password": True}

    def test_a_locked_account_gets_no_wrong_try_and_a_person_is_asked(self):
        self.user.locked_until = self.world.cloud.now() + dt.timedelta(hours=1)
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.BLOCKED
        assert "AADSTS50053" in step.problem
        assert self.user.wrong_passwords == []
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION

    def test_a_person_can_accept_the_gap_and_it_is_an_exception_then(self):
        self.user.locked_until = self.world.cloud.now() + dt.timedelta(hours=1)
        self.leave()
        waive_step(self.step(StepKind.TRY_PASSWORD), by=self.world.owner, reason="the customer locked it")
        self.later(minutes=66)
        assert self.world.state(self.run) == RunState.CLEAN_WITH_EXCEPTIONS

    def test_after_the_new_password_was_changed_elsewhere_the_old_one_is_not_tried(self):
        directory_for = self.outside.directory_for

        def changes_it_first(*way: Any) -> Any:
            directory = directory_for(*way)
            ask = directory.try_sign_in

            def try_sign_in(account: AccountRef, password: str, *, keep_session: bool = False) -> SignInAnswer:
                if self.user.password == password:
                    self.user.password = "Somebody-elses-1!"
                return ask(account, password, keep_session=keep_session)

            directory.try_sign_in = try_sign_in  # type: ignore[method-assign]
            return directory

        self.outside = replace(self.outside, directory_for=changes_it_first)
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.BLOCKED
        assert "the old one was not tried" in step.problem
        assert len(self.user.wrong_passwords) == 1


class WhenTheInstallationForbidsTries(Scene):
    asks = {"try_password": True}
    may_try = False

    def test_the_step_says_which_setting_would_allow_it(self):
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.BLOCKED
        assert "LATCHKEY_SIGN_IN_PROBE" in step.problem
        assert self.user.wrong_passwords == []


class WhenNoOldPasswordIsKnown(Scene):
    asks = {"try_password": True}

    def test_there_is_nothing_to_try_and_it_says_so_and_is_not_called_proven(self):
        SecretVersion.objects.all().delete()
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.NEEDLESS
        assert "none can be tried" in step.problem
        assert step.verified_at is None


class WhenThePasswordWasNotChanged(Scene):
    asks = {"try_password": True}

    def test_no_old_one_is_tried_on_a_synced_account(self):
        self.user.synced = True
        self.leave()
        assert self.step(StepKind.ROTATE_PASSWORD).status == StepState.BLOCKED
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.NEEDLESS
        assert self.user.wrong_passwords == []

    def test_while_the_change_is_unproven_the_try_waits_for_the_proof(self):
        self.world.cloud.knobs.set(read_lag=3600)
        self.leave()
        assert self.step(StepKind.ROTATE_PASSWORD).status == StepState.UNVERIFIED
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.BLOCKED
        assert self.user.wrong_passwords == []
        self.world.cloud.knobs.set(read_lag=0)
        self.user.past.clear()
        Target.objects.update(due_at=timezone.now())
        self.world.work(self.run, outside=self.outside)
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.VERIFIED


class WhenTheAnswerToATryIsLost(Scene):
    asks = {"try_password": True}

    def lose(self, times: int) -> None:
        real, lost = self.outside.directory_for, {"left": times}

        def losing(*way: Any) -> Any:
            directory = real(*way)
            ask = directory.try_sign_in

            def try_sign_in(account: AccountRef, password: str, *, keep_session: bool = False) -> SignInAnswer:
                told = ask(account, password, keep_session=keep_session)
                if told.refused and lost["left"]:
                    lost["left"] -= 1
                    raise Unreachable("The answer was lost.", code="lost")
                return told

            directory.try_sign_in = try_sign_in  # type: ignore[method-assign]
            return directory

        self.outside = replace(self.outside, directory_for=losing)

    def test_the_next_try_is_an_hour_later(self):
        self.lose(1)
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.PLANNED
        assert step.due_at - timezone.now() > dt.timedelta(minutes=58)
        self.later(minutes=61)
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.VERIFIED

    def test_after_some_tries_a_person_is_asked(self):
        self.lose(9)
        self.leave()
        for hours in (1.1, 2.2, 3.3):
            self.later(hours=hours)
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.BLOCKED

    def test_a_worker_that_died_after_sending_leaves_a_question_and_no_second_try_within_the_hour(self):
        self.leave()
        step = self.step(StepKind.TRY_PASSWORD)
        type(step).objects.filter(pk=step.pk).update(status=StepState.SENDING, verified_at=None)
        self.later(minutes=1)
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.SENDING
        Target.objects.update(due_at=timezone.now())
        self.world.work(self.run, outside=self.outside)
        step = self.step(StepKind.TRY_PASSWORD)
        assert step.status == StepState.PLANNED
        assert "the answer was lost" in step.problem
        self.later(minutes=62)
        assert self.step(StepKind.TRY_PASSWORD).status == StepState.VERIFIED


class WhenAnOldSessionIsTried(Scene):
    asks = {"try_session": True}

    def test_one_that_was_opened_before_the_change_is_refused_after_it_and_not_kept(self):
        self.no_second_factor_is_asked_for()
        self.leave()
        step = self.step(StepKind.TRY_SESSION)
        assert step.status == StepState.VERIFIED
        assert step.was["code"] in ("AADSTS50173", "AADSTS50133")
        assert "refused" in step.was["said"]
        assert step.sealed is None
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR

    def test_where_a_second_factor_is_asked_for_none_can_be_opened_and_it_says_so(self):
        self.leave()
        step = self.step(StepKind.TRY_SESSION)
        assert step.status == StepState.NEEDLESS
        assert "AADSTS50076" in step.problem
        assert step.verified_at is None

    def test_one_that_still_goes_on_needs_attention_and_is_tried_again_until_it_is_refused(self):
        self.no_second_factor_is_asked_for()
        self.world.cloud.knobs.set(read_lag=3600)
        self.run = self.world.offboard(self.ana).run
        self.world.work(self.run, outside=self.outside)
        step = self.step(StepKind.TRY_SESSION)
        assert step.status == StepState.BLOCKED
        assert step.sealed is not None
        assert b"0." not in bytes(step.sealed)[:2]
        self.world.cloud.knobs.set(read_lag=0)
        self.user.past.clear()
        self.user.sessions_valid_from = self.user.password_changed_at = timezone.now()
        ended = {"at": self.user.sessions_valid_from}
        for token in self.world.cloud.refresh_tokens.values():
            token.issued_at = ended["at"] + dt.timedelta(minutes=1)
        self.world.cloud.tenant(self.world.directory_id(self.account)).scopes[
            self.world.connection.client_id.lower()
        ] = ["User.Read"]
        Target.objects.update(due_at=timezone.now())
        self.world.work(self.run, outside=self.outside)
        step = self.step(StepKind.TRY_SESSION)
        assert step.status == StepState.UNVERIFIED
        assert "still goes on" in step.problem
        for token in self.world.cloud.refresh_tokens.values():
            token.issued_at = ended["at"] - dt.timedelta(minutes=1)
        Target.objects.update(due_at=timezone.now())
        self.world.work(self.run, outside=self.outside)
        assert self.step(StepKind.TRY_SESSION).status == StepState.VERIFIED

    def test_trouble_with_opening_one_never_holds_up_the_change(self):
        self.world.cloud.tenant(self.world.directory_id(self.account)).policies.conditional_access.append(
            {"state": "enabled", "blocks": "ropc"}
        )
        self.leave()
        assert self.step(StepKind.ROTATE_PASSWORD).status == StepState.VERIFIED
        assert self.step(StepKind.TRY_SESSION).status == StepState.NEEDLESS


class WhenAnOldCodeIsAskedAbout(Scene):
    asks = {"try_code": True}

    def test_of_a_seed_that_was_never_here_nothing_is_claimed(self):
        self.leave()
        step = self.step(StepKind.TRY_CODE)
        assert step.status == StepState.NEEDLESS
        assert "not here" in step.problem


class WhenTheTokenWasMadeHere(TokenDesk):
    """Ana's authenticator is a token of ours, so its serial number stands in the tenant's inventory."""

    def leave(self) -> Any:
        DeparturePolicy.objects.create(reseller=self.world.reseller, try_code=True)
        self.enrolled()
        self.left = self.world.offboard(self.ana).run

    def test_that_no_code_of_it_is_taken_is_read_in_the_inventory_and_it_is_said_that_none_was_tried(self):
        self.leave()
        self.world.work(self.left)
        step = self.world.step(self.left, StepKind.TRY_CODE)
        assert step.status == StepState.VERIFIED
        assert "No code was tried" in step.was["said"]
        assert step.was["serials"]
        assert step.was["still_assigned"] == []

    def test_one_that_is_still_assigned_needs_attention_until_it_is_taken_off(self):
        self.leave()
        token, user = self.inventory[0], self.account.object_id
        real = self.world.outside.registrar_for

        class StillAssigned:
            def tokens(self, *, serial: str = "") -> Any:
                return iter([HardwareToken(token.id, token.serial, "", TokenStatus.ACTIVATED, user)])

        outside = replace(self.world.outside, registrar_for=lambda *way: StillAssigned())
        self.world.work(self.left, outside=outside)
        step = self.world.step(self.left, StepKind.TRY_CODE)
        assert step.status == StepState.UNVERIFIED
        assert token.serial in step.problem
        assert self.world.state(self.left) == RunState.NEEDS_ATTENTION
        Target.objects.filter(run=self.left).update(due_at=timezone.now())
        self.world.work(self.left, outside=replace(outside, registrar_for=real))
        assert self.world.step(self.left, StepKind.TRY_CODE).status == StepState.VERIFIED

    def test_an_inventory_that_cannot_be_read_is_an_exception(self):
        self.leave()
        closed = Outside(directory_for=self.world.outside.directory_for, vault=self.world.outside.vault)
        outside = replace(self.world.outside, registrar_for=closed.registrar_for)
        self.world.work(self.left, outside=outside)
        step = self.world.step(self.left, StepKind.TRY_CODE)
        assert step.status == StepState.BLOCKED
        assert "cannot be read" in step.problem


class WhenHistoryIsAnyhow:
    """Many leave one after another, at any distance, with retries, locks and lost answers in between."""

    @settings(
        max_examples=8, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(
        history=st.lists(
            st.tuples(st.sampled_from([1, 20, 59, 61, 180]), st.sampled_from(["leave", "retry", "look", "lost"])),
            min_size=6,
            max_size=14,
        )
    )
    def test_no_account_ever_gets_two_wrong_tries_in_an_hour_and_the_colleague_gets_in(
        self, world: World, history: list[tuple[int, str]]
    ):
        number = Tenant.objects.count()
        DeparturePolicy.objects.update_or_create(reseller=world.reseller, defaults=ALL)
        graph = Graph(replace(world.connection, sign_in_probe=True))
        tries: list[dt.datetime] = []
        lose = {"next": False}

        def watched(*way: Any) -> Any:
            directory = graph.directory(*way)
            ask = directory.try_sign_in

            def try_sign_in(account: AccountRef, password: str, *, keep_session: bool = False) -> SignInAnswer:
                told = ask(account, password, keep_session=keep_session)
                if told.refused:
                    tries.append(timezone.now())
                    if lose["next"]:
                        lose["next"] = False
                        raise Unreachable("The answer was lost.", code="lost")
                return told

            directory.try_sign_in = try_sign_in  # type: ignore[method-assign]
            return directory

        outside = replace(world.outside, directory_for=watched, registrar_for=graph.registrar)
        ben = world.technician(f"Ben{number}")
        account = world.account(world.tenant(f"Tenant {number}"))
        world.give(account, ben)
        now, runs = timezone.now(), []
        for place, (minutes, what) in enumerate(history):
            now += dt.timedelta(minutes=minutes)
            with time_machine.travel(now, tick=True):
                if what == "leave":
                    leaver = world.technician(f"Leaver{number}x{place}")
                    world.give(account, leaver)
                    runs.append(world.offboard(leaver).run)
                elif what == "retry" and runs:
                    retry_target(Target.objects.get(run=runs[-1]), by=world.owner)
                lose["next"] = what == "lost"
                for run in runs:
                    Target.objects.filter(run=run, due_at__isnull=False).update(due_at=timezone.now())
                    world.work(run, outside=outside)
        user = world.cloud.user(world.directory_id(account), account.object_id)
        apart = [later - earlier for earlier, later in itertools.pairwise(tries)]
        assert all(gap >= dt.timedelta(minutes=59) for gap in apart)
        assert user.locked_until is None
        assert world.gets_in(account, ben)
