"""Gaps that were accepted until a day which is past need a person again; the clock asks for it."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from msp.errors import MoveLost
from msp.ledger.record import record
from tenants.actions.deliver import tell
from tenants.actions.findings import open_finding, resolve_findings
from tenants.models import Finding, Run, Step
from tenants.plans import StepState
from tenants.run_people import people_who_answer_for
from tenants.trouble_words import gap_ended

SETTLED_WELL = (StepState.VERIFIED, StepState.NEEDLESS, StepState.STATED)


def end_waivers() -> int:
    """How many gaps are not accepted any more. Findings of those that were closed since are resolved."""
    today = timezone.now().astimezone(dt.UTC).date()
    over = (
        Step.objects.filter(status=StepState.WAIVED, waived_until__lt=today)
        .select_related("target__account__tenant", "target__run__reseller")
        .order_by("target__run_id", "target__position", "position")
    )
    ended: dict[Run, int] = {}
    for step in over:
        if _end(step):
            ended[step.target.run] = ended.get(step.target.run, 0) + 1
    for run, count in ended.items():
        _tell(run, count, today)
    _resolve(today)
    return sum(ended.values())


@transaction.atomic
def _end(step: Step) -> bool:
    assert step.waived_until is not None
    account, words = step.target.account, gap_ended(step.waived_until, step.waived_reason)
    try:
        step.advance(StepState.BLOCKED, problem=words)
    except MoveLost:
        return False
    detail = _("%(step)s, on %(account)s: %(words)s") % {
        "step": step.get_kind_display(),
        "account": account,
        "words": words,
    }
    open_finding(Finding.Kind.GAP_ENDED, tenant=account.tenant, account=account, detail=detail)
    record(
        "step.waiver_ended",
        reseller_id=step.reseller_id,
        actor=None,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        run_id=step.target.run_id,
        step=str(step.pk),
        kind=step.kind,
        until=step.waived_until.isoformat(),
    )
    return True


def _tell(run: Run, count: int, today: dt.date) -> None:
    title = ngettext(
        "%(count)d accepted gap has come to its end (%(run)s)",
        "%(count)d accepted gaps have come to their end (%(run)s)",
        count,
    ) % {"count": count, "run": run}
    tell(
        run.reseller,
        "run.gap_ended",
        key=f"gap:{run.pk}:{today.isoformat()}",
        run=run,
        people=people_who_answer_for(run),
        facts={
            "title": title,
            "text": _("The access is still there. Try the steps again, or accept the gaps for longer."),
            "gaps": count,
            "run": str(run.pk),
            "path": reverse("tenants:run", args=[run.pk]),
        },
    )


def _resolve(today: dt.date) -> None:
    """A finding ends when no step of its account stands open behind a gap that has ended."""
    for finding in Finding.objects.filter(kind=Finding.Kind.GAP_ENDED).exclude(status=Finding.Status.RESOLVED):
        steps = Step.objects.filter(target__account=finding.account, waived_until__lt=today)
        if finding.account is not None and not steps.exclude(status__in=SETTLED_WELL).exists():
            resolve_findings(finding.account, kinds=[Finding.Kind.GAP_ENDED])
