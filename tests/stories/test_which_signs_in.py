"""A change was sent and its answer never came, or the password was changed elsewhere: which one signs in?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from msp.microsoft.graph import graph_directories
from technicians.actions.settle_password import find_out_which_signs_in, settle_password
from tenants.actions.demand_change import demand_change
from tenants.actions.mend import retry_target
from tenants.actions.observe_account import observe_account
from tenants.actions.reconcile_password import Found
from tenants.actions.rotate import rotate
from tenants.models import ChangeDemand, PasswordPolicy, Run, Secret, SecretVersion, SharedAccount, Target
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World


class Scene:
    """Ben holds Contoso's shared account, whose rotation Microsoft accepted and did not show."""

    lies = True

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ben = world.technician("Ben")
        self.account: SharedAccount = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ben)
        self.old = world.password_at_microsoft(self.account)
        world.cloud.knobs.set(lies=self.lies, **({} if self.lies else {"read_lag": 3600}))
        self.run: Run = rotate([self.account], by=world.owner, reason="quarter")
        world.work(self.run)
        assert world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.UNVERIFIED
        world.cloud.knobs.set(lies=False, read_lag=0)
        self.probing = replace(
            world.outside, directory_for=graph_directories(replace(world.connection, sign_in_probe=True))
        )

    def version(self, status: str) -> SecretVersion:
        return SecretVersion.objects.select_related("secret__account__tenant").get(
            secret__account=self.account, status=status
        )

    def allow_tries(self) -> None:
        PasswordPolicy.objects.create(reseller=self.world.reseller, sign_in_probe=True)

    def find_out(self) -> tuple[Found, SecretVersion | None]:
        account = SharedAccount.objects.select_related("tenant").get(pk=self.account.pk)
        return find_out_which_signs_in(account, by=self.ben, outside=self.probing)

    def statuses(self) -> dict[int, str]:
        return dict(SecretVersion.objects.filter(secret__account=self.account).values_list("number", "status"))

    def tries(self) -> int:
        user = self.world.cloud.user(self.world.directory_id(self.account), self.account.object_id)
        return len(user.wrong_passwords)


class WhenMicrosoftDidNotChangeIt(Scene):
    def test_both_are_kept_and_labelled(self):
        assert self.statuses() == {1: "current", 2: "unverified"}

    def test_without_leave_of_the_policy_no_sign_in_is_tried(self):
        assert self.find_out()[0] == Found.NOT_KNOWN
        assert self.tries() == 0
        assert Secret.objects.get(account=self.account).wrong_try_at is None
        assert self.statuses() == {1: "current", 2: "unverified"}

    def test_a_try_finds_that_the_new_one_does_not_sign_in(self):
        self.allow_tries()
        found, version = self.find_out()
        assert (found, version.number, self.tries()) == (Found.DOES_NOT_SIGN_IN, 2, 1)
        assert self.statuses() == {1: "current", 2: "retired"}
        assert self.world.passwords_known(self.account) == {"current": self.old}

    def test_no_later_reading_calls_that_step_verified(self):
        self.allow_tries()
        self.find_out()
        self.world.cloud.change_password_as_person(
            self.world.directory_id(self.account), self.account.object_id, "Somebody-elses-1!"
        )
        Target.objects.update(due_at=timezone.now())
        self.world.work(self.run)
        assert self.world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.UNVERIFIED

    def test_there_is_one_wrong_try_in_an_hour_and_no_more(self):
        self.allow_tries()
        self.find_out()
        self.world.cloud.advance(120)
        self.world.cloud.change_password_as_person(
            self.world.directory_id(self.account), self.account.object_id, "Somebody-elses-1!"
        )
        account = SharedAccount.objects.select_related("tenant").get(pk=self.account.pk)
        observe_account(account, outside=self.world.outside)
        assert self.find_out()[0] == Found.NOT_KNOWN
        Secret.objects.update(wrong_try_at=timezone.now() - timezone.timedelta(minutes=61))
        assert self.find_out()[0] == Found.DOES_NOT_SIGN_IN

    def test_a_retry_makes_a_new_one_and_settles_it(self):
        self.allow_tries()
        self.find_out()
        retry_target(self.run.targets.get(), by=self.world.owner)
        self.world.work(self.run)
        assert self.world.state(self.run) == RunState.CLEAN
        assert self.world.passwords_known(self.account) == {"current": self.world.password_at_microsoft(self.account)}

    def test_a_person_who_tried_says_that_it_is_the_old_one(self):
        settle_password(self.version("current"), by=self.ben, reason="signed in with it")
        assert self.statuses() == {1: "current", 2: "retired"}
        retry_target(self.run.targets.get(), by=self.world.owner)
        self.world.work(self.run)
        assert self.world.passwords_known(self.account) == {"current": self.world.password_at_microsoft(self.account)}


class WhenMicrosoftChangedItAndDidNotShow(Scene):
    lies = False

    def test_the_reading_alone_settles_it(self):
        self.world.cloud.advance(3601)
        self.find_out()
        self.world.work(self.run)
        assert self.statuses() == {1: "retired", 2: "current"}
        assert self.version("current").proof == SecretVersion.Proof.READ_BACK

    def test_a_try_finds_that_the_new_one_signs_in(self):
        self.allow_tries()
        self.world.cloud.knobs.set(read_lag=3600)
        found, version = self.find_out()
        assert (found, version.number) == (Found.SIGNS_IN, 2)
        assert self.statuses() == {1: "retired", 2: "current"}
        assert self.version("current").proof == SecretVersion.Proof.SIGN_IN
        assert self.world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.VERIFIED
        assert Secret.objects.get(account=self.account).wrong_try_at is None

    def test_a_person_who_tried_says_that_it_is_the_new_one_and_that_is_no_proof(self):
        demand_change(self.account, ChangeDemand.Because.PERSON)
        settle_password(self.version("unverified"), by=self.ben, reason="signed in with it")
        assert self.statuses() == {1: "retired", 2: "current"}
        assert self.version("current").proof == SecretVersion.Proof.PERSON
        assert self.world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.UNVERIFIED
        assert ChangeDemand.objects.open().exists()

    def test_a_later_reading_proves_what_the_person_said(self):
        settle_password(self.version("unverified"), by=self.ben, reason="signed in with it")
        self.world.cloud.advance(3601)
        Target.objects.update(due_at=timezone.now())
        self.world.work(self.run)
        assert self.world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.VERIFIED
        assert self.version("current").proof == SecretVersion.Proof.READ_BACK


class WhoMaySay(Scene):
    def test_only_holders_and_whoever_may_change_passwords(self):
        with pytest.raises(NotPermitted):
            settle_password(self.version("unverified"), by=self.world.technician("Eve"), reason="guessed")
        assert self.statuses() == {1: "current", 2: "unverified"}

    def test_a_reason_is_asked(self):
        with pytest.raises(BadInput, match="how you know"):
            settle_password(self.version("unverified"), by=self.ben, reason=" ")

    def test_what_is_settled_is_not_settled_again(self):
        settle_password(self.version("current"), by=self.ben, reason="signed in with it")
        with pytest.raises(BadInput, match="settled already"):
            settle_password(self.version("current"), by=self.ben, reason="signed in with it")
        with pytest.raises(BadInput, match="nothing to find out"):
            self.find_out()
