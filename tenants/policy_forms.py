"""What is typed to set a password policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from tenants.actions.set_policy import why_not
from tenants.models import PasswordPolicy
from tenants.password_plans import CLASSES, Rules
from tenants.policy_words import KINDS

GROUPS = [
    (
        _("What it looks like"),
        _("Microsoft asks for three of the four kinds of characters, which words have too."),
        ("style", "length", "words", "classes", "look_alikes", "forbid_names", "forbidden_parts"),
    ),
    (
        _("When it changes by itself"),
        _("Each change is a run, and only a proven one counts. Automation never touches a break-glass account."),
        (
            "rotate_every_days",
            "rotate_after_reveal",
            "hours_after_reveal",
            "rotate_after_check_in",
            "rotate_after_assignment_end",
            "rotate_after_drift",
        ),
    ),
    (
        _("When it must not"),
        _("For changes by themselves. Somebody who presses the button is not kept waiting."),
        ("quiet_from", "quiet_until", "quiet_zone", "stagger_minutes"),
    ),
    (
        _("Reveal and check-out"),
        _("Every reveal also needs the assignment and a fresh code."),
        ("asks", "ticket_pattern", "reveals_per_hour", "check_out_required", "check_out_minutes"),
    ),
    (
        _("When it is not known which password is right"),
        _("A wrong try counts towards Microsoft's smart lockout, so there is at most one in an hour."),
        ("sign_in_probe",),
    ),
]
"""The form's parts: heading, what to know, fields."""


def _clock() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class PolicyForm(HouseForm, forms.ModelForm):
    """All rules of one policy. `rules()` says them as facts, once the form is valid."""

    classes = forms.MultipleChoiceField(
        label=_("Kinds of characters"),
        choices=KINDS.items(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("At least three, for random characters."),
    )
    forbidden_parts = forms.CharField(
        label=_("Never with these either"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One a line, four characters or more, in any case: a product, a street, the name of your firm."),
    )

    class Meta:
        model = PasswordPolicy
        fields = [name for _heading, _text, names in GROUPS for name in names]
        labels = {
            "length": _("Number of characters"),
            "words": _("Number of words"),
            "quiet_until": _("Until"),
            "quiet_zone": _("In the time zone"),
            "rotate_every_days": _("Days until it is old enough"),
        }
        help_texts = {
            "length": _("For random characters: 12 to 128."),
            "words": _("For words: 5 to 12."),
            "look_alikes": _("They are easily mistyped when somebody reads the password aloud or copies it by hand."),
            "forbid_names": _("Microsoft refuses them as well."),
            "rotate_every_days": _("Leave empty, and age alone changes nothing."),
            "hours_after_reveal": _("So that whoever fetched it can finish the work."),
            "rotate_after_assignment_end": _("When the person had fetched it."),
            "rotate_after_drift": _("This takes the account back from whoever changed it, without asking."),
            "quiet_from": _("Leave both empty for none. They may span midnight."),
            "quiet_zone": _("Its name, such as Europe/Berlin."),
            "ticket_pattern": _("# is a number, ### one of three digits: INC#, OPS-#. Leave empty for any."),
        }
        widgets = {
            "quiet_from": _clock(),
            "quiet_until": _clock(),
            "style": forms.RadioSelect,
            "asks": forms.RadioSelect,
        }

    def __init__(self, data: Any = None, *, rules: Rules) -> None:
        """`rules` are what the form begins with."""
        said = asdict(rules) | {"forbidden_parts": "\n".join(rules.forbidden_parts), "classes": list(rules.classes)}
        super().__init__(data, initial=said)
        self.begins_with = rules

    def groups(self) -> Iterator[tuple[Any, Any, list[forms.BoundField]]]:
        for heading, text, names in GROUPS:
            yield heading, text, [self[name] for name in names]

    def clean_forbidden_parts(self) -> list[str]:
        parts = (part.strip() for part in re.split(r"[\n,]", self.cleaned_data["forbidden_parts"]))
        return list(dict.fromkeys(part for part in parts if part))

    def clean_classes(self) -> list[str]:
        return [kind for kind in CLASSES if kind in self.cleaned_data["classes"]]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for name, text in why_not(self.rules()).items():
            if name not in self.errors:
                self.add_error(name, text)
        return given

    def rules(self) -> Rules:
        facts: dict[str, Any] = dict(self.cleaned_data)
        facts |= {name: tuple(fact) for name, fact in facts.items() if isinstance(fact, list)}
        return replace(self.begins_with, **facts)
