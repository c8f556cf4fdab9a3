"""What is chosen to ask for a departure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from msp.errors import BadInput
from technicians.departure_queries import Place, approvals_needed, open_request_about, those_who_may_succeed
from technicians.departure_times import NOW, WHEN_DISABLED, Start, start_at
from technicians.duty_queries import duties_of_all
from technicians.models import DepartureRequest, Technician
from tenants.departure_policy_queries import departure_policy_of

Starts = DepartureRequest.Starts


class DepartureForm(HouseForm):
    """When it starts, who succeeds, and why; `templates/technicians/departures/_form.html` shows it.

    `wish()` is what `request_departure` takes besides `by`, once the form is valid. `plan_accounts` is the number of
    accounts that the preview names: with it the form says how many others have to agree.
    """

    starts = forms.ChoiceField(label=_("When it starts"), choices=Starts, required=False, widget=forms.RadioSelect)
    day = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    time = forms.TimeField(
        label=_("Time"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("Empty: when the day is over there."),
    )
    zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Where the person works, such as Europe/Berlin."),
    )
    end_while_waiting = forms.BooleanField(
        label=_("End the sign-in to Latchkey already now, while approval is awaited"), required=False
    )
    end_before_start = forms.BooleanField(label=_("End the sign-in to Latchkey already now"), required=False)
    successor = forms.ModelChoiceField(
        label=_("Successor"), queryset=Technician.objects.none(), required=False, empty_label=_("Nobody")
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "required": True}),
        help_text=_("It is part of the evidence that customers get."),
    )

    def __init__(
        self,
        data: Any = None,
        *,
        by: Technician,
        leavers: Sequence[Technician],
        place: Place | None = None,
        plan_accounts: int = 0,
    ) -> None:
        self.leavers, self.place = leavers, place
        self.approvals_needed = approvals_needed(departure_policy_of(by.reseller_id), plan_accounts)
        self.open_request = open_request_about(leavers, place)
        self.whole = place is None
        self.duties = duties_of_all(leavers, place)
        super().__init__(
            data,
            initial={
                "starts": Starts.NOW,
                "zone": next((leaver.time_zone for leaver in leavers), "UTC"),
                "end_while_waiting": True,
            },
        )
        successor: Any = self.fields["successor"]
        if leavers:
            successor.queryset = those_who_may_succeed(leavers)
        self.may_wait_for_disabling = self.whole and len(leavers) == 1

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        given["start"] = NOW
        chosen = given.get("starts")
        if chosen == Starts.WHEN_DISABLED:
            given["start"] = WHEN_DISABLED
        elif chosen == Starts.AT:
            given["start"] = self._at(given.get("day"), given.get("time"), given.get("zone", ""))
        return given

    def wish(self) -> dict[str, Any]:
        given = self.cleaned_data
        waits = given["start"] == NOW and bool(self.approvals_needed)
        early = given["end_while_waiting"] if waits else given["start"] != NOW and given["end_before_start"]
        return {
            "leavers": self.leavers,
            "place": self.place,
            "reason": given["reason"],
            "successor": given["successor"],
            "start": given["start"],
            "end_access_now": bool(early and self.whole),
        }

    def _at(self, day: dt.date | None, time: dt.time | None, zone: str) -> Start:
        if day is None:
            if "day" not in self.errors:
                self.add_error("day", _("Choose the day."))
            return NOW
        try:
            return start_at(day, time, zone)
        except BadInput as wrong:
            self.add_error("zone", str(wrong))
            return NOW
