"""Who knows which password: the facts from the database, the verdicts from the plan, in words for a page."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from technicians.knowledge_plans import (
    Access,
    Facts,
    Knowledge,
    Seen,
    Sighting,
    Verdict,
    Version,
    must_change_since,
    who_knows,
)
from technicians.models import Assignment, HandOverLink, PasswordNotice, Reveal, Technician
from tenants.models import SecretVersion, SharedAccount

VERDICTS: dict[str, Any] = {
    Verdict.VALID: _("Seen, still valid"),
    Verdict.GONE: _("Seen, no longer valid"),
    Verdict.COULD: _("Could have seen"),
    Verdict.NOT_READABLE: _("Not readable"),
}
HOW = {
    "shown": _("shown"),
    "copied": _("copied"),
    "handed_over": _("handed over by a link"),
    "exported": _("taken out in an encrypted file"),
    "opened": _("opened by a link"),
    "imported": _("imported"),
    "entered": _("entered"),
    "corrected": _("corrected"),
}
PROOFS = frozenset({SecretVersion.Proof.READ_BACK, SecretVersion.Proof.SIGN_IN})
STATES = dict(SecretVersion.Status.choices)


class Outsider(NamedTuple):
    """Somebody without a sign-in, who opened a link. Only the name that its maker gave is known."""

    recipient: str


@dataclass(frozen=True)
class KnowledgeRow:
    """What one person knows of one account's password. `technician` None: somebody outside, named in `recipient`."""

    account: SharedAccount
    technician: Technician | None
    recipient: str
    knowledge: Knowledge

    @property
    def verdict(self) -> str:
        return self.knowledge.verdict.value

    @property
    def label(self) -> Any:
        return VERDICTS[self.knowledge.verdict]

    @property
    def newest_first(self) -> list[SeenInWords]:
        return [SeenInWords(one) for one in reversed(self.knowledge.seen)]

    @property
    def could_have_seen(self) -> tuple[Version, ...]:
        return self.knowledge.could_have_seen


@dataclass(frozen=True)
class SeenInWords:
    """One version that reached somebody, as a page or a sheet says it."""

    seen: Seen

    @property
    def number(self) -> int:
        return self.seen.version.number

    @property
    def state(self) -> str:
        return self.seen.version.status

    @property
    def state_label(self) -> Any:
        return STATES[self.state]

    @property
    def may_sign_in(self) -> bool:
        return self.seen.may_sign_in

    @property
    def is_back(self) -> bool:
        """Its row says that it is over, and its value may sign in all the same."""
        return self.may_sign_in and self.state in (SecretVersion.Status.RETIRED, SecretVersion.Status.DEAD)

    @property
    def how(self) -> Any:
        return HOW[self.seen.sighting.how]

    @property
    def first_at(self) -> dt.datetime:
        return self.seen.sighting.at

    @property
    def last_at(self) -> dt.datetime:
        return self.seen.sighting.last_at or self.first_at

    @property
    def times(self) -> int:
        return self.seen.sighting.times

    @property
    def reason(self) -> str:
        return self.seen.sighting.reason


def rows_of(accounts: Iterable[SharedAccount], *, of: Technician | None = None) -> list[KnowledgeRow]:
    """The rows of these accounts in their order, of everybody or `of` one person: five queries, however many.

    Call it only with accounts that the reader may see.
    """
    accounts = list(accounts)
    ids = [account.pk for account in accounts]
    facts = _facts(ids, of)
    everybody = {person for found in facts.values() for person in (*_seers(found), *_holders(found))}
    people = Technician.objects.in_bulk([p for p in everybody if not isinstance(p, Outsider)])
    left = {pk: person.left_at for pk, person in people.items() if person.left_at}
    rows: list[KnowledgeRow] = []
    now = timezone.now()
    for account in accounts:
        found = facts[account.pk]
        here = (*_seers(found), *_holders(found))
        complete = Facts(found.versions, found.sightings, found.accesses, [(p, left[p]) for p in here if p in left])
        rows += [_row(account, k, people) for k in who_knows(complete, now=now)]
    return rows


def _row(account: SharedAccount, knowledge: Knowledge, people: dict[Any, Technician]) -> KnowledgeRow:
    if isinstance(knowledge.person, Outsider):
        return KnowledgeRow(account, None, knowledge.person.recipient, knowledge)
    return KnowledgeRow(account, people[knowledge.person], "", knowledge)


def _seers(facts: Facts) -> Iterator[Hashable]:
    return (sighting.person for sighting in facts.sightings)


def _holders(facts: Facts) -> Iterator[Hashable]:
    return (access.person for access in facts.accesses)


# --- the facts ----------------------------------------------------------------------------------------------------


def _facts(ids: list[Any], of: Technician | None) -> dict[Any, Facts]:
    """By account, about everybody or one person; who left is not in it yet."""
    mine = {} if of is None else {"technician": of}
    versions: defaultdict[Any, list[Version]] = defaultdict(list)
    sightings: defaultdict[Any, list[Sighting]] = defaultdict(list)
    accesses: defaultdict[Any, list[Access]] = defaultdict(list)
    stored = SecretVersion.objects.filter(secret__account__in=ids).annotate(account_id=F("secret__account_id"))
    for version in stored.defer("sealed"):
        account_id = version.account_id
        versions[account_id].append(_version(version))
        if version.entered_by_id and (of is None or version.entered_by_id == of.pk):
            entered = Sighting(version.entered_by_id, version.pk, version.created_at, str(version.source), version.note)
            sightings[account_id].append(entered)
    for account_id, sighting in (*_reveals(ids, **mine), *(_openings(ids) if of is None else ())):
        sightings[account_id].append(sighting)
    held = Assignment.objects.filter(account__in=ids, **mine).order_by("technician__name", "from_at")
    for account_id, person_id, from_at, until_at in held.values_list(
        "account_id", "technician_id", "from_at", "until_at"
    ):
        accesses[account_id].append(Access(person_id, from_at, until_at))
    return {pk: Facts(versions[pk], sightings[pk], accesses[pk]) for pk in ids}


def _version(version: SecretVersion) -> Version:
    made_here = version.source == SecretVersion.Source.GENERATED
    return Version(
        id=version.pk,
        number=version.number,
        status=str(version.status),
        value=version.repeats_id or version.pk,
        stored_at=version.created_at,
        in_force_from=version.current_from,
        ended_at=version.retired_at,
        # Before proofs were written down, what Latchkey made came into force by reading back and no other way.
        proven=version.proof in PROOFS or (made_here and version.proof == SecretVersion.Proof.NONE),
    )


def _reveals(ids: list[Any], **mine: Any) -> Iterator[tuple[Any, Sighting]]:
    found = (
        Reveal.objects.filter(version__secret__account__in=ids, **mine)
        .values("version__secret__account_id", "technician_id", "version_id", "act")
        .annotate(
            first=Min("at"),
            last=Max("at"),
            times=Count("pk"),
            reasons=ArrayAgg("reason", order_by="-at"),
            tickets=ArrayAgg("ticket", order_by="-at"),
        )
        .order_by("technician_id", "first")
    )
    for row in found:
        said = " · ".join(word for word in (row["tickets"][0], row["reasons"][0]) if word)
        sighting = Sighting(
            row["technician_id"], row["version_id"], row["first"], row["act"], said, row["last"], row["times"]
        )
        yield row["version__secret__account_id"], sighting


def _openings(ids: list[Any]) -> Iterator[tuple[Any, Sighting]]:
    opened = HandOverLink.objects.filter(version__secret__account__in=ids, opened_at__isnull=False)
    for account_id, version_id, recipient, at, reason in opened.values_list(
        "version__secret__account_id", "version_id", "recipient", "opened_at", "reason"
    ):
        yield account_id, Sighting(Outsider(recipient), version_id, at, "opened", reason)


def accounts_with_knowers(accounts: QuerySet[Any], people: QuerySet[Any] | None = None) -> QuerySet[Any]:
    """Those of these accounts about which there is something to say, or something about one of these people."""
    mine: dict[str, Any] = {} if people is None else {"technician__in": people}
    entered: dict[str, Any] = {"entered_by__isnull": False} if people is None else {"entered_by__in": people}
    seen = Exists(Reveal.objects.filter(version__secret__account=OuterRef("pk"), **mine))
    typed = Exists(SecretVersion.objects.filter(secret__account=OuterRef("pk"), **entered))
    held = Exists(Assignment.objects.filter(account=OuterRef("pk"), **mine))
    return accounts.annotate(was_seen=Q(seen) | Q(typed)).filter(Q(was_seen=True) | held)


# --- on the pages -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fetched:
    """One holder and the version in force: when it was fetched, and whether word of it was sent."""

    technician: Technician
    at: dt.datetime | None
    notice: PasswordNotice | None


@dataclass(frozen=True)
class WhoKnows:
    """The card on the page of an account. `must_change_since` is None while nobody who lost access knows it."""

    rows: list[KnowledgeRow]
    must_change_since: dt.datetime | None
    lost_by: list[KnowledgeRow]
    version: SecretVersion | None
    holders: list[Fetched]

    @property
    def fetched(self) -> list[Fetched]:
        return [holder for holder in self.holders if holder.at]

    @property
    def not_yet(self) -> list[Fetched]:
        return [holder for holder in self.holders if not holder.at]


def who_knows_card(account: SharedAccount, reader: Any) -> WhoKnows:
    """Everybody's row for those who may see people, else the reader's own; seven queries."""
    rows = rows_of([account])
    since = must_change_since(row.knowledge for row in rows)
    if not reader.may("see_people"):
        rows = [row for row in rows if row.technician is not None and row.technician.pk == reader.pk]
    version = SecretVersion.objects.in_force().filter(secret__account=account).defer("sealed").first()
    return WhoKnows(
        rows,
        since,
        [row for row in rows if row.knowledge.lost_access_at],
        version,
        _holders_of(account, version) if version else [],
    )


def _holders_of(account: SharedAccount, version: SecretVersion) -> list[Fetched]:
    held = Assignment.objects.live().filter(account=account, technician__status=Technician.Status.ACTIVE)
    fetched = dict(Reveal.objects.filter(version=version).order_by("at").values_list("technician_id", "at"))
    notices = {notice.technician_id: notice for notice in PasswordNotice.objects.filter(version=version)}
    return [
        Fetched(a.technician, fetched.get(a.technician_id), notices.get(a.technician_id))
        for a in held.select_related("technician").order_by("technician__name")
    ]


def accounts_known_to(technician: Technician, reader: Any) -> QuerySet[Any]:
    """The accounts that the reader sees and about which there is something to say of this person: seen ones first."""
    accounts = SharedAccount.objects.visible_to(reader).select_related("tenant__customer")
    found = accounts_with_knowers(accounts, Technician.objects.filter(pk=technician.pk))
    return found.order_by("-was_seen", "tenant__customer__name", "user_principal_name", "pk")


# --- word of new passwords ----------------------------------------------------------------------------------------


def open_notices(person: Any) -> QuerySet[Any]:
    """What this person was told and has neither read nor fetched, of passwords in force that are still theirs."""
    return notices_to(person).filter(fetched_at=None, is_in_force=True, read_at=None)


def notices_to(person: Any) -> QuerySet[Any]:
    """Every word of a new password to this person about an account that is theirs now, newest first."""
    held = Assignment.objects.live().filter(technician=person.pk)
    fetched = Reveal.objects.filter(technician=person.pk, version=OuterRef("version"))
    return (
        PasswordNotice.objects.visible_to(person)
        .filter(technician=person.pk, version__secret__account__in=held.values("account_id"))
        .select_related("version__secret__account__tenant__customer")
        .defer("version__sealed")
        .annotate(
            fetched_at=Subquery(fetched.order_by("at").values("at")[:1]),
            is_in_force=Q(version__status__in=SecretVersion.IN_FORCE),
        )
        .order_by("-created_at", "pk")
    )
