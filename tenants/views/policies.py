"""Password policies: which there are, what one says, and setting and removing them."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput
from tenants.actions.set_policy import RIGHT, may_set, remove_policy, require_policy_rights, set_policy
from tenants.models import PasswordPolicy, SharedAccount, Tenant, TenantGroup
from tenants.password_plans import Place
from tenants.policy_forms import PolicyForm
from tenants.policy_pages import applies_without, groups_without_policy, policies_seen_by, policy_row, where
from tenants.policy_places import place_of
from tenants.policy_queries import policy_at, rules_of
from tenants.policy_words import in_words

PER_PAGE = 50


@require_safe
@needs("see_accounts")
def policies(request: HttpRequest) -> HttpResponse:
    person = reader(request)
    page = Paginator(policies_seen_by(person), PER_PAGE).get_page(request.GET.get("page"))
    everywhere = PasswordPolicy.objects.visible_to(person).filter(group=None, tenant=None, account=None)
    context = {
        "rows": page,
        "policies": [policy_row(policy) for policy in page],
        "groups": groups_without_policy(person),
        "may_set_everywhere": may_set(person, Place()) and not everywhere.exists(),
        "may_set": person.may(RIGHT),
    }
    return render(request, "tenants/policies.html", context)


@require_safe
@needs("see_accounts")
def policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    return _policy_page(request, _seen(request, policy_id), {})


@require_POST
@needs(RIGHT)
def remove(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    found = _seen(request, policy_id)
    place = where(found)
    require_policy_rights(reader(request), place_of(found))
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return _policy_page(request, found, {"code_error": str(wrong)})
    remove_policy(found, by=reader(request))
    messages.success(request, _("The policy %(place)s is removed.") % {"place": place})
    return redirect("tenants:policies")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RIGHT)
def set_everywhere(request: HttpRequest) -> HttpResponse:
    return _set(request, Place())


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RIGHT)
def set_of_group(request: HttpRequest, group_id: UUID) -> HttpResponse:
    return _set(request, Place(group=get_object_or_404(TenantGroup.objects.visible_to(request.user), pk=group_id)))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RIGHT)
def set_of_tenant(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    return _set(request, Place(tenant=get_object_or_404(Tenant.objects.visible_to(request.user), pk=tenant_id)))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RIGHT)
def set_of_account(request: HttpRequest, account_id: UUID) -> HttpResponse:
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant")
    return _set(request, Place(account=get_object_or_404(seen, pk=account_id)))


def _set(request: HttpRequest, place: Place) -> HttpResponse:
    """The form begins with what applies at the place now, from wherever that comes."""
    person = reader(request)
    require_policy_rights(person, place)
    applied = policy_at(place, reseller_id=person.reseller_id)
    at_place = applied.policy if applied.policy and place_of(applied.policy) == place else None
    rules = (
        applied.rules if at_place or applied.rules.quiet_from else replace(applied.rules, quiet_zone=person.time_zone)
    )
    form = PolicyForm(request.POST if request.method == "POST" else None, rules=rules)
    code_error = ""
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
        except BadInput as wrong:
            code_error = str(wrong)
        else:
            kept = set_policy(place, form.rules(), by=person)
            messages.success(request, _("The policy %(place)s holds from now on.") % {"place": where(kept)})
            return redirect("tenants:policy", kept.pk)
    context = {
        "form": form,
        "place": place,
        "place_words": where(at_place or PasswordPolicy(reseller=person.reseller, **vars(place))),
        "policy": at_place,
        "begins_with": where(applied.policy),
        "code_error": code_error,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors or code_error else HTTPStatus.OK
    return render(request, "tenants/set_policy.html", context, status=status)


def _seen(request: HttpRequest, policy_id: UUID) -> PasswordPolicy:
    found: PasswordPolicy = get_object_or_404(policies_seen_by(request.user), pk=policy_id)
    return found


def _policy_page(request: HttpRequest, found: PasswordPolicy, said: dict[str, Any]) -> HttpResponse:
    context = {
        "policy": found,
        "place": where(found),
        "words": in_words(rules_of(found)),
        "may_set": may_set(reader(request), place_of(found)),
        "applies_without": applies_without(found),
        **said,
    }
    return render(request, "tenants/policy.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY if said else 200)
