"""Which accounts of a run a reader wants to see: read from the address, so that it survives reload and polling."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from tenants.clock_queries import with_access_left
from tenants.models import SharedAccount, Step, within
from tenants.models.run import FOR_A_PERSON, UNDER_WAY
from tenants.plans import StepKind, StepState

EXCEPTIONS = (StepState.WAIVED, StepState.STATED, StepState.CANCELLED)
LONGEST_TEXT = 200


class Show(TextChoices):
    """Parts of a run."""

    PERSON = "person", _("A person has to decide")
    UNDER_WAY = "under_way", _("Under way")
    OVERDUE = "overdue", _("Past the deadline")
    EXCEPTIONS = "exceptions", _("Accepted, stated or cancelled")
    DONE = "done", _("Read back and found so")


@dataclass(frozen=True)
class RunFilters:
    """`show` is a value of Show or "", `q` a part of a tenant, customer or account, `mine` "1" for those I hold."""

    show: str = ""
    q: str = ""
    mine: str = ""

    @classmethod
    def read(cls, given: Any) -> RunFilters:
        """Anything can stand in an address; what is no filter narrows nothing."""
        show = given.get("show", "")
        return cls(
            show=show if show in Show.values else "",
            q=given.get("q", "").replace("\x00", "").strip()[:LONGEST_TEXT],
            mine="1" if given.get("mine") else "",
        )

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def narrow(self, targets: Any, user: Any, now: dt.datetime) -> Any:
        if self.q:
            place = Q(account__tenant__default_domain__icontains=self.q)
            place |= Q(account__tenant__customer__name__icontains=self.q)
            targets = targets.filter(place | Q(account__user_principal_name__icontains=self.q))
        if self.mine:
            mine = SharedAccount.objects.filter(
                within("assignments", now, start="from_at", end="until_at"), assignments__technician=user.pk
            )
            targets = targets.filter(account__in=mine.values("pk"))
        return targets.filter(_part(Show(self.show), now)) if self.show else targets


def _part(show: Show, now: dt.datetime) -> Q:
    steps = Step.objects.filter(target=OuterRef("pk"))
    waits = Exists(steps.filter(status__in=FOR_A_PERSON))
    moves = Exists(steps.filter(status__in=UNDER_WAY).exclude(kind=StepKind.SECOND_LOOK))
    excepted = Exists(steps.filter(status__in=EXCEPTIONS))
    if show == Show.PERSON:
        return Q(waits)
    if show == Show.UNDER_WAY:
        return Q(moves)
    if show == Show.OVERDUE:
        return Q(with_access_left()) & Q(deadline_at__lte=now)
    if show == Show.EXCEPTIONS:
        return Q(excepted)
    return ~Q(waits) & ~Q(moves) & ~Q(excepted)
