"""What is typed to give a person many accounts at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from msp.errors import BadInput
from msp.web.days import end_of
from technicians.models import Technician
from tenants.models import SharedAccount, TenantGroup

MOST_NAMED = 5


class ChooseAccountsForm(HouseForm):
    """Tenant groups and single accounts, together; the break-glass accounts of a group are left out."""

    groups = forms.ModelMultipleChoiceField(
        label=_("Every account in these tenant groups"),
        queryset=TenantGroup.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    accounts = forms.CharField(
        label=_("And these accounts"),
        required=False,
        max_length=50_000,
        help_text=_("One user name on each line, such as admin@customer.example."),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, by: Technician, **named: Any) -> None:
        super().__init__(*args, **named)
        self.by = by
        groups: Any = self.fields["groups"]
        groups.queryset = TenantGroup.objects.visible_to(by).order_by("name")

    def clean_accounts(self) -> list[SharedAccount]:
        names = {line.strip().lower() for line in self.cleaned_data["accounts"].splitlines() if line.strip()}
        seen = SharedAccount.objects.visible_to(self.by).annotate(name=Lower("user_principal_name"))
        found = list(seen.filter(name__in=names).select_related("tenant__customer"))
        known = [account.user_principal_name.lower() for account in found]
        missing = sorted(names - set(known))
        if missing:
            raise forms.ValidationError(
                _("No shared account that you see has this user name: %(names)s."),
                params={"names": ", ".join(missing[:MOST_NAMED])},
            )
        twice = sorted({name for name in known if known.count(name) > 1})
        if twice:
            raise forms.ValidationError(
                _("Two tenants have an account of this name, so import the assignment instead: %(names)s."),
                params={"names": ", ".join(twice[:MOST_NAMED])},
            )
        return found

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not given.get("groups") and not given.get("accounts"):
            raise forms.ValidationError(_("Choose a tenant group, or name an account."))
        return given

    def chosen(self) -> list[SharedAccount]:
        """Each account once, by customer. Call it on a valid form."""
        of_groups = (
            SharedAccount.objects.visible_to(self.by)
            .filter(tenant__groups__in=self.cleaned_data["groups"], break_glass=False)
            .select_related("tenant__customer")
            .distinct()
        )
        chosen = {account.pk: account for account in [*of_groups, *self.cleaned_data["accounts"]]}
        return sorted(chosen.values(), key=lambda account: (str(account.tenant.customer), str(account)))


class GiveForm(HouseForm):
    """For how long, and why."""

    until = forms.DateField(
        label=_("Until the end of"),
        required=False,
        help_text=_("Leave empty for no end."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=500, help_text=_("It stands on every one of these assignments.")
    )

    def clean_until(self) -> dt.datetime | None:
        day = self.cleaned_data["until"]
        try:
            return end_of(day) if day else None
        except BadInput as wrong:
            raise forms.ValidationError(str(wrong)) from wrong
