"""How soon access to a shared account must be gone when somebody leaves."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from tenants.actions.change_account import change_account
from tenants.models import AccountClass, SharedAccount


@require_http_methods(["GET", "HEAD", "POST"])
@needs("import")
def account_class(request: HttpRequest, account_id: UUID) -> HttpResponse:
    found = get_object_or_404(SharedAccount.objects.visible_to(request.user), pk=account_id)
    trouble, status = "", 200
    if request.method == "POST":
        try:
            change_account(found, by=reader(request), account_class=request.POST.get("account_class", ""))
        except LatchkeyError as wrong:
            trouble, status = str(wrong), 403 if isinstance(wrong, NotPermitted) else 422
        else:
            words = _("From the next run on, access to %(account)s has this deadline: %(class)s.")
            messages.success(request, words % {"account": found, "class": found.get_account_class_display()})
            return redirect("tenants:account", found.pk)
    context = {"account": found, "classes": AccountClass.choices, "trouble": trouble}
    return render(request, "tenants/account_class.html", context, status=status)
