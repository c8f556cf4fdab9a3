"""What every template knows."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.access.fresh import is_fresh
from msp.access.middleware import has_both_factors
from technicians.departure_pages import number_for
from technicians.knowledge_queries import open_notices
from tenants.alarm_queries import open_alarms


class Item(NamedTuple):
    """One line of the navigation."""

    label: str
    url: str
    icon: str
    here: bool


def page(request: HttpRequest) -> dict[str, Any]:
    """`navigation` (only what the role may see), `version`, `times_in`, `factor_is_fresh`, `new_passwords`."""
    user: Any = getattr(request, "user", None)
    inside = has_both_factors(user)
    return {
        "navigation": _navigation(request, user) if inside else [],
        "version": version(),
        "times_in": timezone.get_current_timezone_name(),
        "factor_is_fresh": inside and is_fresh(request),
        # Counted only where a page says it; a fragment does not.
        "new_passwords": lambda: open_notices(user).count() if inside and user.may("reveal") else None,
        "open_alarms": lambda: open_alarms(user) if inside and user.may("waive") else None,
        # The same; None for whoever may not see requests.
        "departures_waiting": lambda: number_for(user) if inside and user.may("see_people") else None,
    }


@cache
def version() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as facts:
        return str(tomllib.load(facts)["project"]["version"])


def _navigation(request: HttpRequest, user: Any) -> list[Item]:
    name = request.resolver_match.view_name if request.resolver_match else ""
    runs = name.startswith(
        (
            "tenants:run",
            "tenants:departure",
            "technicians:offboard",
            "technicians:departure",
            "technicians:rehears",
            "technicians:ask_depart",
        )
    )
    places = [
        ("", _("Dashboard"), "web:dashboard", "dashboard", name == "web:dashboard"),
        ("see_accounts", _("Tenants"), "tenants:list", "tenants", name.startswith("tenants:") and not runs),
        (
            "see_people",
            _("Technicians"),
            "technicians:list",
            "technicians",
            name.startswith("technicians:") and not runs,
        ),
        ("see_runs", _("Runs"), "tenants:run_list", "runs", runs),
        ("see_ledger", _("Ledger"), "ledger:list", "ledger", name.startswith("ledger:")),
        ("see_reports", _("Reports"), "reports:index", "reports", name.startswith("reports:")),
        ("import", _("Import"), "import:start", "import", name.startswith("import:")),
    ]
    return [
        Item(label, reverse(url), icon, here)
        for right, label, url, icon, here in places
        if not right or user.may(right)
    ]
