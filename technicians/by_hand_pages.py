"""What the page of one step in a guided place shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from technicians.models import Assignment, Technician
from tenants.actions.state_step import may_state
from tenants.guided_plans import CONFIRMS, instructions, name_of, whose_turn
from tenants.guided_queries import did_a_part
from tenants.models import SecretVersion, Step
from tenants.plans import StepKind, StepState


@dataclass(frozen=True)
class StepPage:
    """One step with its neighbours. `may_state` is False while it is not its turn, and for whoever may not.

    `for_others` says that the reader did a part of what is to be confirmed; `holds` that the reader gets the password.
    """

    step: Step
    steps: list[Step]
    waiting: Step | None
    instructions: list[str | Promise]
    may_state: bool
    for_others: bool
    holds: bool
    may_see_run: bool
    owner: Technician | None
    shown_to: list[str]

    @property
    def name(self) -> str:
        return str(name_of(self.step.kind))

    @property
    def waiting_name(self) -> str:
        return str(name_of(self.waiting.kind)) if self.waiting else ""

    @property
    def named_steps(self) -> list[tuple[str, Step]]:
        return [(str(name_of(step.kind)), step) for step in self.steps]

    @property
    def is_turn(self) -> bool:
        return self.waiting is not None and self.waiting.pk == self.step.pk

    @property
    def changes_password(self) -> bool:
        return self.step.kind == StepKind.ROTATE_PASSWORD

    @property
    def confirms(self) -> bool:
        return self.step.kind == CONFIRMS

    @property
    def is_held(self) -> bool:
        """The run is paused, and this step was not begun."""
        return self.step.target.run.is_paused and self.step.status == StepState.PLANNED and not self.confirms


def step_page(step: Step, reader: Technician) -> StepPage:
    """Call it only for a step that the reader may see; with its target, account and method loaded."""
    account = step.target.account
    steps = list(step.target.steps.select_related("stated_by", "method").order_by("position"))
    waiting = whose_turn(steps)
    holds = Assignment.objects.live().filter(technician=reader, account=account).exists() and reader.may("reveal")
    return StepPage(
        step=step,
        steps=steps,
        waiting=waiting,
        instructions=instructions(account.tenant.system, step.kind),
        may_state=may_state(reader, account),
        for_others=step.kind == CONFIRMS and did_a_part(steps, reader),
        holds=holds,
        may_see_run=reader.may("see_runs"),
        owner=_owner(step),
        shown_to=_shown_to(step.version_id),
    )


def _owner(step: Step) -> Technician | None:
    key: Any = getattr(step.method, "authenticator", None)
    return key.technician if key else None


def _shown_to(version_id: Any) -> list[str]:
    """Who was shown the new password, in the order of their names."""
    if version_id is None:
        return []
    version = SecretVersion.objects.get(pk=version_id)
    return sorted({str(reveal.technician) for reveal in version.reveals.select_related("technician")})
