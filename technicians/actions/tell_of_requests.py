"""Who is told about a departure request outside Latchkey, and in which words."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from technicians.departure_queries import those_who_may_approve
from technicians.departure_times import in_words
from technicians.models import DepartureRequest, Technician
from tenants.actions.deliver import tell


def tell_those_who_may_approve(request: DepartureRequest) -> None:
    """Call it in the transaction of the request."""
    missing = request.approvals_needed - request.approvals.filter(agrees=True).count()
    text = ngettext(
        "%(by)s asks for it, and %(count)d person has to agree before anything happens. Read it, and approve or "
        "reject it.",
        "%(by)s asks for it, and %(count)d people have to agree before anything happens. Read it, and approve or "
        "reject it.",
        missing,
    ) % {"by": request.requested_by, "count": missing}
    title = _("A departure awaits approval: %(about)s") % {"about": about(request)}
    _tell(request, "request.waiting", title, text, those_who_may_approve(request))


def tell_whoever_asked(request: DepartureRequest, event: str, *, by: Technician | None) -> None:
    """Rejected, withdrawn, approved for later, or stuck; not to somebody who did it themselves."""
    asked = request.requested_by
    title, text = _words(request, event, by)
    _tell(request, f"request.{event}", title, text, [asked] if asked is not None and asked != by else [])


def about(request: DepartureRequest) -> str:
    """Whom or what it takes access from, in a few words."""
    people = ", ".join(sorted(str(leaver) for leaver in request.leavers.all()))
    place = request.group or request.account or request.customer
    if not people:
        return _("customer exit of %(customer)s") % {"customer": request.customer}
    return f"{people} ({place})" if place else people


def _words(request: DepartureRequest, event: str, by: Technician | None) -> tuple[str, str]:
    named = {"about": about(request), "by": by, "why": request.ended_because, "problem": request.problem}
    if event == "rejected":
        return (
            _("Rejected: the departure of %(about)s") % named,
            _("%(by)s rejected it: %(why)s Nothing was changed at Microsoft.") % named,
        )
    if event == "withdrawn":
        return (
            _("Withdrawn: the departure of %(about)s") % named,
            _("%(by)s withdrew it: %(why)s Nothing was changed at Microsoft.") % named,
        )
    if event == "stuck":
        return (
            _("A departure could not start: %(about)s") % named,
            _("%(problem)s It is tried again by itself; look at the request.") % named,
        )
    when = in_words(request.starts_at, request.time_zone) if request.starts_at else request.get_starts_display()
    return (
        _("Approved: the departure of %(about)s") % named,
        _("Everybody who has to agree did. It starts: %(when)s.") % {"when": when},
    )


def _tell(request: DepartureRequest, event: str, title: str, text: str, people: Iterable[Technician]) -> None:
    facts = {
        "title": title,
        "text": text,
        "path": reverse("technicians:departure", args=[request.pk]),
        "request": str(request.pk),
        "scope": str(request.scope),
    }
    tell(request.reseller, event, key=f"{event}:{request.pk}", facts=facts, people=people)
