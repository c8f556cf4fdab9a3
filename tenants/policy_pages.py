"""What the pages about password policies read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actions.change_due_passwords import UNSETTLED
from tenants.actions.set_policy import RIGHT, may_set
from tenants.models import EnrolmentPolicy, PasswordPolicy, Secret, SharedAccount, Step, Tenant, TenantGroup
from tenants.password_plans import Place, Rules
from tenants.plans import StepKind
from tenants.policy_places import place_of
from tenants.policy_queries import Applied, policy_at, policy_of, rules_of
from tenants.policy_words import BECAUSE, changes, in_words, made_of

if TYPE_CHECKING:
    from technicians.models import Technician


@dataclass(frozen=True)
class PolicyCard:
    """What applies to an account and what it will do next.

    `run_id` is the run that changes the password now or waits for a person; otherwise `next_at` is when the next one
    begins, None when nothing is planned, and `because` why.
    """

    applied: Applied
    place: str
    words: list[tuple[str, list[str]]]
    run_id: UUID | None
    next_at: dt.datetime | None
    is_due: bool
    because: Any
    may_set: bool


def policy_card(account: SharedAccount, person: Technician) -> PolicyCard:
    """Call it only for an account that the reader may see; needs `tenant` loaded."""
    applied = policy_of(account)
    secret = Secret.objects.filter(account=account).first()
    step = Step.objects.filter(
        target__account=account, kind=StepKind.ROTATE_PASSWORD, status__in=UNSETTLED
    ).select_related("target")
    busy = step.order_by("-target__run__started_at").first()
    next_at = secret.next_change_at if secret else None
    return PolicyCard(
        applied=applied,
        place=where(applied.policy),
        words=in_words(applied.rules),
        run_id=busy.target.run_id if busy else None,
        next_at=next_at,
        is_due=next_at is not None and next_at <= timezone.now(),
        because=BECAUSE.get(secret.next_change_because, "") if secret else "",
        may_set=may_set(person, Place(account=account)),
    )


def where(policy: PasswordPolicy | EnrolmentPolicy | None) -> str:
    """The place of a policy, as it stands after "the policy"."""
    if policy is None:
        return _("built into Latchkey")
    if policy.account:
        return _("of the account %(name)s") % {"name": policy.account}
    if policy.tenant:
        return _("of the tenant %(name)s") % {"name": policy.tenant}
    if policy.group:
        return _("of the tenant group %(name)s") % {"name": policy.group}
    return _("of all of %(name)s") % {"name": policy.reseller}


@dataclass(frozen=True)
class PolicyOfTenant:
    """The policy of the accounts of a tenant that have none of their own; None when it is the built-in one."""

    policy: PasswordPolicy | None
    place: str


def policy_of_tenant(tenant: Tenant) -> PolicyOfTenant:
    found = policy_at(Place(tenant=tenant), reseller_id=tenant.reseller_id).policy
    return PolicyOfTenant(found, where(found))


@dataclass(frozen=True)
class PolicyRow:
    """One line of the list of policies."""

    policy: PasswordPolicy
    place: str
    rules: Rules
    made_of: str
    changes: str


def policies_seen_by(user: Any, kind: type[PasswordPolicy] | type[EnrolmentPolicy] = PasswordPolicy) -> QuerySet[Any]:
    """The whole reseller's first, then those of groups, tenants and accounts by name."""
    return (
        kind.objects.visible_to(user)
        .select_related("reseller", "group", "tenant", "account", "changed_by")
        .order_by(
            F("account__user_principal_name").asc(nulls_first=True),
            F("tenant__default_domain").asc(nulls_first=True),
            F("group__name").asc(nulls_first=True),
            "pk",
        )
    )


def policy_row(policy: PasswordPolicy) -> PolicyRow:
    rules = rules_of(policy)
    return PolicyRow(policy, where(policy), rules, made_of(rules), changes(rules))


def groups_without_policy(person: Technician, policies: str = "password_policies") -> QuerySet[TenantGroup]:
    """Where this person could set one."""
    seen = TenantGroup.objects.visible_to(person) if person.may(RIGHT) else TenantGroup.objects.none()
    found: QuerySet[TenantGroup] = seen.filter(**{policies: None}).order_by("name")
    return found


def applies_without(policy: PasswordPolicy) -> str:
    """The place of the policy that would apply there without this one."""
    return where(policy_at(place_of(policy), reseller_id=policy.reseller_id, without=policy).policy)
