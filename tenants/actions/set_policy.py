"""Set and remove the password policy of a reseller, a tenant group, a tenant or an account."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.actions.plan_next_change import plan_next_changes
from tenants.models import EnrolmentPolicy, PasswordPolicy, Reach, Reseller, Secret, SharedAccount, Tenant, TenantGroup
from tenants.password_plans import Place, Rules
from tenants.passwords import why_impossible
from tenants.policy_places import place_of
from tenants.policy_queries import rules_of

if TYPE_CHECKING:
    from technicians.models import Technician

RIGHT = "set_policies"
AT_ONCE = 500


@transaction.atomic
def set_policy(place: Place, rules: Rules, *, by: Technician) -> PasswordPolicy:
    """From now on these rules apply at this place; the next change of every account concerned is planned anew.

    `place` holds rows, not ids. The same rules again change nothing. Raises BadInput, NotPermitted, LedgerClosed.
    """
    require_policy_rights(by, place)
    if wrong := why_not(rules):
        raise BadInput(" ".join(wrong.values()))
    one_at_a_time(by.reseller_id)
    here = {"group": place.group, "tenant": place.tenant, "account": place.account}
    known = PasswordPolicy.objects.filter(reseller_id=by.reseller_id, **here).first()
    was = _facts(rules_of(known)) if known else None
    if known and was == _facts(rules):
        return known
    policy = known or PasswordPolicy(reseller_id=by.reseller_id, **here)
    for name, value in asdict(rules).items():
        setattr(policy, name, list(value) if isinstance(value, tuple) else value)
    policy.changed_at, policy.changed_by_id = timezone.now(), by.pk
    check_ranges(policy)
    policy.save()
    _write_down("policy.set", policy, place, by=by, was=was, now=_facts(rules))
    _plan_anew(place, by.reseller_id)
    return policy


@transaction.atomic
def remove_policy(policy: PasswordPolicy, *, by: Technician) -> None:
    """From now on the next nearest policy applies there. Raises NotPermitted, LedgerClosed."""
    place = place_of(policy)
    require_policy_rights(by, place)
    one_at_a_time(by.reseller_id)
    known = PasswordPolicy.objects.filter(pk=policy.pk).first()
    if known is None:
        return
    _write_down("policy.removed", policy, place, by=by, was=_facts(rules_of(known)), now=None)
    known.delete()
    _plan_anew(place, by.reseller_id)


def require_policy_rights(by: Technician, place: Place) -> None:
    """Raises NotPermitted for whoever lacks the right, and for a place beyond what the person sees."""
    if not by.may(RIGHT):
        raise NotPermitted(_("Your role may not set policies; nothing was changed."))
    if not _reaches(by, place):
        raise NotPermitted(
            _(
                "This policy would hold for accounts that you do not see. Set one for a tenant or a tenant group of "
                "yours, or ask somebody who sees all tenants; nothing was changed."
            )
        )


def may_set(by: Technician, place: Place) -> bool:
    """Whether this person may set the policy of this place."""
    return by.may(RIGHT) and _reaches(by, place)


def why_not(rules: Rules) -> dict[str, str]:
    """What stands against these rules, by the name of the rule; empty when they are good."""
    wrong = why_impossible(rules)
    if (rules.quiet_from is None) != (rules.quiet_until is None):
        missing = "quiet_from" if rules.quiet_from is None else "quiet_until"
        wrong[missing] = _("Quiet hours have a beginning and an end: give both, or neither.")
    elif rules.quiet_from is not None and rules.quiet_from == rules.quiet_until:
        wrong["quiet_until"] = _("Quiet hours that end when they begin would be the whole day or nothing.")
    if rules.quiet_zone not in zoneinfo.available_timezones():
        wrong["quiet_zone"] = _("This is no time zone; choose one like Europe/Berlin.")
    return wrong


def _reaches(by: Technician, place: Place) -> bool:
    for place_row, kind in ((place.account, SharedAccount), (place.tenant, Tenant), (place.group, TenantGroup)):
        if place_row is not None:
            return bool(kind.objects.visible_to(by).filter(pk=place_row.pk).exists())
    return by.reach == Reach.EVERYTHING


def one_at_a_time(reseller_id: Any) -> None:
    """Two people who set policies of one reseller at the same moment wait for each other."""
    Reseller.objects.select_for_update(no_key=True).get(pk=reseller_id)


def check_ranges(policy: PasswordPolicy | EnrolmentPolicy) -> None:
    """Raises BadInput with the rule that is beyond its range."""
    try:
        policy.clean_fields(exclude=["reseller", "group", "tenant", "account", "changed_by"])
    except ValidationError as wrong:
        names = {field.name: str(field.verbose_name) for field in policy._meta.fields}
        said = [f"{names[name]}: {' '.join(texts)}" for name, texts in wrong.message_dict.items()]
        raise BadInput(" ".join(said)) from None


def _facts(rules: Rules) -> dict[str, Any]:
    """The rules as plain values for the ledger."""
    return {name: _plain(value) for name, value in asdict(rules).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat("minutes") if isinstance(value, dt.time) else value


def _write_down(
    verb: str,
    policy: PasswordPolicy,
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


def _plan_anew(place: Place, reseller_id: Any) -> None:
    concerned = Secret.objects.filter(reseller_id=reseller_id)
    if place.account:
        concerned = concerned.filter(account=place.account)
    elif place.tenant:
        concerned = concerned.filter(account__tenant=place.tenant)
    elif place.group:
        concerned = concerned.filter(account__tenant__in=place.group.tenants.all())
    rows = concerned.select_for_update(of=("self",)).select_related("account").order_by("pk").iterator(AT_ONCE)
    while batch := list(islice(rows, AT_ONCE)):
        plan_next_changes(batch)
