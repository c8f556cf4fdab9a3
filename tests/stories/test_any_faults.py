"""Law 1 as a property: whatever mixture of faults strikes, Latchkey never claims what is not so."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.models import Target, Tenant
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World

FAULT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            ["500", "503", "429", "timeout_before", "timeout_after_effect", "reset_before", "reset_after_effect"]
        ),
        "method": st.sampled_from(["", "PATCH", "DELETE", "POST"]),
        "skip": st.integers(0, 4),
        "times": st.integers(1, 3),
        "delay": st.just(0.05),
    }
)


class WhenAnyFaultsStrike:
    @settings(
        max_examples=40, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(faults=st.lists(FAULT, max_size=5), lies=st.booleans())
    def test_what_is_called_verified_is_so_and_a_way_in_is_always_known(
        self, world: World, faults: list[dict[str, Any]], lies: bool
    ):
        number = Tenant.objects.count()
        ana, ben = world.technician(f"Ana{number}"), world.technician(f"Ben{number}")
        world.cloud.faults.clear()
        world.cloud.knobs.reset()
        account = world.account(world.tenant(f"Tenant {number}"))
        world.give(account, ana, ben)
        hers = world.phones[account.pk, ana.pk].method_id
        others = world.methods_on(account) - {hers}
        run = world.offboard(ana).run

        world.cloud.knobs.set(lies=lies)
        world.cloud.faults.plan(*faults)
        for _ in range(12):
            Tenant.objects.update(busy_until=None)
            Target.objects.filter(run=run, due_at__isnull=False).update(due_at=timezone.now())
            world.work(run)

        states = world.steps(run)
        present = world.methods_on(account)
        if states[StepKind.REMOVE_METHOD] == StepState.VERIFIED:
            assert hers not in present
        assert others <= present
        known = world.passwords_known(account)
        assert world.password_at_microsoft(account) in known.values()
        if states[StepKind.ROTATE_PASSWORD] == StepState.VERIFIED:
            assert known == {"current": world.password_at_microsoft(account)}
        if world.state(run) in (RunState.CLEAN, RunState.CLEAN_SO_FAR):
            assert hers not in present
            assert set(states.values()) <= {StepState.VERIFIED, StepState.PLANNED}
            assert world.gets_in(account, ben)
        else:
            assert lies or faults
