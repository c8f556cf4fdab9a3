"""What is typed about people and their accounts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from msp.errors import BadInput
from msp.microsoft.ports import MethodKind
from msp.web.days import end_of
from technicians.actions.state_authenticator import KINDS
from technicians.models import Assignment, Technician
from tenants.models import Method, SharedAccount


class AssignForm(HouseForm):
    """A shared account for a technician. The account is typed, because a list of thousands cannot be chosen from."""

    account = forms.CharField(
        label=_("Shared account"),
        max_length=256,
        help_text=_("Its user name, such as admin@customer.example."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "accounts-like"}),
    )
    until = forms.DateField(
        label=_("Until the end of"),
        required=False,
        help_text=_("Leave empty for no end."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def __init__(self, *args: object, by: Technician, **named: object) -> None:
        super().__init__(*args, **named)  # type: ignore[arg-type]
        self.by = by

    def clean_account(self) -> SharedAccount:
        name = self.cleaned_data["account"]
        found = list(SharedAccount.objects.visible_to(self.by).filter(user_principal_name__iexact=name)[:2])
        if not found:
            raise forms.ValidationError(_("No shared account that you see has this user name."))
        if len(found) > 1:
            raise forms.ValidationError(_("Two tenants have an account of this name; import the assignment instead."))
        account: SharedAccount = found[0]
        return account

    def clean_until(self) -> dt.datetime | None:
        day = self.cleaned_data["until"]
        try:
            return end_of(day) if day else None
        except BadInput as wrong:
            raise forms.ValidationError(str(wrong)) from wrong


class AuthenticatorForm(HouseForm):
    """A second factor that nobody can read: whose it is, of which kind, and how to tell it from others."""

    technician = forms.ModelChoiceField(label=_("Whose it is"), queryset=Technician.objects.none())
    kind = forms.ChoiceField(label=_("Kind"), choices=[(str(kind), Method.Kind(kind).label) for kind in KINDS])
    label = forms.CharField(
        label=_("How to tell it from others"), max_length=200, help_text=_("Such as: Ana's phone, or the blue key.")
    )

    def __init__(self, *args: object, account: SharedAccount, by: Technician, **named: object) -> None:
        super().__init__(*args, **named)  # type: ignore[arg-type]
        holders = Technician.objects.active().filter(assignments__in=Assignment.objects.live().filter(account=account))
        people: Any = self.fields["technician"]
        people.queryset = (holders if by.may("enrol") else holders.filter(pk=by.pk)).distinct()
        people.empty_label = None

    def clean_kind(self) -> MethodKind:
        return MethodKind(self.cleaned_data["kind"])
