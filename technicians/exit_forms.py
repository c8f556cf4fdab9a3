"""What is typed when a customer goes."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.access.forms import HouseForm
from msp.vault.sealed_file import why_weak


class PackageForm(HouseForm):
    """Who gets the package, and what opens it."""

    recipient = forms.CharField(
        label=gettext_lazy("Who at the customer gets it"),
        max_length=200,
        help_text=gettext_lazy("Name and role. It is written down."),
    )
    passphrase = forms.CharField(
        label=gettext_lazy("Passphrase"),
        help_text=gettext_lazy("At least 16 characters. Give it to the customer by another way than the file."),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("The passphrase again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

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
