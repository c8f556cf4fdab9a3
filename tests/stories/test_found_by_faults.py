"""What the fault harness found, each reduced to one small story."""

from __future__ import annotations

from dataclasses import replace

from technicians.actions.assign import assign
from tenants.actions.mend import retry_target
from tenants.actions.observe_account import observe_account
from tenants.actions.work_target import work_target
from tenants.models import SecretVersion, Step
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World


class WhenAPersonTriesAgainWhileAWorkerEndsItsWork:
    """Ana's was the last way in, Ben has enrolled meanwhile, and a person tries again in just that moment."""

    def test_the_account_stays_due_at_once(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana)
        target = world.offboard(ana).run.targets.get()
        world.give(account, ben)

        def a_person_tries_again(_version: SecretVersion) -> None:
            retry_target(target, by=world.owner)

        work_target(target.pk, outside=replace(world.outside, tell_holders=a_person_tries_again))
        world.work(target.run)
        assert world.steps(target.run)[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert world.state(target.run) == RunState.CLEAN_SO_FAR


class WhenSomebodyElseHasChangedThePasswordBeforeItIsHandedOver:
    """Ana's removal was held back, so the run is tried again; by then a stranger has changed the password."""

    def test_the_run_comes_to_rest_and_says_so(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana)
        assign(ben, account, by=world.owner, reason="on the team")
        run = world.offboard(ana).run
        world.work(run)
        world.cloud.advance(2)
        world.cloud.change_password_as_person(world.directory_id(account), account.object_id, "Of-Somebody-Else-1!")
        observe_account(account, outside=world.outside)
        world.enrol(account, ben)
        retry_target(run.targets.get(), by=world.owner)
        world.work(run)
        assert world.state(run) == RunState.NEEDS_ATTENTION
        assert not Step.objects.filter(target__run=run, kind=StepKind.RESHARE, status=StepState.PLANNED).exists()


class WhenAStrangersMethodComesBetweenTheDecisionAndTheFirstReading:
    """Whoever leaves still knows the password for as long as a tenant keeps Latchkey waiting."""

    def test_the_run_is_not_called_clean(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana, ben)
        run = world.offboard(ana).run
        world.cloud.register(world.directory_id(account), account.object_id, "software_oath", "a second phone of Ana's")
        world.work(run)
        assert world.state(run) == RunState.NEEDS_ATTENTION
