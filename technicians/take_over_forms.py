"""What is typed to begin a take-over or to change one."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from msp.access.forms import HouseForm
from technicians.models import RIGHTS, Technician
from tenants.models import SharedAccount, Tenant, TenantGroup

DUE_IN = dt.timedelta(days=14)
MOST_NAMED = 5


def those_who_may_own(by: Technician) -> Any:
    """Active people of the reader's reseller who may enrol others."""
    roles = [role for role, rights in RIGHTS.items() if "enrol" in rights]
    return Technician.objects.visible_to(by).filter(role__in=roles, status=Technician.Status.ACTIVE).order_by("name")


class DueForm(HouseForm):
    """The day and the owner."""

    due_on = forms.DateField(
        label=_("To be done by"),
        help_text=_("From seven days before on, people who are missing get a mail once a day."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    owner = forms.ModelChoiceField(
        label=_("Owner"),
        queryset=Technician.objects.none(),
        empty_label=None,
        help_text=_("Looks after it, and hears when it is overdue."),
    )

    def __init__(self, *args: Any, by: Technician, **named: Any) -> None:
        super().__init__(*args, **named)
        self.by = by
        owner: Any = self.fields["owner"]
        owner.queryset = those_who_may_own(by)


class TakeOverForm(DueForm):
    """Accounts are chosen by group, by tenant and by name, all at once; each counts once."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("People read it, such as: Contoso, autumn 2026.")
    )
    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
    group = forms.ModelChoiceField(
        label=_("Every account of a group"),
        queryset=TenantGroup.objects.none(),
        required=False,
        empty_label=_("No group"),
    )
    places = forms.CharField(
        label=_("Tenants and accounts"),
        required=False,
        max_length=20000,
        help_text=_("One on each line: contoso.example for every account of a tenant, or admin@contoso.example."),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    field_order = ["name", "reason", "group", "places", "due_on", "owner"]

    def __init__(self, *args: Any, by: Technician, **named: Any) -> None:
        named["initial"] = {"due_on": timezone.localdate() + DUE_IN, "owner": by.pk} | named.get("initial", {})
        super().__init__(*args, by=by, **named)
        group: Any = self.fields["group"]
        group.queryset = TenantGroup.objects.visible_to(by)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if self.errors:
            return given
        wanted, unknown = self._wanted(given)
        if unknown:
            more = len(unknown) - MOST_NAMED
            named = ", ".join(unknown[:MOST_NAMED]) + (f" (+{more})" if more > 0 else "")
            self.add_error("places", _("Nothing that you see has this name: %(names)s.") % {"names": named})
            return given
        given["accounts"] = list(
            SharedAccount.objects.visible_to(self.by)
            .at_microsoft()
            .filter(wanted, break_glass=False)
            .select_related("tenant")
        )
        if not given["accounts"]:
            self.add_error(None, _("Choose a group, a tenant or an account that has shared accounts in it."))
        return given

    def _wanted(self, given: dict[str, Any]) -> tuple[Q, list[str]]:
        """Which accounts, and the lines that name nothing. Break-glass accounts take no part."""
        wanted, unknown = Q(pk__in=[]), []
        if given.get("group"):
            wanted |= Q(tenant__in=given["group"].tenants.all())
        for line in dict.fromkeys(line.strip() for line in given.get("places", "").splitlines() if line.strip()):
            if "@" in line:
                here = Q(user_principal_name__iexact=line)
            else:
                here = Q(tenant__in=Tenant.objects.visible_to(self.by).filter(default_domain__iexact=line))
            if SharedAccount.objects.visible_to(self.by).filter(here).exists():
                wanted |= here
            else:
                unknown.append(line)
        return wanted, unknown
