"""Somebody changes the shared password at Microsoft: Latchkey notices, says so, and can take the account back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from msp.ledger.models import Entry
from technicians.actions.enter_password import enter_password
from technicians.actions.reveal_password import reveal_password
from tenants.actions.change_due_passwords import change_due_passwords
from tenants.actions.observe_account import observe_account
from tenants.actions.rotate import rotate
from tenants.models import ChangeDemand, Finding, PasswordPolicy, Run, Secret, SecretVersion, SharedAccount
from tenants.plans import RunState
from tests.support.world import World

THEIRS = "Somebody-elses-1!"


class Scene:
    """Ben holds Contoso's shared account, which was read once."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ben = world.technician("Ben")
        self.account: SharedAccount = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ben)

    def change_at_microsoft(self, password: str = THEIRS) -> None:
        self.world.cloud.advance(120)
        self.world.cloud.change_password_as_person(
            self.world.directory_id(self.account), self.account.object_id, password
        )

    def read(self) -> None:
        observe_account(
            SharedAccount.objects.select_related("tenant").get(pk=self.account.pk), outside=self.world.outside
        )

    def status(self) -> str:
        return SecretVersion.objects.in_force().get(secret__account=self.account).status

    def open_findings(self) -> list[str]:
        return [f.kind for f in Finding.objects.open().filter(account=self.account)]


class WhenThePasswordIsChangedOutside(Scene):
    @pytest.fixture(autouse=True)
    def _changed(self, _scene: None) -> None:
        self.read()
        self.change_at_microsoft()
        self.read()

    def test_the_version_is_doubtful_and_a_finding_says_so(self):
        assert self.status() == SecretVersion.Status.DOUBTFUL
        assert Finding.Kind.PASSWORD_DOUBTFUL in self.open_findings()
        assert Entry.objects.filter(verb="password.doubtful").count() == 1

    def test_reading_again_says_it_once(self):
        self.read()
        self.read()
        assert Entry.objects.filter(verb="password.doubtful").count() == 1
        assert self.open_findings().count(Finding.Kind.PASSWORD_DOUBTFUL) == 1

    def test_a_reveal_still_gives_it_with_its_state(self):
        [shown] = reveal_password(self.ben, self.account, reason="look", outside=self.world.outside)
        assert shown.version.status == SecretVersion.Status.DOUBTFUL

    def test_nothing_changes_by_itself_unless_the_policy_says_so(self):
        assert change_due_passwords() == 0

    def test_one_rotation_takes_the_account_back(self):
        run = rotate([self.account], by=self.world.owner, reason="taken back")
        self.world.work(run)
        assert self.world.state(run) == RunState.CLEAN
        assert self.world.passwords_known(self.account) == {"current": self.world.password_at_microsoft(self.account)}
        assert self.world.password_at_microsoft(self.account) != THEIRS
        assert Finding.Kind.PASSWORD_DOUBTFUL not in self.open_findings()
        assert self.world.gets_in(self.account, self.ben)

    def test_after_that_reading_again_raises_no_doubt(self):
        self.world.work(rotate([self.account], by=self.world.owner, reason="taken back"))
        self.read()
        assert self.status() == SecretVersion.Status.CURRENT

    def test_whoever_knows_the_new_one_enters_it_and_the_doubt_is_over(self):
        enter_password(
            self.account, THEIRS, by=self.ben, reason="the customer told me", corrects=False, outside=self.world.outside
        )
        self.read()
        assert self.world.passwords_known(self.account) == {"current": THEIRS}
        assert Finding.Kind.PASSWORD_DOUBTFUL not in self.open_findings()


class WhenThePolicyTakesAccountsBack(Scene):
    @pytest.fixture(autouse=True)
    def _policy(self, _scene: None) -> None:
        PasswordPolicy.objects.create(reseller=self.world.reseller, rotate_after_drift=True)
        self.read()

    def test_the_change_is_demanded_and_made_by_the_clock(self):
        self.change_at_microsoft()
        self.read()
        assert ChangeDemand.objects.open().get().because == ChangeDemand.Because.DRIFT
        assert change_due_passwords() == 1
        run = Run.objects.get(kind=Run.Kind.ROTATION)
        assert run.requested_by is None
        self.world.work(run)
        assert self.world.passwords_known(self.account) == {"current": self.world.password_at_microsoft(self.account)}
        assert not ChangeDemand.objects.open().exists()
        assert Secret.objects.get(account=self.account).next_change_at is None

    def test_a_break_glass_account_is_never_touched(self):
        SharedAccount.objects.filter(pk=self.account.pk).update(break_glass=True)
        self.change_at_microsoft()
        self.read()
        assert Finding.Kind.PASSWORD_DOUBTFUL in self.open_findings()
        assert change_due_passwords() == 0
        assert not Run.objects.exists()


class WhenNobodyElseChangedIt(Scene):
    def test_our_own_rotation_raises_no_doubt_however_late_the_readings_are(self):
        self.read()
        self.world.cloud.knobs.set(read_lag=3)
        run = rotate([self.account], by=self.world.owner, reason="quarter")
        for _ in range(4):
            self.world.work(run)
            self.read()
            self.world.cloud.advance(2)
            run.targets.filter(due_at__isnull=False).update(due_at=timezone.now())
        self.world.cloud.knobs.set(read_lag=0)
        self.read()
        assert self.status() == SecretVersion.Status.CURRENT

    def test_a_replica_that_is_behind_raises_no_doubt(self):
        run = rotate([self.account], by=self.world.owner, reason="quarter")
        self.world.work(run)
        here = SharedAccount.objects.get(pk=self.account.pk).password_changed_at
        assert here is not None
        for seconds in (3600, 0):
            self.world.cloud.knobs.set(read_lag=seconds)
            self.read()
        assert SharedAccount.objects.get(pk=self.account.pk).password_changed_at == here
        assert self.status() == SecretVersion.Status.CURRENT

    def test_an_import_after_the_last_change_raises_no_doubt_at_the_first_reading(self):
        account = self.world.account(self.world.tenant("Fabrikam"))
        observe_account(account, outside=self.world.outside)
        assert SecretVersion.objects.in_force().get(secret__account=account).status == SecretVersion.Status.CURRENT

    def test_an_import_before_the_last_change_does(self):
        account = self.world.account(self.world.tenant("Fabrikam"))
        SecretVersion.objects.filter(secret__account=account).update(current_from=timezone.now() - timedelta(days=2))
        observe_account(account, outside=self.world.outside)
        assert SecretVersion.objects.in_force().get(secret__account=account).status == SecretVersion.Status.DOUBTFUL
