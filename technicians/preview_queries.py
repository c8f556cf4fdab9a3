"""The facts of a preview, in a number of queries that does not grow with the accounts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from technicians.difference_plans import Difference, differences_at_first_look, snapshot
from technicians.knowledge_plans import Verdict
from technicians.knowledge_queries import rows_of
from technicians.models import Assignment, Authenticator, DepartureRequest, Technician
from technicians.pace_plans import Pace, Worked, measured
from technicians.plans import DeparturePlan
from technicians.preview_plans import AccountPreview, Knows, Preview, Standing, Unread, worst_known
from tenants.models import AccountClass, Finding, Method, SecretVersion, SharedAccount, Target, Tenant
from tenants.pace_queries import accounts_worked, last_finished_runs

HOURS = {named.value: named.hours for named in AccountClass}
READINGS = 2
"""Of an account at least: one before, one after."""


def preview_of(plan: DeparturePlan, leavers: Sequence[Technician], *, reseller_id: UUID) -> Preview:
    """What `plan` would do, with everything that is known about it. Call it for somebody who sees every account of it.

    Without leavers (a customer goes) what anybody knew of the passwords is left out.
    """
    accounts = SharedAccount.objects.filter(pk__in=[a.holding.account_id for a in plan.accounts])
    standings = _standings(accounts, _knowledge(list(accounts.only("pk").order_by()), leavers))
    previews = tuple(AccountPreview(a, standings[a.holding.account_id]) for a in plan.accounts)
    return Preview(previews, pace_of(reseller_id))


def snapshot_of(plan: DeparturePlan, leavers: Sequence[Technician], *, reseller_id: UUID) -> dict[str, Any]:
    """What a request keeps of the preview (`technicians.difference_plans` says the shape)."""
    return snapshot(preview_of(plan, leavers, reseller_id=reseller_id))


def pace_of(reseller_id: UUID) -> Pace:
    """Measured in the last finished runs of this reseller, or assumed where there is none: two queries."""
    return measured(
        Worked(row["target__run_id"], row["began"], row["ended"], READINGS + row["sent"] + row["looks"])
        for row in accounts_worked(last_finished_runs(reseller_id))
    )


def accounts_without_authenticator(person: Technician, reader: Any) -> list[SharedAccount]:
    """Those that this person holds now without a way in of their own, as far as the reader sees."""
    held = Assignment.objects.live().filter(technician=person).values("account_id")
    own = Authenticator.objects.that_let_in().filter(technician=person).values("method__account_id")
    found = SharedAccount.objects.visible_to(reader).filter(pk__in=held, break_glass=False).exclude(pk__in=own)
    return list(found.select_related("tenant"))


def all_differences(request: DepartureRequest) -> list[Difference]:
    """What had changed when the request started, and what the run found when it looked for the first time."""
    found: list[Difference] = list(request.differences)
    if request.run_id is None:
        return found
    targets = Target.objects.filter(run=request.run_id)
    looks = targets.filter(before__isnull=False).values_list("account_id", "before")
    missing = Finding.objects.filter(
        kind=Finding.Kind.ACCOUNT_MISSING, account__in=targets.filter(before__isnull=True).values("account_id")
    ).exclude(status=Finding.Status.RESOLVED)
    told = {(one["kind"], one["account_id"]) for one in found}
    later = differences_at_first_look(
        request.preview,
        {str(pk): before for pk, before in looks},
        {str(pk): words for pk, words in missing.values_list("account_id", "detail")},
    )
    return found + [one for one in later if (one["kind"], one["account_id"]) not in told]


def _standings(accounts: QuerySet[SharedAccount], knowledge: dict[Any, tuple[Knows, Unread]]) -> dict[Any, Standing]:
    """Rows are read as plain values: a page waits for thousands of them."""
    ids = list(knowledge)
    gone = dict(
        Finding.objects.filter(account__in=ids, kind=Finding.Kind.ACCOUNT_MISSING)
        .exclude(status=Finding.Status.RESOLVED)
        .values_list("account_id", "detail")
    )
    unknown = Counter(Method.objects.unknown().filter(account__in=ids).values_list("account_id", flat=True))
    systems = dict(Tenant.System.choices)
    facts = accounts.order_by().values(
        "pk", "object_id", "account_class", "observed_at", "enabled", "synced", "tenant__customer__name",
        "tenant__connection_problem", "tenant__hands_off", "tenant__system",
    )  # fmt: skip
    return {
        row["pk"]: Standing(
            object_id=row["object_id"],
            customer=row["tenant__customer__name"],
            account_class=row["account_class"],
            hours=HOURS[row["account_class"]],
            observed_at=row["observed_at"],
            enabled=row["enabled"],
            synced=row["synced"],
            gone=gone.get(row["pk"], ""),
            connection_problem=row["tenant__connection_problem"],
            hands_off=row["tenant__hands_off"],
            guided="" if row["tenant__system"] == Tenant.System.ENTRA else str(systems[row["tenant__system"]]),
            knows=knowledge[row["pk"]][0],
            unread=knowledge[row["pk"]][1],
            unknown_methods=unknown[row["pk"]],
        )
        for row in facts
    }


def _knowledge(accounts: list[SharedAccount], leavers: Sequence[Technician]) -> dict[Any, tuple[Knows, Unread]]:
    """What the leavers know of each password: some queries for each leaver."""
    ids = [account.pk for account in accounts]
    stored = set(
        SecretVersion.objects.filter(secret__account__in=ids)
        .that_may_sign_in()
        .values_list("secret__account_id", flat=True)
    )
    found: defaultdict[Any, list[tuple[Knows, Unread]]] = defaultdict(list)
    for leaver in leavers:
        for row in rows_of(accounts, of=leaver):
            verdict = row.knowledge.verdict
            if verdict in (Verdict.VALID, Verdict.COULD):
                found[row.account.pk].append((Knows(verdict.value), Unread.NEVER))
            else:
                older = Unread.OLDER if verdict == Verdict.GONE else Unread.NEVER
                found[row.account.pk].append((Knows.NOT_READABLE, older))
    known = {pk: worst_known(found[pk]) for pk in ids}
    nobody = (Knows.NOT_READABLE, Unread.NOT_HERE)
    return {pk: nobody if knows[0] == nobody[0] and pk not in stored else knows for pk, knows in known.items()}
