"""Who may take access away from whom, and who may decide about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from technicians.models import DepartureRequest, Role, Technician
from tenants.models import Reach


def demand_may_offboard(technician: Technician, by: Technician) -> None:
    """Raises NotPermitted, and BadInput when the person has left already."""
    demand_sees_everything(by, reseller_id=technician.reseller_id)
    if technician.pk == by.pk:
        raise NotPermitted(_("Nobody offboards themselves: ask another manager. Nothing was changed."))
    if technician.role == Role.OWNER and by.role != Role.OWNER:
        raise NotPermitted(_("Only an owner may offboard an owner; nothing was changed."))
    if technician.status == Technician.Status.LEFT:
        raise BadInput(_("%(name)s has left already; look at that run. Nothing was changed.") % {"name": technician})


def demand_sees_everything(by: Technician, *, reseller_id: Any) -> None:
    """A departure may concern every tenant. Raises NotPermitted."""
    if not by.may("offboard") or by.reseller_id != reseller_id:
        raise NotPermitted(_("Your role may not offboard anybody; nothing was changed."))
    if by.reach != Reach.EVERYTHING:
        raise NotPermitted(
            _(
                "You see only some tenants, and a departure may concern every one. "
                "Ask somebody who sees all of them; nothing was changed."
            )
        )


def demand_may_decide(request: DepartureRequest, by: Technician) -> None:
    """Raises NotPermitted: no right, not everything seen, or a leaver."""
    demand_sees_everything(by, reseller_id=request.reseller_id)
    if request.about.filter(technician=by).exists():
        raise NotPermitted(_("Nobody decides about their own departure; nothing was changed."))


def lock_people(people: Iterable[Any]) -> list[Technician]:
    """Their rows, for this transaction ours alone; always in the same order, so that two of us cannot block for good.

    Two managers at once: the second waits here, and then finds what the first one did.
    """
    ids = [person.pk for person in people]
    return list(Technician.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk"))
