"""What a person answers for here: it needs another owner when they leave."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from technicians.departure_queries import Place, accounts_in
from technicians.duty_plans import names
from technicians.models import TakeOver, Technician
from tenants.models import SharedAccount

Status = TakeOver.Status


@dataclass(frozen=True)
class Duties:
    """Open take-overs of which the person is the owner, and accounts whose owner is named as this person."""

    take_overs: list[TakeOver]
    accounts: list[SharedAccount]

    @property
    def count(self) -> int:
        return len(self.take_overs) + len(self.accounts)


def duties_of(person: Technician, only: Collection[Any] | None = None) -> Duties:
    """`only` these accounts, by id, and then no take-overs: the person stays."""
    owned = SharedAccount.objects.filter(
        Q(owner__icontains=person.name) | Q(owner__icontains=person.email), reseller_id=person.reseller_id
    ).exclude(owner="")
    if only is not None:
        owned = owned.filter(pk__in=only)
    accounts = [account for account in owned if names(account.owner, person.name, person.email)]
    if accounts and _shares_the_name(person):
        accounts = [account for account in accounts if names(account.owner, "", person.email)]
    take_overs = TakeOver.objects.filter(owner=person, status__in=[Status.OPEN, Status.REMOVING])
    return Duties([] if only is not None else list(take_overs), accounts)


def _shares_the_name(person: Technician) -> bool:
    """Then a name alone may mean the other one, who stays."""
    others = Technician.objects.active().filter(reseller_id=person.reseller_id, name__iexact=person.name)
    return bool(others.exclude(pk=person.pk).exists())


def duties_of_all(people: Iterable[Technician], place: Place | None = None) -> Duties:
    """The same for several; with a place they stay, and only owners named on the accounts there count."""
    only = accounts_in(place)
    each = [duties_of(person, only) for person in people]
    return Duties([t for duties in each for t in duties.take_overs], [a for duties in each for a in duties.accounts])
