"""What the pages of a bulk enrolment read: who could begin on what, and how a sitting stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from technicians.models import (
    Assignment,
    Authenticator,
    BulkCode,
    BulkEnrolment,
    Enrolment,
    EnrolmentRequest,
    Technician,
)
from tenants.enrolment_policy_queries import enrolment_policies_of
from tenants.models import SharedAccount, TenantGroup

App = BulkEnrolment.App
Status = Enrolment.Status

TAKES_MANY = frozenset({App.GOOGLE, App.AEGIS, App.ENTE, App.BITWARDEN, App.STRATUM, App.TWO_FAS})
"""Apps that take many accounts from one QR code (an `otpauth-migration` address).

Read in the source or documentation of Aegis, Ente, Bitwarden and Google; told by users of Stratum. Assumption: 2FAS
takes them by scanning, too. Microsoft Authenticator, Authy and 1Password do not.
"""
TAKES_FILE = frozenset({App.AEGIS, App.TWO_FAS})
"""Apps for which an encrypted file can be made."""


def scans(accounts: int, accounts_per_code: int) -> int:
    """How many QR codes it takes."""
    return -(-accounts // accounts_per_code)


# --- before it begins ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """An account that the person holds. `because` is the reason on their enrolment list, "" when it is not on it."""

    account: SharedAccount
    because: str
    has_own: bool

    @property
    def is_wanted(self) -> bool:
        """Asked for, or still without an authenticator of the person's own."""
        return bool(self.because) or not self.has_own


def candidates_of(technician: Technician) -> list[Candidate]:
    """Every account that the person holds now and could enrol on, by customer and name; four queries."""
    held = Assignment.objects.live().filter(technician=technician).values("account_id")
    accounts = (
        SharedAccount.objects.at_microsoft()
        .filter(pk__in=held, break_glass=False)
        .select_related("tenant__customer", "reseller")
    )
    requests = EnrolmentRequest.objects.open().filter(technician=technician)
    asked = {request.account_id: request.get_because_display() for request in requests}
    own = with_own_authenticator(technician)
    loaded = accounts.select_related("tenant__customer", "reseller")
    ordered = loaded.order_by("tenant__customer__name", "user_principal_name")
    return [Candidate(account, str(asked.get(account.pk, "")), account.pk in own) for account in ordered]


def with_own_authenticator(technician: Technician) -> set[Any]:
    """The ids of the accounts into which an authenticator of this person lets them now."""
    return set(
        Authenticator.objects.that_let_in().filter(technician=technician).values_list("method__account_id", flat=True)
    )


def groups_of(candidates: Iterable[Candidate]) -> dict[TenantGroup, set[Any]]:
    """The tenant groups in which there is something to choose, with the ids of the accounts in each."""
    by_tenant: dict[Any, set[Any]] = {}
    for candidate in candidates:
        by_tenant.setdefault(candidate.account.tenant_id, set()).add(candidate.account.pk)
    groups = TenantGroup.objects.filter(tenants__in=by_tenant).distinct().prefetch_related("tenants").order_by("name")
    return {group: set().union(*(by_tenant.get(t.pk, set()) for t in group.tenants.all())) for group in groups}


def most_per_code(accounts: Sequence[SharedAccount], app: str) -> int:
    """How many accounts one QR code may hold: what the app takes, and the strictest policy among them."""
    if app not in TAKES_MANY or not accounts:
        return 1
    return min(policy.accounts_per_code for policy in enrolment_policies_of(accounts).values())


# --- a sitting ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sitting:
    """How a bulk enrolment stands at `now`. The enrolments come by customer and name, as the QR codes hold them."""

    bulk: BulkEnrolment
    enrolments: tuple[Enrolment, ...]
    codes: tuple[BulkCode, ...]
    now: dt.datetime
    may_take_file: bool = False

    def waiting_in(self, code: BulkCode) -> list[Enrolment]:
        """The accounts of one QR code that may still be proven."""
        return [e for e in self.waiting if e.code_number == code.number]

    @property
    def waiting(self) -> list[Enrolment]:
        return [e for e in self.enrolments if e.status == Status.WAITING_FOR_SCAN and e.expires_at > self.now]

    @property
    def preparing(self) -> list[Enrolment]:
        return [e for e in self.enrolments if e.status == Status.PREPARING and e.expires_at > self.now]

    @property
    def activating(self) -> list[Enrolment]:
        return [e for e in self.enrolments if e.status == Status.ACTIVATING]

    @property
    def active(self) -> list[Enrolment]:
        return [e for e in self.enrolments if e.status == Status.ACTIVE]

    @property
    def failed(self) -> list[Enrolment]:
        """Those that came to nothing, also by the clock before anybody has written that down."""
        alive = {e.pk for e in (*self.waiting, *self.preparing, *self.activating, *self.active)}
        return [e for e in self.enrolments if e.pk not in alive]

    @property
    def on_screen(self) -> BulkCode | None:
        """The QR code that was shown and whose codes are awaited."""
        return next((code for code in self.codes if code.shown_at and self.waiting_in(code)), None)

    @property
    def asked(self) -> list[Enrolment]:
        """Whose codes are to be typed now."""
        code = self.on_screen
        return [e for e in self.waiting_in(code) if str(e.pk) in code.asked] if code else []

    @property
    def put_by(self) -> BulkCode | None:
        """A QR code that is made up and was not shown yet."""
        return next((code for code in self.codes if not code.shown_at and self.waiting_in(code)), None)

    @property
    def unsorted(self) -> list[Enrolment]:
        """Ready, and in no QR code yet."""
        return [e for e in self.waiting if e.code_number is None]

    @property
    def next_up(self) -> list[Enrolment]:
        """The accounts of the next QR code."""
        return self.waiting_in(self.put_by) if self.put_by else self.unsorted[: self.bulk.accounts_per_code]

    @property
    def is_short(self) -> bool:
        """The next QR code would hold fewer than it could, because some of the tokens are still being made."""
        few = len(self.next_up) < self.bulk.accounts_per_code
        return bool(few and self.preparing and not self.put_by)

    @property
    def scans_left(self) -> int:
        made_up = sum(bool(self.waiting_in(code)) for code in self.codes)
        return made_up + scans(len(self.unsorted) + len(self.preparing), self.bulk.accounts_per_code)

    @property
    def scans_done(self) -> int:
        return sum(code.proven_at is not None for code in self.codes)

    @property
    def next_number(self) -> int:
        return max((code.number for code in self.codes), default=0) + 1

    @property
    def moves(self) -> bool:
        """Something happens without the person, so a page asks again."""
        return bool(self.preparing or self.activating)

    @property
    def is_over(self) -> bool:
        return len(self.active) + len(self.failed) == len(self.enrolments)


def sitting_of(bulk: BulkEnrolment, *, seen_by: Technician | None = None) -> Sitting:
    """A constant number of queries. `seen_by` leaves out the accounts that this reader does not see."""
    rows = bulk.enrolments if seen_by is None else Enrolment.objects.visible_to(seen_by).filter(bulk=bulk)
    enrolments = tuple(
        rows.select_related("account__tenant__customer", "technician", "registration__account").order_by(
            "account__tenant__customer__name", "account__user_principal_name"
        )
    )
    return Sitting(bulk, enrolments, tuple(bulk.codes.order_by("number")), timezone.now(), _file(bulk, enrolments))


def _file(bulk: BulkEnrolment, enrolments: Sequence[Enrolment]) -> bool:
    if bulk.app not in TAKES_FILE or not enrolments:
        return False
    return all(policy.files for policy in enrolment_policies_of(e.account for e in enrolments).values())
