"""What is chosen to set the policy of departures."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from tenants.actions.set_departure_policy import RULES, facts_of
from tenants.models import DeparturePolicy


class DeparturePolicyForm(HouseForm, forms.ModelForm):
    """All rules of the policy. `rules()` gives them by name, once the form is valid."""

    webhook_url = forms.URLField(
        label=_("Webhook"),
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text=_(
            "Gets a signed message when a request waits or is decided, when an alarm is raised and when a run ends. "
            "Leave empty for none."
        ),
    )

    class Meta:
        model = DeparturePolicy
        fields = RULES
        help_texts = {
            "approvals": _("0 to 3. Neither whoever asks nor whoever leaves can agree. With 0 it starts at once."),
            "approvals_above": _("Leave empty for no difference."),
            "approvals_for_many": _("1 to 5, and no fewer than above."),
            "try_password": _(
                "One sign-in with it after the change, so that Microsoft's refusal is in the evidence. It can never "
                "lock the account."
            ),
            "try_code": _("Only where the seed is known here. One sign-in."),
            "try_session": _("Only where a session of Latchkey's own can be tried. One request."),
            "rehearse_every_days": _("Leave empty, and rehearsals are made when somebody asks for one."),
        }

    GROUPS = [
        (
            _("Approval"),
            _(
                "How many others have to agree before a departure starts. An owner can start one without; an alarm "
                "says so."
            ),
            ("approvals", "approvals_above", "approvals_for_many"),
        ),
        (
            _("Negative proof"),
            _("What must be refused afterwards, and is tried: each only once."),
            ("try_password", "try_code", "try_session"),
        ),
        (_("Rehearsal"), _("The same plan against a copy, before it is needed."), ("rehearse_every_days",)),
        (_("Word to others"), _("To a system of yours, besides the mails to people."), ("webhook_url",)),
    ]

    def __init__(self, data: Any = None, *, policy: DeparturePolicy) -> None:
        """`policy` is what the form begins with."""
        super().__init__(data, initial=facts_of(policy))

    def groups(self) -> list[tuple[Any, Any, list[forms.BoundField]]]:
        return [(heading, text, [self[name] for name in names]) for heading, text, names in self.GROUPS]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        many, few = given.get("approvals_for_many"), given.get("approvals")
        if given.get("approvals_above") and many is not None and few is not None and many < few:
            self.add_error("approvals_for_many", _("More accounts cannot need fewer people."))
        return given

    def rules(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in RULES}
