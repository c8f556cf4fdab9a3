"""Tell whoever asked for a run that it came to rest, and again when its second look or a person has decided."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from msp.ledger.canonical import rfc3339
from tenants.actions.deliver import tell
from tenants.actions.open_run import WITH_A_DEADLINE
from tenants.clock_queries import clocks_as_facts, clocks_of_all
from tenants.models import Delivery, DeparturePolicy, Run
from tenants.plans import RunState
from tenants.run_people import people_to_tell_the_end
from tenants.run_queries import people_about

TOLD_OF = (*WITH_A_DEADLINE, Run.Kind.TAKE_OVER)
LOOKED_BACK = dt.timedelta(days=60)
ABOUT = "run.finished"
UNDER_WAY = (RunState.RUNNING, RunState.PAUSED)
FINAL = (RunState.CLEAN, RunState.CLEAN_WITH_EXCEPTIONS, RunState.CANCELLED)
WORDS = {
    RunState.CLEAN_SO_FAR: gettext_lazy(
        "Everything was read back and found so. A second look follows when tokens that were issued before have run out."
    ),
    RunState.CLEAN: gettext_lazy("Everything was read back and found so, twice."),
    RunState.CLEAN_WITH_EXCEPTIONS: gettext_lazy(
        "Everything was read back and found so, except for what a person accepted or stated. The page of the run names "
        "each exception."
    ),
    RunState.NEEDS_ATTENTION: gettext_lazy(
        "It is not done: somewhere a person has to decide. The page of the run says where, what it means and what to "
        "do next."
    ),
    RunState.CANCELLED: gettext_lazy(
        "It was cancelled. The page of the run says what was done before, and what stands as it was."
    ),
}


def tell_run_ends() -> int:
    """How many runs there was something to say of. One state of a run is told once."""
    now = timezone.now()
    told = Delivery.objects.filter(run=OuterRef("pk"), about=ABOUT, facts__final=True)
    runs = (
        Run.objects.with_counts()
        .filter(~Exists(told), kind__in=TOLD_OF, started_at__gte=now - LOOKED_BACK)
        .select_related("reseller", "requested_by", "lost_device__technician", "suspension__technician")
        .prefetch_related("offboardings__technician")
    )
    if not settings.MAIL_FROM:
        runs = runs.filter(reseller__in=DeparturePolicy.objects.exclude(webhook_url="").values("reseller"))
    return sum(_told(run, now) for run in runs)


def _told(run: Any, now: dt.datetime) -> bool:
    if run.state in UNDER_WAY:
        return False
    key = f"{run.pk}:{run.state}"
    if run.deliveries.filter(about=ABOUT, key=key).exists():
        return False
    with transaction.atomic():
        tell(run.reseller, ABOUT, key=key, run=run, people=people_to_tell_the_end(run), facts=_facts(run, now))
    return True


def _facts(run: Any, now: dt.datetime) -> dict[str, Any]:
    state, people = run.state, [str(person) for person in people_about(run)]
    about = f"{run.get_kind_display()}: {', '.join(people)}" if people else str(run.get_kind_display())
    accounts = ngettext("It concerned %(count)d account.", "It concerned %(count)d accounts.", run.accounts)
    return {
        "title": _("%(about)s: %(state)s") % {"about": about, "state": state.label},
        "text": f"{WORDS[state]} {accounts % {'count': run.accounts}}",
        "path": reverse("tenants:run", args=[run.pk]),
        "run": str(run.pk),
        "run_kind": str(run.kind),
        "people": people,
        "state": str(state),
        "final": state in FINAL,
        "started_at": rfc3339(run.started_at),
        "accounts": run.accounts,
        "steps_for_a_person": run.for_a_person,
        "accepted_gaps": run.waived,
        "stated_by_a_person": run.stated,
        "clocks": _whole(clocks_as_facts(clocks_of_all(run, now))),
    }


def _whole(facts: dict[str, Any]) -> dict[str, Any]:
    """In whole seconds: a signed event has a canonical form, and fractions have none."""
    return {name: math.ceil(value) if isinstance(value, float) else value for name, value in facts.items()}
