"""What the pages about departure requests read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Case, Count, Q, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from technicians.departure_queries import place_of, those_who_may_approve, to_review_by, waiting_for
from technicians.departure_times import in_words
from technicians.difference_plans import Difference
from technicians.duty_queries import Duties, duties_of_all
from technicians.models import Approval, DepartureRequest, Role, Technician
from technicians.preview_queries import all_differences
from tenants.models import Reach, SharedAccount

Status = DepartureRequest.Status
NOTHING = Duties([], [])
MINE, REVIEW = "mine", "review"
SHOW = {
    "": _("All, open ones first"),
    MINE: _("Waiting for me"),
    REVIEW: _("To be reviewed"),
    **{str(status.value): status.label for status in Status},
}
"""The filters of the list of requests, by the word in the address."""


def requests_seen_by(user: Any, *, show: str = "") -> QuerySet[Any]:
    """Those that still wait for somebody or something first, then the newest; each with `agreed`, a number."""
    seen = {MINE: waiting_for, REVIEW: to_review_by}.get(show, DepartureRequest.objects.visible_to)(user)
    if show in Status.values:
        seen = seen.filter(status=show)
    is_open = Case(
        When(status__in=DepartureRequest.OPEN, then=Value(True)), default=Value(False), output_field=BooleanField()
    )
    return (
        seen.select_related("requested_by", "group", "account", "customer", "run")
        .prefetch_related("leavers")
        .annotate(is_open=is_open, agreed=Count("approvals", filter=Q(approvals__agrees=True)))
        .order_by("-is_open", "-requested_at", "pk")
    )


def number_for(user: Any) -> int:
    """How many requests want something of this person now: an approval or a review."""
    return int(waiting_for(user).count() + to_review_by(user).count())


@dataclass(frozen=True)
class RequestPage:
    """One request, and what its reader may do about it."""

    request: DepartureRequest
    leavers: list[Technician]
    approvals: list[Approval]
    agreed: int
    may_still_approve: list[Technician]
    when: str
    differences: list[Difference]
    duties: Duties
    sees_everything: bool
    may_approve: bool
    may_withdraw: bool
    may_override: bool
    may_review: bool

    @property
    def missing(self) -> int:
        return max(0, self.request.approvals_needed - self.agreed)

    @property
    def too_few(self) -> bool:
        """Nobody is left who could give the approvals that are missing."""
        return self.request.status == Status.WAITING and len(self.may_still_approve) < self.missing

    @property
    def away(self) -> list[Technician]:
        """Those who lost their sign-in for a departure that will not come."""
        ended = self.request.status in (Status.REJECTED, Status.WITHDRAWN)
        return [p for p in self.leavers if ended and p.status == Technician.Status.SUSPENDED]

    @property
    def may_decide(self) -> bool:
        return self.may_approve or self.may_withdraw or self.may_override or self.may_review


def request_page(request: DepartureRequest, user: Any) -> RequestPage:
    """Call it only for a request that the reader may see."""
    leavers = sorted(request.leavers.all(), key=str)
    approvals = list(request.approvals.select_related("by"))
    waits = request.status == Status.WAITING
    is_open = request.status in DepartureRequest.OPEN
    decides = user.may("offboard") and user.reach == Reach.EVERYTHING and user not in leavers
    said = {approval.by_id for approval in approvals}
    to_review = request.override_at is not None and request.reviewed_at is None
    return RequestPage(
        request=request,
        leavers=leavers,
        approvals=approvals,
        agreed=sum(approval.agrees for approval in approvals),
        may_still_approve=those_who_may_approve(request) if waits else [],
        when=in_words(request.starts_at, request.time_zone) if request.starts_at else "",
        differences=_differences_seen(request, user),
        duties=duties_of_all(leavers, place_of(request)) if is_open and user.reach == Reach.EVERYTHING else NOTHING,
        sees_everything=user.reach == Reach.EVERYTHING,
        may_approve=decides and waits and user.pk != request.requested_by_id and user.pk not in said,
        may_withdraw=decides and is_open,
        may_override=decides and waits and user.role == Role.OWNER,
        may_review=decides and to_review and user.pk != request.override_by_id,
    )


def _differences_seen(request: DepartureRequest, user: Any) -> list[Difference]:
    """Those on accounts that the reader sees."""
    found = all_differences(request)
    ids = [one["account_id"] for one in found]
    seen = {str(pk) for pk in SharedAccount.objects.visible_to(user).filter(pk__in=ids).values_list("pk", flat=True)}
    return [one for one in found if one["account_id"] in seen]
