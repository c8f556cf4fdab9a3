"""A code of an authenticator that was taken away: what can be said of it where its seed was made here.

Microsoft judges codes at its sign-in page alone and offers no application a way to try one. So nothing is tried: the
tenant's inventory is read, in which each token that Latchkey made has its serial number.
"""

from __future__ import annotations

import datetime as dt

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import DirectoryError, NotSent
from msp.microsoft.enrolment_ports import HardwareToken
from tenants.actions.connection import give_connection_back
from tenants.actions.try_states import blocked, needless, proven, still_open
from tenants.actions.work import Work
from tenants.models import Registration, Step
from tenants.plans import StepKind, StepState

GONE = (StepState.VERIFIED, StepState.NEEDLESS)
MOST_LOOKS = 3
BETWEEN = dt.timedelta(minutes=1)


def try_code(work: Work, step: Step, steps: list[Step]) -> None:
    """Verified when no token of the removed authenticators is assigned to the account in the inventory any more."""
    removals = [s for s in steps if s.kind == StepKind.REMOVE_METHOD]
    unproven = next((s for s in removals if s.status == StepState.UNVERIFIED), None)
    if unproven is not None:
        blocked(work, step, _("The removal of an authenticator is not proven yet."), unproven)
        return
    gone = [s.method_id for s in removals if s.status in GONE]
    if not gone:
        needless(work, step, _("This run took no authenticator away, so no old code has to be refused."))
        return
    made_here = list(Registration.objects.filter(method__in=gone).order_by("serial"))
    if not made_here:
        needless(
            work,
            step,
            _(
                "No code can be tried: the seeds of these authenticators are not here. That they are gone from the "
                "account was read back."
            ),
        )
        return
    try:
        give_connection_back()
        found = _in_inventory(work, [registration.serial for registration in made_here])
    except NotSent as trouble:
        _later(work, step, str(trouble))
        return
    except DirectoryError as trouble:
        blocked(work, step, _("The inventory of tokens cannot be read. %(trouble)s") % {"trouble": trouble})
        return
    _judge(work, step, [registration.serial for registration in made_here], found)


def _in_inventory(work: Work, serials: list[str]) -> list[HardwareToken]:
    registrar = work.outside.registrar_for(*work.account.tenant.way)
    return [token for serial in serials for token in registrar.tokens(serial=serial) if token.serial == serial]


def _judge(work: Work, step: Step, serials: list[str], found: list[HardwareToken]) -> None:
    still = [token.serial for token in found if token.assigned_to == work.account.object_id]
    facts = {"serials": serials, "still_assigned": still}
    if still:
        problem = _(
            "The token %(serials)s is still assigned to this account in the tenant's inventory, so its codes may open "
            "the door. Take it off the account in the Entra admin center."
        )
        still_open(work, step, problem % {"serials": ", ".join(still)}, was=facts)
        return
    said = _(
        "No code was tried, since Microsoft offers no application a way to. Read instead: the token %(serials)s is not "
        "assigned to this account in the tenant's inventory any more, so that no code of it is taken."
    )
    proven(work, step, said % {"serials": ", ".join(serials)}, was=facts)


def _later(work: Work, step: Step, problem: str) -> None:
    if step.status == StepState.UNVERIFIED:
        return
    if step.looks + 1 >= MOST_LOOKS:
        blocked(work, step, problem)
        return
    with work.commit():
        step.looks, step.problem, step.due_at = step.looks + 1, problem, timezone.now() + BETWEEN
        step.save(update_fields=["looks", "problem", "due_at"])
