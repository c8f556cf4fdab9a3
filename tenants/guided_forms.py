"""What is typed about a place that is no Microsoft tenant, and about an account there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from tenants.actions.add_accounts import NewAccount
from tenants.actions.add_place import NewPlace
from tenants.actions.store_password import LONGEST
from tenants.models import Tenant

SYSTEMS = [(value, label) for value, label in Tenant.System.choices if value != Tenant.System.ENTRA]


class PlaceForm(HouseForm):
    """One place of a customer."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("How your people call it: Contoso firewall, office in Graz.")
    )
    system = forms.ChoiceField(label=_("Which kind of system"), choices=SYSTEMS)
    sign_in_address = forms.URLField(
        label=_("Address of its sign-in page"),
        required=False,
        assume_scheme="https",
        help_text=_("Leave empty when it has none."),
    )

    def place(self) -> NewPlace:
        given = self.cleaned_data
        return NewPlace(given["name"], Tenant.System(given["system"]), given["sign_in_address"])


class PlaceAccountForm(HouseForm):
    """One account there that several people share."""

    user_name = forms.CharField(label=_("User name there"), max_length=256)
    owner = forms.CharField(label=_("Who answers for it"), max_length=256, required=False)
    justification = forms.CharField(label=_("What it is for"), max_length=500, required=False)
    password = forms.CharField(
        label=_("Its password"),
        max_length=LONGEST,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        help_text=_("Kept exactly as typed. Leave empty when you do not have it at hand."),
    )

    def account(self, place: Any) -> NewAccount:
        given = self.cleaned_data
        return NewAccount(
            place,
            given["user_name"].strip(),
            owner=given["owner"].strip(),
            justification=given["justification"].strip(),
            password=given["password"],
        )
