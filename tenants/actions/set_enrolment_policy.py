"""Set and remove the enrolment policy of a reseller, a tenant group, a tenant or an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from tenants.actions.set_policy import check_ranges, one_at_a_time, require_policy_rights
from tenants.models import EnrolmentPolicy
from tenants.password_plans import Place
from tenants.policy_places import place_of

if TYPE_CHECKING:
    from technicians.models import Technician

WAYS = ("our_seed", "microsoft_page", "kept_here")
"""The rules that allow a way to enrol: without any of them nobody could get an authenticator."""
RULES = (
    *WAYS,
    "claims",
    "passes",
    "duplicates",
    "keep_for_later_days",
    "accounts_per_code",
    "files",
    "minutes_on_screen",
)


@transaction.atomic
def set_enrolment_policy(place: Place, rules: Mapping[str, Any], *, by: Technician) -> EnrolmentPolicy:
    """From now on these rules (all of RULES by name) apply at this place. What is enrolled already stays.

    `place` holds rows, not ids. The same rules again change nothing. Raises BadInput, NotPermitted, LedgerClosed.
    """
    require_policy_rights(by, place)
    if wrong := why_no_way(rules):
        raise BadInput(wrong)
    one_at_a_time(by.reseller_id)
    here = {"group": place.group, "tenant": place.tenant, "account": place.account}
    known = EnrolmentPolicy.objects.filter(reseller_id=by.reseller_id, **here).first()
    was = facts_of(known) if known else None
    now = {name: rules[name] for name in RULES}
    if known and was == now:
        return known
    policy = known or EnrolmentPolicy(reseller_id=by.reseller_id, **here)
    for name, value in now.items():
        setattr(policy, name, value)
    policy.changed_at, policy.changed_by_id = timezone.now(), by.pk
    check_ranges(policy)
    policy.save()
    _write_down("enrolment_policy.set", policy, place, by=by, was=was, now=now)
    return policy


@transaction.atomic
def remove_enrolment_policy(policy: EnrolmentPolicy, *, by: Technician) -> None:
    """From now on the next nearest policy applies there. Raises NotPermitted, LedgerClosed."""
    place = place_of(policy)
    require_policy_rights(by, place)
    one_at_a_time(by.reseller_id)
    known = EnrolmentPolicy.objects.filter(pk=policy.pk).first()
    if known is None:
        return
    _write_down("enrolment_policy.removed", policy, place, by=by, was=facts_of(known), now=None)
    known.delete()


def facts_of(policy: EnrolmentPolicy) -> dict[str, Any]:
    """The rules by their names."""
    return {name: getattr(policy, name) for name in RULES}


def why_no_way(rules: Mapping[str, Any]) -> str:
    """What stands against these rules, as a sentence; "" when nothing does."""
    if any(rules[way] for way in WAYS):
        return ""
    return _("Allow at least one way to enrol: without any, nobody could get an authenticator of their own.")


def _write_down(
    verb: str,
    policy: EnrolmentPolicy,
    place: Place,
    *,
    by: Technician,
    was: Mapping[str, Any] | None,
    now: Mapping[str, Any] | None,
) -> None:
    tenant = place.tenant or (place.account.tenant if place.account else None)
    record(
        verb,
        reseller_id=by.reseller_id,
        actor=by,
        tenant_id=tenant.pk if tenant else None,
        account_id=place.account.pk if place.account else None,
        policy=policy.pk,
        place=str(policy),
        group=place.group.pk if place.group else None,
        was=was,
        now=now,
    )
