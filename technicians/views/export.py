"""Passwords of many accounts in one encrypted file."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from msp.access.forms import HouseForm
from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from msp.vault.sealed_file import why_weak
from technicians.actions.export_passwords import export_passwords
from tenants.models import SharedAccount, Tenant, TenantGroup

EVERYTHING = "all"


class ExportForm(HouseForm):
    scope = forms.ChoiceField(label=gettext_lazy("Which accounts"))
    reason = forms.CharField(label=gettext_lazy("What is it for?"), max_length=500)
    passphrase = forms.CharField(
        label=gettext_lazy("Passphrase"),
        help_text=gettext_lazy("At least 16 characters. Nobody can open the file without it, not even Latchkey."),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "form-control"}),
    )
    again = forms.CharField(
        label=gettext_lazy("The passphrase again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "form-control"}),
    )

    def __init__(self, groups: list[TenantGroup], tenants: list[Tenant], data: Any = None) -> None:
        super().__init__(data)
        self.fields["scope"].choices = [  # type: ignore[attr-defined]
            (EVERYTHING, _("All")),
            (_("A tenant group"), [(f"group:{group.pk}", group.name) for group in groups]),
            (_("A tenant"), [(f"tenant:{tenant.pk}", f"{tenant.customer} ({tenant})") for tenant in tenants]),
        ]

    def clean_passphrase(self) -> str:
        said: str = self.cleaned_data["passphrase"]
        if weakness := why_weak(said):
            raise forms.ValidationError(weakness)
        return said

    def clean_again(self) -> str:
        said: str = self.cleaned_data["again"]
        if said != self.cleaned_data.get("passphrase", said):
            raise forms.ValidationError(_("The two passphrases differ; nothing was handed out."))
        return said


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("passphrase", "again")
@needs("export_secrets")
def export(request: HttpRequest) -> HttpResponse:
    """GET asks; POST answers with the file, once it is written down who took it."""
    by = reader(request)
    form = ExportForm(
        list(TenantGroup.objects.visible_to(by)),
        list(Tenant.objects.visible_to(by).select_related("customer").order_by("customer__name", "default_domain")),
        request.POST or None,
    )
    if request.method != "POST" or not form.is_valid():
        return _page(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK)
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return _page(request, form, code_error=str(wrong), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    said = form.cleaned_data
    kind, _colon, pk = said["scope"].partition(":")
    accounts = SharedAccount.objects.visible_to(by)
    if kind != EVERYTHING:
        accounts = accounts.filter(**{"tenant__groups" if kind == "group" else "tenant": pk})
    try:
        done = export_passwords(
            accounts, by=by, reason=said["reason"], passphrase=said["passphrase"], outside=outside()
        )
    except LatchkeyError as trouble:
        status = HTTPStatus.FORBIDDEN if isinstance(trouble, NotPermitted) else HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, form, trouble=str(trouble), status=status)
    name = f"latchkey-passwords-{timezone.now():%Y-%m-%d}.json"
    return HttpResponse(
        done.file,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _page(
    request: HttpRequest, form: ExportForm, *, code_error: str = "", trouble: str = "", status: int
) -> HttpResponse:
    context = {"form": form, "code_error": code_error, "trouble": trouble}
    return render(request, "technicians/export_passwords.html", context, status=status)
