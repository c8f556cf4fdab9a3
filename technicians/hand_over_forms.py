"""What is typed to hand a password over."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm

LIVES = [("15", _("15 minutes")), ("60", _("1 hour")), ("1440", _("24 hours")), ("4320", _("72 hours"))]


class HandOverForm(HouseForm):
    """Who gets the password, why, and how long the link waits; a ticket number where the policy asks for one."""

    recipient = forms.CharField(
        label=_("For whom"),
        max_length=200,
        help_text=_("A name or an address, for the record. Latchkey sends nothing to it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reason = forms.CharField(label=_("Why does the password leave the house?"), max_length=500)
    ticket = forms.CharField(label=_("Ticket number"), max_length=64)
    life = forms.ChoiceField(label=_("The link waits"), choices=LIVES, initial="60")

    def __init__(self, *args: Any, asks_ticket: bool) -> None:
        super().__init__(*args)
        if not asks_ticket:
            del self.fields["ticket"]

    def clean_life(self) -> dt.timedelta:
        return dt.timedelta(minutes=int(self.cleaned_data["life"]))
