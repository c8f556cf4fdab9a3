"""The list of tenants, one tenant, and reading it now."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.rights import needs, reader
from msp.outside import outside
from tenants.actions.observe_tenant import observe_tenant
from tenants.actions.set_policy import may_set
from tenants.enrolment_policy_pages import enrolment_policy_of_tenant
from tenants.models import SharedAccount, Tenant, TenantGroup
from tenants.password_plans import Place
from tenants.policy_pages import policy_of_tenant
from tenants.queries import SHOW, accounts_with_counts, runs_on, tenant_rows, tenants_like

TENANTS_PER_PAGE = 50
PROBLEMS_SAID = 5
"""So many problems are said one by one after a reading; the findings hold them all."""


@require_safe
@vary_on_headers("HX-Request")
@needs("see_accounts")
def tenant_list(request: HttpRequest) -> HttpResponse:
    """The page, or for htmx its table only."""
    words, show = request.GET.get("q", "").strip(), request.GET.get("show", "")
    found = tenants_like(request.user, words=words, show=show)
    page = Paginator(found, TENANTS_PER_PAGE).get_page(request.GET.get("page"))
    part = "_list" if request.headers.get("HX-Target") == "list" else "list"
    context = {
        "rows": page,
        "tenants": tenant_rows(page, request.user),
        "words": words,
        "show": show,
        "choices": SHOW,
        "may_import": reader(request).may("import"),
    }
    return render(request, f"tenants/{part}.html", context)


@require_safe
@needs("see_accounts")
def tenant(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    groups = Prefetch("groups", TenantGroup.objects.visible_to(request.user))
    seen = Tenant.objects.visible_to(request.user).select_related("customer").prefetch_related(groups)
    found: Tenant = get_object_or_404(seen, pk=tenant_id)
    accounts = SharedAccount.objects.visible_to(request.user).filter(tenant=found)
    person = reader(request)
    context = {
        "tenant": found,
        "accounts": accounts_with_counts(accounts),
        "findings": found.findings.visible_to(request.user).exclude(status="resolved").select_related("account"),
        "may_see_runs": person.may("see_runs"),
        "runs": runs_on(request.user, tenant=found) if person.may("see_runs") else [],
        "may_observe": person.may("observe"),
        "may_take_over": person.may("enrol"),
        "may_offboard": person.may("offboard"),
        "may_import": person.may("import"),
        "policy": policy_of_tenant(found),
        "enrolment_policy": enrolment_policy_of_tenant(found),
        "may_set_policy": may_set(person, Place(tenant=found)),
    }
    return render(request, "tenants/tenant.html", context)


@require_POST
@needs("observe")
def observe(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Read every account of the tenant from its directory, now."""
    found: Tenant = get_object_or_404(Tenant.objects.visible_to(request.user), pk=tenant_id)
    accounts = SharedAccount.objects.visible_to(request.user).filter(tenant=found).select_related("tenant")
    say_reading(request, accounts)
    return redirect("tenants:detail", found.pk)


def say_reading(request: HttpRequest, accounts: Iterable[SharedAccount]) -> None:
    """Read these accounts of one tenant, and say in messages what came of it."""
    reading = observe_tenant(accounts, outside=outside())
    if reading.read:
        messages.success(
            request,
            ngettext("Read %(count)d account just now.", "Read %(count)d accounts just now.", len(reading.read))
            % {"count": len(reading.read)},
        )
    for account, problem in list(reading.problems.items())[:PROBLEMS_SAID]:
        messages.error(request, _("%(account)s was not read. %(problem)s") % {"account": account, "problem": problem})
    if len(reading.problems) > PROBLEMS_SAID:
        messages.error(
            request,
            ngettext(
                "%(count)d more account was not read.",
                "%(count)d more accounts were not read.",
                len(reading.problems) - PROBLEMS_SAID,
            )
            % {"count": len(reading.problems) - PROBLEMS_SAID},
        )
    if reading.left:
        messages.warning(
            request,
            ngettext(
                "Microsoft asks for patience: %(count)d account is left. Try again in %(seconds)d s.",
                "Microsoft asks for patience: %(count)d accounts are left. Try again in %(seconds)d s.",
                len(reading.left),
            )
            % {"count": len(reading.left), "seconds": round(reading.retry_after) or 1},
        )
