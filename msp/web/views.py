"""The dashboard and the search box: the two places that speak of everything at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.rights import reader
from technicians.models import Technician
from technicians.pages import keys_of, leavers_seen_by, people_like
from tenants.alarm_queries import alarms_seen_by
from tenants.guided_queries import waiting_targets
from tenants.models import Finding, Step, Tenant
from tenants.models.run import FOR_A_PERSON, UNDER_WAY
from tenants.plans import StepKind
from tenants.queries import accounts_with_unknown_methods, found_by, oldest_and_newest_reading
from tenants.run_queries import run_rows, runs_seen_by

KEYS_SHOWN = 50
RUNS_SHOWN = 5
FOUND_OF_EACH = 6


@dataclass(frozen=True)
class Figure:
    """A number with its words; `url` is the list behind it, `tone` warns when the number is not nought."""

    label: str
    number: int
    url: str
    note: str = ""
    tone: str = ""


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    person = reader(request)
    keys = keys_of(person) if person.may("reveal") else None
    context: dict[str, Any] = {
        "figures": _figures(person),
        "keys": list(keys[:KEYS_SHOWN]) if keys is not None else [],
        "keys_in_all": keys.count() if keys is not None else 0,
        "may_see_runs": person.may("see_runs"),
        "may_import": person.may("import"),
        "by_hand": waiting_targets(person).count() if person.may("see_accounts") else 0,
        "is_empty": person.may("import") and not Tenant.objects.visible_to(person).exists(),
    }
    if person.may("see_runs"):
        context["runs"] = run_rows(runs_seen_by(person)[:RUNS_SHOWN], person)
        context["alarms"] = alarms_seen_by(person)
        context["may_see_to"] = person.may("waive")
    # For everybody: a customer's contact asks first how old these figures are.
    context["oldest"], context["newest"] = oldest_and_newest_reading(person)
    return render(request, "web/dashboard.html", context)


@require_safe
@vary_on_headers("HX-Request")
def search(request: HttpRequest) -> HttpResponse:
    """Customers, tenants, accounts, people. One hit opens at once; htmx gets the list under the search box."""
    person, words = reader(request), request.GET.get("q", "").strip()
    by_htmx = "HX-Request" in request.headers
    found: dict[str, list[Any]] = {}
    if words and person.may("see_accounts"):
        found |= found_by(person, words, limit=FOUND_OF_EACH)
    if words and person.may("see_people"):
        found["people"] = people_like(person, words, limit=FOUND_OF_EACH)
    hits = _hits(found)
    if len(hits) == 1 and not by_htmx:
        return redirect(hits[0])
    template = "web/_found.html" if by_htmx else "web/search.html"
    return render(request, template, {"words": words, "found": found, "any": bool(hits)})


def _hits(found: dict[str, list[Any]]) -> list[str]:
    """The pages that were found, each once: a customer leads to the list of its tenants, unless one is found."""
    pages = [reverse("tenants:account", args=[a.pk]) for a in found.get("accounts", [])]
    pages += [reverse("tenants:detail", args=[t.pk]) for t in found.get("tenants", [])]
    pages += [reverse("technicians:detail", args=[p.pk]) for p in found.get("people", [])]
    return pages + [f"{reverse('tenants:list')}?q={c.name}" for c in found.get("customers", []) if not pages]


def _figures(person: Technician) -> list[Figure]:
    figures = []
    if person.may("see_accounts"):
        figures += _figures_of_tenants(person)
    if person.may("see_runs"):
        figures += _figures_of_runs(person)
    if person.may("see_people"):
        figures.append(_figure_of_leavers(person))
    return figures


def _figures_of_tenants(person: Technician) -> list[Figure]:
    tenants = reverse("tenants:list")
    findings = Finding.objects.visible_to(person).open()
    unconnected = Tenant.objects.visible_to(person).exclude(connection_problem="").count()
    return [
        Figure(
            _("Open findings"),
            findings.count(),
            f"{tenants}?show=findings",
            tone="red",
            note=_("wrong or risky, and nobody has accepted it"),
        ),
        Figure(
            _("Accounts with unknown methods"),
            accounts_with_unknown_methods(person).count(),
            f"{tenants}?show=unknown",
            tone="red",
            note=_("somebody's authenticator, and nobody knows whose"),
        ),
        Figure(
            _("Tenants without connection"),
            unconnected,
            f"{tenants}?show=unconnected",
            tone="yellow",
            note=_("Latchkey cannot read or change anything there"),
        ),
    ]


def _figures_of_runs(person: Technician) -> list[Figure]:
    steps, runs = Step.objects.visible_to(person), reverse("tenants:run_list")
    waiting = steps.filter(status__in=FOR_A_PERSON).values("target__run").distinct().count()
    moving = steps.filter(status__in=UNDER_WAY).exclude(kind=StepKind.SECOND_LOOK).values("target__run")
    return [
        Figure(_("Runs that need attention"), waiting, runs, tone="red", note=_("a step waits for a person")),
        Figure(_("Runs under way"), moving.distinct().count(), runs, note=_("Latchkey is working on them")),
    ]


def _figure_of_leavers(person: Technician) -> Figure:
    unsettled = Step.objects.visible_to(person).filter(status__in=[*FOR_A_PERSON, *UNDER_WAY]).values("target__run")
    leavers = leavers_seen_by(person)
    open_ones = leavers.filter(run__in=unsettled).count()
    in_all = leavers.count()
    note = _("nobody has left yet") if not in_all else _("every run has come to its end")
    if open_ones:
        words = ngettext("%(count)d is not finished everywhere", "%(count)d are not finished everywhere", open_ones)
        note = words % {"count": open_ones}
    return Figure(_("Leavers"), in_all, f"{reverse('technicians:list')}?show=left", note=note)
