"""What somebody who leaves answered for here goes to whoever was named, so that nothing is left without an owner."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from technicians.duty_plans import name_in_place_of
from technicians.duty_queries import Duties, duties_of
from technicians.models import DepartureRequest, Role, TakeOver, Technician
from tenants.models import SharedAccount


@dataclass(frozen=True)
class HandedOver:
    """How many moved; `left` counts what has no owner now."""

    take_overs: int = 0
    accounts: int = 0
    requests: int = 0
    left: int = 0


def demand_may_succeed(
    successor: Technician, leavers: Sequence[Technician], *, reseller_id: UUID, takes_over: bool
) -> None:
    """Raises BadInput: gone, a stranger, a leaver, or a role that cannot look after a take-over which is to move."""
    stranger = successor.reseller_id != reseller_id
    if stranger or not successor.is_active or successor.role == Role.CUSTOMER_CONTACT:
        raise BadInput(
            _("%(name)s cannot succeed anybody; choose somebody active. Nothing was changed.") % {"name": successor}
        )
    if any(successor.pk == leaver.pk for leaver in leavers):
        raise BadInput(
            _("%(name)s is leaving as well; choose somebody who stays. Nothing was changed.") % {"name": successor}
        )
    if takes_over and not successor.may("enrol") and any(duties_of(leaver).take_overs for leaver in leavers):
        raise BadInput(
            _(
                "A take-over has to go to somebody who may enrol others, and the role of %(name)s may not. "
                "Choose an owner or a manager, or give the take-over another owner first. Nothing was changed."
            )
            % {"name": successor}
        )


@transaction.atomic
def hand_over_duties(
    leavers: Sequence[Technician],
    to: Technician | None,
    *,
    by: Technician | None,
    request: DepartureRequest,
    only: Collection[Any] | None = None,
) -> HandedOver:
    """Open take-overs, the owner named on accounts, and requests in which a leaver is the successor.

    `only` are the ids of the accounts concerned when the leavers stay: then only the owners of those change.
    It never stands in the way of a departure: what cannot move is counted as left. Raises LedgerClosed.
    """
    if to is not None and (not to.is_active or to in leavers):
        to = None
    done = [_of_one(leaver, to, duties_of(leaver, only), stays=only is not None) for leaver in leavers]
    moved = HandedOver(*(sum(values) for values in zip(*(vars(each).values() for each in done), strict=True)))
    if moved != HandedOver():
        record(
            "duties.handed_over",
            reseller_id=request.reseller_id,
            actor=by,
            technician_id=leavers[0].pk if len(leavers) == 1 else None,
            request=str(request.pk),
            leavers=[leaver.email for leaver in leavers],
            to=to.email if to else None,
            **vars(moved),
        )
    return moved


def _of_one(leaver: Technician, to: Technician | None, duties: Duties, *, stays: bool) -> HandedOver:
    requests = 0 if stays else _other_requests(leaver, to)
    if to is None:
        return HandedOver(requests=requests, left=duties.count)
    take_overs = 0
    if to.may("enrol"):
        take_overs = TakeOver.objects.filter(pk__in=[each.pk for each in duties.take_overs]).update(owner=to)
    for account in duties.accounts:
        account.owner = name_in_place_of(account.owner, leaver.name, leaver.email, new_name=to.name, new_email=to.email)
    SharedAccount.objects.bulk_update(duties.accounts, ["owner"], batch_size=500)
    return HandedOver(take_overs, len(duties.accounts), requests, len(duties.take_overs) - take_overs)


def _other_requests(leaver: Technician, to: Technician | None) -> int:
    """Departures to come in which the leaver would have succeeded somebody."""
    named = DepartureRequest.objects.open().filter(successor=leaver)
    if to is None:
        return named.update(successor=None)
    # Nobody succeeds themselves: where the new one is leaving too, nobody is named any more.
    own = DepartureRequest.objects.open().filter(leavers=to).values("pk")
    return named.filter(pk__in=own).update(successor=None) + named.exclude(pk__in=own).update(successor=to)
