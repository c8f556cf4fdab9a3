"""Who of those who stay on an account has the password in force, after a run has changed it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from technicians.models import RIGHTS, Assignment, PasswordNotice, Reveal, Technician
from tenants.models import Run, SecretVersion, SharedAccount, Step
from tenants.plans import StepKind, StepState

WHO_FETCH = sorted(role for role, rights in RIGHTS.items() if "reveal" in rights)
"""The roles that may fetch a password: only they can have the new one."""


@dataclass(frozen=True)
class Share:
    """One person who stays on one account, and how far the password in force has come to them.

    Word of it never holds the password: `told_at` is when Latchkey wrote it down for them, `mailed_at` when the mail
    server took it, `read_at` when they saw it. `fetched_at` alone says that they have the password.
    """

    technician_id: UUID
    name: str
    told_at: dt.datetime | None = None
    mailed_at: dt.datetime | None = None
    read_at: dt.datetime | None = None
    fetched_at: dt.datetime | None = None
    entered_it: bool = False

    @property
    def has_it(self) -> bool:
        return self.entered_it or self.fetched_at is not None


@dataclass(frozen=True)
class AccountShares:
    """One account whose password the run has changed: the version in force, and each of those who stay."""

    account: SharedAccount
    version: SecretVersion | None
    shares: tuple[Share, ...]

    @property
    def have_it(self) -> int:
        return sum(share.has_it for share in self.shares)

    @property
    def still_without(self) -> tuple[Share, ...]:
        return tuple(share for share in self.shares if not share.has_it)


@dataclass(frozen=True)
class Reshared:
    """The sum: of `stay` people on accounts (each counted once an account) so many have the password in force."""

    accounts: int
    stay: int
    have_it: int

    @property
    def is_complete(self) -> bool:
        return self.have_it == self.stay


def accounts_changed_by(run: Run, user: Any | None = None) -> Any:
    """The accounts whose password this run has changed, proven or stated by a person: all, or those `user` sees."""
    changed = Step.objects.filter(
        target__run=run, kind=StepKind.ROTATE_PASSWORD, status__in=[StepState.VERIFIED, StepState.STATED]
    )
    seen = SharedAccount.objects.all() if user is None else SharedAccount.objects.visible_to(user)
    found = seen.filter(pk__in=changed.values("target__account_id"))
    return found.select_related("tenant__customer").order_by("tenant__default_domain", "user_principal_name")


def shares_of(accounts: Iterable[SharedAccount]) -> list[AccountShares]:
    """In the order of the accounts; four queries, however many. Only people whose role may fetch passwords count."""
    accounts = list(accounts)
    versions = {
        version.secret.account_id: version
        for version in SecretVersion.objects.in_force()
        .filter(secret__account__in=accounts)
        .select_related("secret")
        .defer("sealed")
    }
    ids = [version.pk for version in versions.values()]
    fetched = _first_fetched(ids)
    notices = {(n.version_id, n.technician_id): n for n in PasswordNotice.objects.filter(version__in=ids)}
    holders: defaultdict[UUID, dict[UUID, str]] = defaultdict(dict)
    live = Assignment.objects.live().filter(account__in=accounts, technician__status=Technician.Status.ACTIVE)
    for account_id, person_id, name in (
        live.filter(technician__role__in=WHO_FETCH)
        .order_by("technician__name")
        .values_list("account_id", "technician_id", "technician__name")
    ):
        holders[account_id][person_id] = name
    return [
        _of_account(account, versions.get(account.pk), holders[account.pk], notices, fetched) for account in accounts
    ]


def _first_fetched(version_ids: Collection[UUID]) -> dict[tuple[UUID, UUID], dt.datetime]:
    newest_first = Reveal.objects.filter(version__in=version_ids).order_by("-at")
    return {(r.version_id, r.technician_id): r.at for r in newest_first.only("version_id", "technician_id", "at")}


def _of_account(
    account: SharedAccount,
    version: SecretVersion | None,
    holders: dict[UUID, str],
    notices: dict[tuple[UUID, UUID], PasswordNotice],
    fetched: dict[tuple[UUID, UUID], dt.datetime],
) -> AccountShares:
    shares = []
    for person_id, name in holders.items():
        if version is None:
            shares.append(Share(person_id, name))
            continue
        notice = notices.get((version.pk, person_id))
        shares.append(
            Share(
                person_id,
                name,
                told_at=notice.created_at if notice else None,
                mailed_at=notice.mailed_at if notice else None,
                read_at=notice.read_at if notice else None,
                fetched_at=fetched.get((version.pk, person_id)),
                entered_it=version.entered_by_id == person_id,
            )
        )
    return AccountShares(account, version, tuple(shares))


def sum_of(shared: Iterable[AccountShares]) -> Reshared:
    shared = list(shared)
    return Reshared(
        accounts=len(shared),
        stay=sum(len(account.shares) for account in shared),
        have_it=sum(account.have_it for account in shared),
    )
