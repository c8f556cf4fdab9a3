"""What is typed at the doors. Passwords and codes are taken as they are: nothing is trimmed from a password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class HouseField(forms.BoundField):
    """A field in the look of the house. Django itself ties it to its help and its errors."""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: forms.Widget | None = None) -> dict[str, Any]:
        widget = widget or self.field.widget
        built: dict[str, Any] = super().build_widget_attrs(attrs, widget)
        look = {forms.Select: "form-select", forms.CheckboxInput: "form-check-input"}
        kind = next((name for of, name in look.items() if isinstance(widget, of)), "form-control")
        wrong = "is-invalid" if self.errors else ""
        built["class"] = " ".join(filter(None, [kind, widget.attrs.get("class"), wrong]))
        return built


class HouseForm(forms.Form):
    """Every form of ours is one; templates write `components/field.html` for each field."""

    bound_field_class = HouseField


class SignInForm(HouseForm):
    email = forms.EmailField(
        label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class CodeForm(HouseForm):
    code = forms.CharField(
        label=_("Six-digit code"),
        max_length=7,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "class": "code"}
        ),
    )


class NewPasswordForm(HouseForm):
    password = forms.CharField(
        label=_("New password"),
        strip=False,
        help_text=_("At least 12 characters; a few words are fine."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("The same again"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("password") and given.get("again") and given["password"] != given["again"]:
            self.add_error("again", _("The two passwords differ."))
        return given


class SetUpForm(NewPasswordForm):
    reseller_name = forms.CharField(
        label=_("Name of the reseller"),
        max_length=200,
        help_text=_("Your company: the one that looks after customers."),
    )
    name = forms.CharField(label=_("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(
        label=_("Your e-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    field_order = ["reseller_name", "name", "email", "password", "again"]
