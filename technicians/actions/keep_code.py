"""Keep a technician's seed in the vault, for one person on one account, and empty its envelope when that ends."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.ledger.record import record
from technicians.models import Assignment, Authenticator, KeptCode, Technician
from tenants.enrolment_policy_queries import enrolment_policies_of, enrolment_policy_of
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside


@transaction.atomic
def keep_code(
    account: SharedAccount,
    technician: Technician,
    seed: bytes,
    *,
    authenticator: Authenticator | None = None,
    until: dt.datetime | None = None,
    outside: Outside,
) -> KeptCode:
    """Seal the seed for this person. `until` None: for the codes; a moment: to be seen again until then.

    Call it in the transaction of its cause; the policy was asked before. What was kept before for this person on
    this account ends. Raises KeyTrouble, LedgerClosed.
    """
    end_kept_codes(technician=technician, account=account, because=_("Another one took its place."))
    kept = KeptCode(
        reseller_id=account.reseller_id,
        technician=technician,
        account=account,
        authenticator=authenticator,
        until=until,
    )
    kept.sealed = outside.vault.seal(seed, kept.place)
    kept.save()
    _write_down("code.kept", kept, by=technician, until=until.isoformat() if until else None)
    return kept


def keep_for_later(
    account: SharedAccount, technician: Technician, seed: bytes, *, authenticator: Authenticator, outside: Outside
) -> KeptCode | None:
    """Keep the seed for as many days as the policy says, for this person's next phone; None where it says none.

    Call it in the transaction of its cause. Raises KeyTrouble, LedgerClosed.
    """
    days = enrolment_policy_of(account).keep_for_later_days
    in_use = KeptCode.objects.live().filter(technician=technician, account=account, until__isnull=True)
    # Only one can be kept, and codes that are in use are of more use than a seed for later.
    if not days or in_use.exists():
        return None
    until = timezone.now() + dt.timedelta(days=days)
    return keep_code(account, technician, seed, authenticator=authenticator, until=until, outside=outside)


@transaction.atomic
def end_kept_codes(
    *,
    because: str,
    technician: Technician | None = None,
    account: SharedAccount | None = None,
    by: Technician | None = None,
) -> int:
    """Empty the envelopes of a person, of an account, or of one on the other; says how many. Raises LedgerClosed."""
    wanted = {name: row for name, row in (("technician", technician), ("account", account)) if row is not None}
    if not wanted:
        raise ValueError("Say whose codes end, or those of which account.")
    return _end(KeptCode.objects.filter(**wanted), because=because, by=by)


@transaction.atomic
def end_stale_kept_codes() -> int:
    """What nobody may see any more is emptied: its time is over, its method or assignment is gone. For the clock."""
    now = timezone.now()
    held = Assignment.objects.live(now).filter(technician=OuterRef("technician"), account=OuterRef("account"))
    live = KeptCode.objects.all()
    left = live.exclude(technician__status=Technician.Status.ACTIVE)
    ended = _end(left, because=_("The person has no access any more."))
    ended += _end(live.filter(~Exists(held)), because=_("The assignment ended."))
    ended += _end(live.filter(until__lte=now), because=_("Its time was over."))
    ended += _end(
        live.filter(authenticator__method__removed_at__isnull=False), because=_("Its authenticator is not there.")
    )
    return ended + _end_those_not_allowed_any_more(now)


def _end_those_not_allowed_any_more(now: dt.datetime) -> int:
    """The policy was made stricter since. Codes in use stay: without them their person would be locked out."""
    for_later = list(KeptCode.objects.live().filter(until__isnull=False).select_related("account"))
    policies = enrolment_policies_of({kept.account for kept in for_later})
    over = [
        kept.pk
        for kept in for_later
        if kept.made_at + dt.timedelta(days=policies[kept.account_id].keep_for_later_days) <= now
    ]
    return _end(KeptCode.objects.filter(pk__in=over), because=_("The policy does not allow it any more."))


def _end(codes: QuerySet[Any], *, because: str, by: Technician | None = None) -> int:
    """The envelope goes in the same statement as the life of it."""
    ended = list(
        codes.filter(ended_at=None)
        .select_for_update(of=("self",))
        .select_related("account", "technician")
        .order_by("pk")
    )
    KeptCode.objects.filter(pk__in=[kept.pk for kept in ended]).update(
        ended_at=timezone.now(), ended_because=because[:200], sealed=b""
    )
    for kept in ended:
        _write_down("code.emptied", kept, by=by, because=because)
    return len(ended)


def write_shown(kept: KeptCode, verb: str, *, by: Technician) -> None:
    """Before anything of it leaves: that it does, counted and recorded. Raises LedgerClosed."""
    KeptCode.objects.filter(pk=kept.pk).update(shown=F("shown") + 1, shown_at=timezone.now())
    _write_down(verb, kept, by=by)


def _write_down(verb: str, kept: KeptCode, *, by: Technician | None, **facts: Any) -> None:
    record(
        verb,
        reseller_id=kept.reseller_id,
        actor=by,
        tenant_id=kept.account.tenant_id,
        account_id=kept.account_id,
        technician_id=kept.technician_id,
        kept_code=str(kept.pk),
        **facts,
    )
