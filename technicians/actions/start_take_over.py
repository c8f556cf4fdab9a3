"""Begin a take-over: everybody concerned is asked to enrol anew or to claim a method, until a day."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.models import Authenticator, EnrolmentRequest, TakeOver, TakeOverAccount, TakeOverTask, Technician
from technicians.take_over_queries import holders_of
from tenants.actions.observe_tenant import observe_tenant
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

Status = TakeOverTask.Status
READ_AT_ONCE = 20
"""So many accounts are read while the manager waits; the clock reads the others within minutes."""
FRESH = dt.timedelta(minutes=10)


def start_take_over(
    name: str,
    accounts: Iterable[SharedAccount],
    *,
    by: Technician,
    due_on: dt.date,
    reason: str,
    owner: Technician | None = None,
    outside: Outside,
) -> TakeOver:
    """Read the accounts, then write down who has to do what and ask them. Nothing changes at Microsoft.

    Raises NotPermitted, BadInput (nothing chosen, break-glass, in another take-over, a day that is past, an owner who
    may not), LedgerClosed. An account that cannot be read does not stop the others: its page says why.
    """
    chosen = sorted({account.pk: account for account in accounts}.values(), key=str)
    _may_start(name, chosen, by=by, due_on=due_on, reason=reason, owner=owner or by)
    read_for_take_over(chosen, outside=outside)
    try:
        return _write_down(name, chosen, by=by, due_on=due_on, reason=reason, owner=owner or by)
    except IntegrityError as clash:
        raise BadInput(
            _("One of these accounts came into another take-over at the same moment; nothing was started. Look again.")
        ) from clash


def read_for_take_over(accounts: Sequence[SharedAccount], *, outside: Outside) -> dict[SharedAccount, str]:
    """Read what was not read lately; account -> why it could not be. Raises nothing that a directory can say."""
    now = timezone.now()
    stale = [account for account in accounts if account.observed_at is None or account.observed_at < now - FRESH]
    of_tenants: defaultdict[Any, list[SharedAccount]] = defaultdict(list)
    for account in stale[:READ_AT_ONCE]:
        of_tenants[account.tenant_id].append(account)
    problems: dict[SharedAccount, str] = {}
    later = [account.pk for account in stale[READ_AT_ONCE:]]
    for of_one in of_tenants.values():
        reading = observe_tenant(of_one, outside=outside)
        problems |= reading.problems
        later += [account.pk for account in reading.left]
    SharedAccount.objects.filter(pk__in=later).update(read_again_at=now)
    return problems


def bring_up_to_date(take_over: TakeOver) -> int:
    """Ask those who came to an account since, and mark what was done elsewhere; says how many rows changed."""
    with transaction.atomic():
        # One at a time: the clock and a page may ask at once.
        here = TakeOver.objects.select_for_update(no_key=True).get(pk=take_over.pk)
        if here.status != TakeOver.Status.OPEN:
            return 0
        rows = list(here.accounts.filter(closed_at__isnull=True).select_related("account"))
        known = set(
            TakeOverTask.objects.filter(take_over_account__in=rows).values_list("take_over_account_id", "technician_id")
        )
        return _make_tasks(here, rows, by=None, known=known) + _mark_done(rows)


@transaction.atomic
def _write_down(
    name: str, accounts: list[SharedAccount], *, by: Technician, due_on: dt.date, reason: str, owner: Technician
) -> TakeOver:
    take_over = TakeOver.objects.create(
        reseller_id=by.reseller_id,
        name=name.strip()[:100],
        reason=reason.strip(),
        owner=owner,
        started_by=by,
        due_on=due_on,
    )
    rows = TakeOverAccount.objects.bulk_create(
        TakeOverAccount(reseller_id=by.reseller_id, take_over=take_over, account=account) for account in accounts
    )
    tasks = _make_tasks(take_over, rows, by=by)
    record(
        "take_over.started",
        reseller_id=by.reseller_id,
        actor=by,
        take_over=str(take_over.pk),
        name=take_over.name,
        reason=take_over.reason,
        owner=owner.email,
        due_on=due_on.isoformat(),
        accounts=[str(account.pk) for account in accounts],
        people=tasks,
    )
    return take_over


def _make_tasks(
    take_over: TakeOver,
    rows: Sequence[TakeOverAccount],
    *,
    by: Technician | None,
    known: Iterable[tuple[Any, Any]] = (),
) -> int:
    """One task for each holder of each account, but for the `known` ones; whoever has proven a method needs none."""
    holders, there = holders_of([row.account_id for row in rows]), set(known)
    proven = {
        (method.method.account_id, method.technician_id): method for method in _proven([row.account_id for row in rows])
    }
    made, asked = [], defaultdict[Technician, list[SharedAccount]](list)
    for row in rows:
        for person in holders[row.account_id]:
            if (row.pk, person.pk) in there:
                continue
            mine = proven.get((row.account_id, person.pk))
            made.append(_task(take_over, row, person, mine))
            if mine is None:
                asked[person].append(row.account)
    TakeOverTask.objects.bulk_create(made)
    asker = by if by is not None else take_over.owner
    for person, accounts in asked.items():
        ask_to_enrol(
            person,
            accounts,
            because=EnrolmentRequest.Because.TAKE_OVER,
            by=asker if asker.may("enrol") else person,
            due_on=take_over.due_on,
        )
    return len(made)


def _task(take_over: TakeOver, row: TakeOverAccount, person: Technician, proven: Authenticator | None) -> TakeOverTask:
    task = TakeOverTask(reseller_id=take_over.reseller_id, take_over_account=row, technician=person)
    if proven is not None:
        task.status, task.authenticator, task.done_at = Status.EXCUSED, proven, timezone.now()
        task.note = _("Has one already: %(method)s. %(proof)s.") % {
            "method": proven.method,
            "proof": proven.get_proof_display(),
        }
    return task


def _mark_done(rows: Sequence[TakeOverAccount]) -> int:
    """Somebody enrolled or claimed on a way that told no task of it."""
    of_account = {row.account_id: row.pk for row in rows}
    changed = 0
    for authenticator in _proven(of_account):
        status = Status.CLAIMED if authenticator.proof in CLAIMED else Status.ENROLLED
        changed += TakeOverTask.objects.filter(
            take_over_account=of_account[authenticator.method.account_id],
            technician=authenticator.technician_id,
            status=Status.OPEN,
        ).update(status=status, authenticator=authenticator, done_at=timezone.now(), changed_at=timezone.now())
    return changed


CLAIMED = (Authenticator.Proof.CLAIMED, Authenticator.Proof.SAID, Authenticator.Proof.SIGNED_IN)


def _proven(accounts: Iterable[Any]) -> list[Authenticator]:
    """Ways in of holders for which there is more than the word of an imported list."""
    found = Authenticator.objects.of_those_who_stay().filter(~Q(proof=Authenticator.Proof.IMPORTED))
    return list(found.filter(method__account__in=list(accounts)).select_related("method"))


def _may_start(
    name: str, accounts: list[SharedAccount], *, by: Technician, due_on: dt.date, reason: str, owner: Technician
) -> None:
    if not by.may("enrol"):
        raise NotPermitted(_("Your role may not start a take-over; nothing was started."))
    if not name.strip():
        raise BadInput(_("Give the take-over a name, so that people know what they are asked for."))
    if not reason.strip():
        raise BadInput(_("Say why: people read it beside what they are asked to do. Nothing was started."))
    if not accounts:
        raise BadInput(_("No account is in it. Choose a group, a tenant or accounts; nothing was started."))
    seen = SharedAccount.objects.visible_to(by).filter(pk__in=[account.pk for account in accounts])
    if seen.count() != len(accounts):
        raise NotPermitted(_("One of these accounts is not yours to see; nothing was started."))
    if special := [str(account) for account in accounts if account.break_glass]:
        raise BadInput(
            _("%(accounts)s: a break-glass account is never touched, so it takes no part. Nothing was started.")
            % {"accounts": ", ".join(special[:5])}
        )
    check_day(due_on)
    check_owner(owner, reseller_id=by.reseller_id)
    busy = TakeOverAccount.objects.filter(account__in=accounts, closed_at__isnull=True)
    if taken := list(busy.select_related("account", "take_over")[:5]):
        words = ", ".join(f"{row.account} ({row.take_over})" for row in taken)
        raise BadInput(
            _("In another take-over already: %(accounts)s. Finish or cancel that one first; nothing was started.")
            % {"accounts": words}
        )


def check_day(due_on: dt.date) -> None:
    """Raises BadInput."""
    if due_on < timezone.localdate():
        raise BadInput(_("The day by which it is to be done is past; nothing was changed."))


def check_owner(owner: Technician, *, reseller_id: Any) -> None:
    """Raises BadInput."""
    if owner.reseller_id != reseller_id or not owner.may("enrol"):
        raise BadInput(
            _("%(name)s cannot own a take-over: it takes somebody active who may enrol others.") % {"name": owner}
        )
