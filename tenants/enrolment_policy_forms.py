"""What is chosen to set an enrolment policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from tenants.actions.set_enrolment_policy import RULES, facts_of, why_no_way
from tenants.models import EnrolmentPolicy

GROUPS = [
    (
        _("How a technician may enrol"),
        _("At least one of the first three. Whoever enrols is offered the best that is allowed and possible."),
        ("our_seed", "microsoft_page", "kept_here", "passes", "claims"),
    ),
    (
        _("The same seed a second time"),
        _("Nobody else and no other account ever gets the same seed; that cannot be switched off."),
        ("duplicates", "keep_for_later_days"),
    ),
    (
        _("Many tenants at once, and time"),
        _("For a technician who gets many accounts in one sitting."),
        ("accounts_per_code", "files", "minutes_on_screen"),
    ),
]
"""The form's parts: heading, what to know, fields."""


class EnrolmentPolicyForm(HouseForm, forms.ModelForm):
    """All rules of one policy. `rules()` gives them by name, once the form is valid."""

    accounts_per_code = forms.TypedChoiceField(
        label=_("Accounts in one QR code"),
        coerce=int,
        choices=EnrolmentPolicy.AccountsPerCode.choices,
        widget=forms.RadioSelect,
        help_text=_("Old phones read five more easily than ten."),
    )

    class Meta:
        model = EnrolmentPolicy
        fields = RULES
        labels = {
            "our_seed": _("With a seed that Latchkey chooses (best)"),
            "passes": _("On Microsoft's page with a Temporary Access Pass, where an account needs one"),
            "claims": _("Claiming a method that is on the account already"),
            "duplicates": _("A second device of the same person"),
            "keep_for_later_days": _("Days in which a person may see their own seed again"),
            "files": _("Encrypted files for Aegis and 2FAS"),
            "minutes_on_screen": _("Minutes until an enrolment on screen expires"),
        }
        help_texts = {
            "our_seed": _("Scan once, type one code. It carries a serial number of ours, so it can be proven gone."),
            "microsoft_page": _("Works everywhere. It is told apart by when it appeared, and by a code of its key."),
            "passes": _("Once, with the shortest life that Microsoft allows, and removed afterwards."),
            "kept_here": _(
                "Needs no phone and no place on one. The risk: password and second factor then lie in one place, and "
                "whoever takes over a technician's sign-in to Latchkey has both. Codes that are kept already stay in "
                "use when you switch this off, until their person enrols in another way."
            ),
            "claims": _("For taking over accounts on which people have authenticators already."),
            "duplicates": _("Two phones then show the same code, and both go when one has to. They are counted."),
            "keep_for_later_days": _(
                "0 to 30; 0 is never, and best: a new phone is enrolled anew, and the old one stays until that works. "
                "More days mean that the seed lies sealed here for as long."
            ),
            "files": _("Each is a copy of many seeds, with a password of its own. Off unless somebody needs it."),
            "minutes_on_screen": _("2 to 60. Somebody else could photograph a code that stays on a screen."),
        }

    def __init__(self, data: Any = None, *, policy: EnrolmentPolicy) -> None:
        """`policy` is what the form begins with."""
        super().__init__(data, initial=facts_of(policy))

    def groups(self) -> Iterator[tuple[Any, Any, list[forms.BoundField]]]:
        for heading, text, names in GROUPS:
            yield heading, text, [self[name] for name in names]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if wrong := why_no_way({name: given.get(name) for name in RULES}):
            self.add_error("our_seed", wrong)
        return given

    def rules(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in RULES}
