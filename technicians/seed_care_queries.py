"""What the page of an account says about seeds: what is kept here, second devices, comparisons, fallback phones."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

from django.utils import timezone

from msp.microsoft.ports import MethodKind
from technicians.actions.compare_codes import OPEN_FOR
from technicians.actions.declare_duplicate import HAVE_A_SEED
from technicians.actions.show_seed_again import until_by
from technicians.comparison_plans import seconds_left, step_read
from technicians.models import Authenticator, DeclaredDuplicate, KeptCode, Technician, TwoPersonCheck
from technicians.pages import AccountPage
from tenants.enrolment_policy_pages import EnrolmentPolicyCard, enrolment_policy_card
from tenants.enrolment_policy_queries import built_in
from tenants.models import Method, SharedAccount

NEWEST = 5
"""How many comparisons the page shows."""


@dataclass(frozen=True)
class Phone:
    """A phone number that rings for a second factor, with whom it belongs to; None: nobody said so."""

    method: Method
    owner: Technician | None


@dataclass(frozen=True)
class SeedCare:
    """`mine` makes the reader's codes; `for_later` is the reader's seed, to be seen again until `seen_until`.

    `kept` are the codes in use that the reader may know of. `may_declare` are the authenticators for which the reader
    can say that a second device has the same seed. `partners` are those with whom codes can be compared:
    for the reader alone when `asks_others` is False.
    """

    mine: KeptCode | None
    for_later: KeptCode | None
    seen_until: dt.datetime | None
    kept: list[KeptCode]
    duplicates: list[DeclaredDuplicate]
    may_declare: list[Authenticator]
    allows_duplicates: bool
    checks: list[TwoPersonCheck]
    partners: list[Technician]
    asks_others: bool
    phones: list[Phone]
    policy: EnrolmentPolicyCard

    @property
    def may_compare(self) -> bool:
        return len(self.partners) > (1 if self.asks_others else 0)


def seed_care(account: SharedAccount, page: AccountPage, person: Technician) -> SeedCare:
    """Call it only for an account that the reader may see; needs `tenant` loaded."""
    kept = list(KeptCode.objects.visible_to(person).live().filter(account=account).select_related("technician"))
    mine = next((one for one in kept if one.technician_id == person.pk), None)
    card = enrolment_policy_card(account, person)
    policy = card.policy or built_in(account.reseller_id)
    until = until_by(policy, mine) if mine and mine.until else None
    present = until is not None and until > timezone.now()
    checks = TwoPersonCheck.objects.visible_to(person).filter(account=account).select_related("first", "second")
    return SeedCare(
        mine=mine if mine and not mine.until else None,
        for_later=mine if present else None,
        seen_until=until if present else None,
        kept=[one for one in kept if not one.until],
        duplicates=duplicates_on(account, person),
        may_declare=_may_declare(page, person) if policy.duplicates else [],
        allows_duplicates=policy.duplicates,
        checks=list(checks[:NEWEST]),
        partners=_partners(page, person),
        asks_others=person.may("enrol"),
        phones=[Phone(row.method, row.owner) for row in page.methods if row.method.kind == MethodKind.PHONE],
        policy=card,
    )


def duplicates_on(account: SharedAccount, person: Technician) -> list[DeclaredDuplicate]:
    """Second devices of authenticators that are there, as far as the reader may know of them."""
    found = DeclaredDuplicate.objects.visible_to(person).filter(
        authenticator__method__account=account, authenticator__method__removed_at=None
    )
    return list(found.select_related("authenticator__technician", "authenticator__method"))


def _may_declare(page: AccountPage, person: Technician) -> list[Authenticator]:
    """Those with a seed: of everybody for whom the reader may enrol, else the reader's own."""
    bound = [row.authenticator for row in page.methods if row.authenticator and row.method.kind in HAVE_A_SEED]
    return [one for one in bound if person.may("enrol") or one.technician_id == person.pk]


def _partners(page: AccountPage, person: Technician) -> list[Technician]:
    """Whoever holds the account; a holder without the right to ask others asks one of their colleagues."""
    holders = [one.assignment.technician for one in page.holders if one.assignment.technician.may("reveal")]
    if person.may("enrol"):
        return holders
    if person.pk not in {holder.pk for holder in holders}:
        return []
    return [holder for holder in holders if holder.pk != person.pk]


@dataclass(frozen=True)
class CheckPage:
    """One comparison as one person sees it. `seconds` are left in which a code typed now still counts together."""

    check: TwoPersonCheck
    is_part: bool
    has_typed: bool
    other_has_typed: bool
    other: Technician
    is_over: bool
    is_too_late: bool
    seconds: int


def check_page(check: TwoPersonCheck, person: Technician) -> CheckPage:
    """Needs `first`, `second` and `account` loaded."""
    waiting = check.result == TwoPersonCheck.Result.WAITING
    step = step_read(time.time())
    stale = waiting and (
        (check.step is not None and check.step < step - 1) or check.asked_at + OPEN_FOR <= timezone.now()
    )
    return CheckPage(
        check=check,
        is_part=person.pk in (check.first_id, check.second_id),
        has_typed=check.typed_by_id == person.pk,
        other_has_typed=check.typed_by_id is not None and check.typed_by_id != person.pk,
        other=check.second if person.pk == check.first_id else check.first,
        is_over=stale or not waiting,
        is_too_late=stale or check.result == TwoPersonCheck.Result.TOO_LATE,
        seconds=seconds_left(time.time()),
    )
