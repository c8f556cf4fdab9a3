"""Enrolment policies: which there are, what one says, and setting and removing them."""

from __future__ import annotations

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
from tenants.actions.set_enrolment_policy import remove_enrolment_policy, set_enrolment_policy
from tenants.actions.set_policy import RIGHT, may_set, require_policy_rights
from tenants.enrolment_policy_forms import EnrolmentPolicyForm
from tenants.enrolment_policy_pages import enrolment_policy_row
from tenants.enrolment_policy_queries import built_in, enrolment_policy_at
from tenants.enrolment_policy_words import in_words
from tenants.models import EnrolmentPolicy, SharedAccount, Tenant, TenantGroup
from tenants.password_plans import Place
from tenants.policy_pages import groups_without_policy, policies_seen_by, where
from tenants.policy_places import place_of

PER_PAGE = 50


@require_safe
@needs("see_accounts")
def policies(request: HttpRequest) -> HttpResponse:
    person = reader(request)
    page = Paginator(policies_seen_by(person, EnrolmentPolicy), PER_PAGE).get_page(request.GET.get("page"))
    everywhere = EnrolmentPolicy.objects.visible_to(person).filter(group=None, tenant=None, account=None)
    context = {
        "rows": page,
        "policies": [enrolment_policy_row(policy) for policy in page],
        "groups": groups_without_policy(person, "enrolment_policies"),
        "may_set_everywhere": may_set(person, Place()) and not everywhere.exists(),
        "may_set": person.may(RIGHT),
        "built_in": in_words(built_in(person.reseller_id)),
    }
    return render(request, "tenants/enrolment_policies.html", context)


@require_safe
@needs("see_accounts")
def policy(request: HttpRequest, enrolment_policy_id: UUID) -> HttpResponse:
    return _policy_page(request, _seen(request, enrolment_policy_id), {})


@require_POST
@needs(RIGHT)
def remove(request: HttpRequest, enrolment_policy_id: UUID) -> HttpResponse:
    found = _seen(request, enrolment_policy_id)
    place = where(found)
    require_policy_rights(reader(request), place_of(found))
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return _policy_page(request, found, {"code_error": str(wrong)})
    remove_enrolment_policy(found, by=reader(request))
    messages.success(request, _("The enrolment policy %(place)s is removed.") % {"place": place})
    return redirect("tenants:enrolment_policies")


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
    applied = enrolment_policy_at(place, reseller_id=person.reseller_id)
    at_place = applied if applied and place_of(applied) == place else None
    form = EnrolmentPolicyForm(
        request.POST if request.method == "POST" else None, policy=applied or built_in(person.reseller_id)
    )
    code_error = ""
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
        except BadInput as wrong:
            code_error = str(wrong)
        else:
            kept = set_enrolment_policy(place, form.rules(), by=person)
            messages.success(request, _("The enrolment policy %(place)s holds from now on.") % {"place": where(kept)})
            return redirect("tenants:enrolment_policy", kept.pk)
    context = {
        "form": form,
        "place": place,
        "place_words": where(at_place or EnrolmentPolicy(reseller=person.reseller, **vars(place))),
        "policy": at_place,
        "begins_with": where(applied),
        "code_error": code_error,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors or code_error else HTTPStatus.OK
    return render(request, "tenants/set_enrolment_policy.html", context, status=status)


def _seen(request: HttpRequest, policy_id: UUID) -> EnrolmentPolicy:
    found: EnrolmentPolicy = get_object_or_404(policies_seen_by(request.user, EnrolmentPolicy), pk=policy_id)
    return found


def _policy_page(request: HttpRequest, found: EnrolmentPolicy, said: dict[str, Any]) -> HttpResponse:
    without = enrolment_policy_at(place_of(found), reseller_id=found.reseller_id, without=found)
    context = {
        "policy": found,
        "place": where(found),
        "words": in_words(found),
        "may_set": may_set(reader(request), place_of(found)),
        "applies_without": where(without),
        **said,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if said else HTTPStatus.OK
    return render(request, "tenants/enrolment_policy.html", context, status=status)
