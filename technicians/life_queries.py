"""What the life of a person's authenticators is planned from: methods that go, and what is left of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.db.models import Q

from msp.microsoft.ports import SLOT_KINDS, MethodKind
from technicians.models import Authenticator, LostDevice, Suspension, Technician
from technicians.plans import Holding
from technicians.queries import holdings_of
from technicians.removal_plans import only_methods, without
from tenants.models import Step
from tenants.models.run import UNDER_WAY
from tenants.plans import StepKind

ON_A_PHONE = SLOT_KINDS | {MethodKind.PASSWORDLESS_AUTHENTICATOR}
"""The kinds that live in an authenticator app and so stay behind on the old phone.

A passkey may lie on a key of its own, and a phone number moves with its card: neither is taken away for a new phone.
"""


def on_their_way_out(technician: Technician) -> set[Any]:
    """The ids of this person's methods that a run is removing now."""
    steps = Step.objects.filter(
        kind=StepKind.REMOVE_METHOD, status__in=UNDER_WAY, method__authenticator__technician=technician
    )
    return set(steps.values_list("method_id", flat=True))


def holdings_to_take(technician: Technician, only: Collection[Any] | None = None) -> list[Holding]:
    """Every account of the person, without the methods that go already; `only` these accounts, by id."""
    return without(holdings_of(technician, only), on_their_way_out(technician))


def app_methods_of(technician: Technician, *, except_for: Authenticator | None = None) -> set[Any]:
    """The ids of the methods that live in this person's phone; codes that are kept in the vault do not."""
    in_the_vault = Q(kept_code__ended_at__isnull=True, kept_code__until__isnull=True, kept_code__isnull=False)
    found = (
        Authenticator.objects.on_the_account()
        .filter(technician=technician, method__kind__in=ON_A_PHONE)
        .exclude(in_the_vault)
    )
    if except_for is not None:
        found = found.exclude(pk=except_for.pk)
    return set(found.values_list("method_id", flat=True))


def old_app_holdings(
    technician: Technician, only: Collection[Any] | None = None, *, except_for: Authenticator | None = None
) -> list[Holding]:
    """The accounts on which the person's old phone has a method that goes when the new one is there."""
    old = app_methods_of(technician, except_for=except_for)
    holdings = only_methods(holdings_to_take(technician, only), lambda method: method.id in old)
    # The person stays, so what they keep is a way in like anybody's.
    own = Authenticator.objects.of_those_who_stay().filter(technician=technician).exclude(method__in=old)
    kept = set(own.values_list("method_id", flat=True)) - on_their_way_out(technician)
    return [replace(h, ways_in=h.ways_in | (kept & h.present)) for h in holdings]


def open_suspension_of(technician: Technician) -> Suspension | None:
    found: Suspension | None = Suspension.objects.open().filter(technician=technician).first()
    return found


def latest_loss_of(technician: Technician) -> LostDevice | None:
    found: LostDevice | None = LostDevice.objects.filter(technician=technician).select_related("run").first()
    return found
