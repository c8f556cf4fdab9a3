"""Who takes the authenticator places of accounts, as of their last reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.microsoft.ports import SLOT_KINDS
from technicians.capacity_plans import AccountPlaces, Taken, TakenPlace
from technicians.models import Enrolment
from tenants.models import Method, Registration, SharedAccount


def places_of(accounts: Iterable[SharedAccount]) -> dict[Any, AccountPlaces]:
    """By account id, in four queries however many accounts; they need `tenant__customer` loaded."""
    wanted = list(accounts)
    taken: defaultdict[Any, list[TakenPlace]] = defaultdict(list)
    for method in (
        Method.objects.present()
        .filter(account__in=wanted, kind__in=SLOT_KINDS)
        .select_related("authenticator__technician")
        .order_by("first_seen_at")
    ):
        taken[method.account_id].append(_taken_by(method))
    for enrolment in (
        Enrolment.objects.open()
        .filter(account__in=wanted, expires_at__gt=timezone.now())
        .select_related("technician")
        .order_by("requested_at")
    ):
        taken[enrolment.account_id].append(_under_way(enrolment.technician))
    # A token that is being made or taken away again holds its place, also when its enrolment is over.
    left_over = Registration.objects.under_way().filter(account__in=wanted)
    for registration in left_over.exclude(enrolment__status__in=Enrolment.OPEN).select_related("holder"):
        taken[registration.account_id].append(_under_way(registration.holder))
    return {
        account.pk: AccountPlaces(
            account_id=account.pk,
            account=account.user_principal_name,
            tenant=account.tenant.default_domain,
            customer=str(account.tenant.customer),
            taken=tuple(taken[account.pk]),
        )
        for account in wanted
    }


def _taken_by(method: Method) -> TakenPlace:
    what = f"{method.get_kind_display()} {method.label}".strip()
    bound = getattr(method, "authenticator", None)
    if bound is None:
        return TakenPlace(Taken.UNKNOWN, what)
    return TakenPlace(Taken.BOUND, what, bound.technician_id, str(bound.technician))


def _under_way(person: Any) -> TakenPlace:
    return TakenPlace(Taken.UNDER_WAY, _("Enrolment under way"), person.pk, str(person))
