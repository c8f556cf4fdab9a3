"""The check of one tenant: its last result, checking now, and the way back from Microsoft's consent page."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from msp import env
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError
from msp.outside import outside
from tenants.actions.change_access import change_access
from tenants.actions.check_tenant import check_tenant
from tenants.actions.give_consent import consent_link, receive_consent
from tenants.check_facts import CheckState
from tenants.check_queries import checks_of
from tenants.models import Tenant


@require_safe
@needs("see_accounts")
def check(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """The last result, and when there were others."""
    seen = Tenant.objects.visible_to(request.user).select_related("customer")
    found: Tenant = get_object_or_404(seen, pk=tenant_id)
    rows, may_check = checks_of(found, request.user), reader(request).may("observe")
    context = {
        "tenant": found,
        "last": rows[0] if rows else None,
        "earlier": rows[1:],
        "may_check": may_check,
        "may_change_access": reader(request).may("import"),
        "ways": Tenant.Access.choices,
        "consent_url": _consent_url(request, found) if may_check and rows and rows[0].asks_for_consent else "",
    }
    return render(request, "tenants/check.html", context)


@require_POST
@needs("observe")
def check_now(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    found: Tenant = get_object_or_404(Tenant.objects.visible_to(request.user), pk=tenant_id)
    return _checked(request, found)


@require_POST
@needs("import")
def access(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Come to this tenant in another way from now on."""
    found: Tenant = get_object_or_404(Tenant.objects.visible_to(request.user), pk=tenant_id)
    asked = request.POST.get("access", "")
    if asked not in Tenant.Access.values:
        messages.error(request, _("Choose one of the two ways. Nothing was changed."))
        return redirect("tenants:check", found.pk)
    try:
        change_access(found, by=reader(request), access=Tenant.Access(asked))
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(request, _("Latchkey comes to this tenant that way from now on. Check now whether it works."))
    return redirect("tenants:check", found.pk)


@require_safe
@needs("observe")
def consent(request: HttpRequest) -> HttpResponse:
    """Where Microsoft sends the browser after an administrator consented, or did not."""
    try:
        found = receive_consent(request.GET.dict(), by=reader(request), session=request.session.session_key or "")
    except LatchkeyError as trouble:
        return render(request, "tenants/consent.html", {"trouble": str(trouble)})
    messages.success(request, _("Consent was given. The tenant was checked with a new token:"))
    return _checked(request, found)


def _checked(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    try:
        made = check_tenant(tenant, by=reader(request), outside=outside())
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        bad = sum(item.state == CheckState.WRONG for item in made.found)
        if bad:
            said = ngettext(
                "Checked just now: %(count)d thing is wrong.", "Checked just now: %(count)d things are wrong.", bad
            )
            messages.warning(request, said % {"count": bad})
        else:
            messages.success(request, _("Checked just now: nothing is wrong."))
    return redirect("tenants:check", tenant.pk)


def _consent_url(request: HttpRequest, tenant: Tenant) -> str:
    """A link for this person in this session; "" when the app has no id yet, which is one of the items then."""
    start = env.text("LATCHKEY_URL").rstrip("/") or f"{request.scheme}://{request.get_host()}"
    address = start + reverse("tenants:consent")
    try:
        return consent_link(
            tenant, person=reader(request), session=request.session.session_key or "", redirect_uri=address
        )
    except LatchkeyError:
        return ""
