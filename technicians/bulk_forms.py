"""What is chosen before a bulk enrolment begins."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from technicians.models import BulkEnrolment
from tenants.models import EnrolmentPolicy, SharedAccount


class BulkForm(HouseForm):
    """Accounts, the app, and how dense the QR codes may be."""

    account = forms.MultipleChoiceField(
        error_messages={
            "required": _("Choose at least one account."),
            "invalid_choice": _("One of these accounts is not yours to enrol on any more. Load the page again."),
        },
    )
    app = forms.ChoiceField(
        choices=BulkEnrolment.App.choices, error_messages={"required": _("Choose the app that you scan with.")}
    )
    accounts_per_code = forms.TypedChoiceField(
        label=_("Accounts in one QR code"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=EnrolmentPolicy.AccountsPerCode.choices,
        help_text=_("Fewer accounts make a coarser picture, which weak cameras read better."),
    )

    def __init__(self, *args: object, accounts: Iterable[SharedAccount], **named: object) -> None:
        super().__init__(*args, **named)  # type: ignore[arg-type]
        self.accounts = {str(account.pk): account for account in accounts}
        self.fields["account"].choices = [(pk, str(account)) for pk, account in self.accounts.items()]  # type: ignore[attr-defined]

    def clean_account(self) -> list[SharedAccount]:
        """In the order of the page, whatever order the browser sent them in."""
        chosen = set(self.cleaned_data["account"])
        return [account for pk, account in self.accounts.items() if pk in chosen]
