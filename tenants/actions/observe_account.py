"""Read an account from its directory and write down what is there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import AccountMissing, NoConnection
from msp.ledger.record import record
from msp.microsoft.ports import MethodKind, Observation, ObservedMethod
from tenants.actions.connection import give_connection_back
from tenants.actions.doubt_password import doubt_if_changed_elsewhere
from tenants.actions.findings import open_finding, resolve_findings
from tenants.models import Finding, Method, SharedAccount, Tenant
from tenants.models.method import NEVER_A_PERSONS

if TYPE_CHECKING:
    from msp.outside import Outside

STALE_READ = dt.timedelta(minutes=15)
"""A method that shows again so soon after it was gone is an old replica's answer, not a new method."""
FACTS = (
    "object_id",
    "user_principal_name",
    "display_name",
    "enabled",
    "synced",
    "password_changed_at",
    "sessions_valid_from",
    "observed_at",
)
OFTEN_ENOUGH = dt.timedelta(minutes=1)
FLAGGED = (
    Finding.Kind.UNKNOWN_METHOD,
    Finding.Kind.PUSH_ON_SHARED,
    Finding.Kind.ACCOUNT_MISSING,
    Finding.Kind.NO_CONNECTION,
)


def observe_account(account: SharedAccount, *, outside: Outside) -> Observation:
    """One reading, written down. Raises what `Directory.observe` raises; trouble leaves a finding behind."""
    look = read_account(account, outside=outside)
    with transaction.atomic():
        write_down(account, look)
    return look


def read_account(account: SharedAccount, *, outside: Outside) -> Observation:
    """One reading, for somebody who writes it down. Raises what `Directory.observe` raises, after a finding."""
    directory = outside.directory_for(*account.tenant.way)
    give_connection_back()
    try:
        return directory.observe(account.ref)
    except NoConnection as trouble:
        with transaction.atomic():
            account.tenant.connection_problem = str(trouble)
            account.tenant.save(update_fields=["connection_problem"])
            open_finding(Finding.Kind.NO_CONNECTION, tenant=account.tenant, detail=str(trouble))
        raise
    except AccountMissing as trouble:
        with transaction.atomic():
            open_finding(Finding.Kind.ACCOUNT_MISSING, tenant=account.tenant, account=account, detail=str(trouble))
        raise


def write_down(account: SharedAccount, look: Observation) -> list[Method]:
    """Bring the account's facts and methods to what was read; record what appeared and what is gone.

    Answers the methods that are there. Call it in a transaction.
    """
    # One writer at a time, so that two readings cannot both insert the same new method.
    here = SharedAccount.objects.select_for_update().only("pk", "password_changed_at").get(pk=account.pk)
    doubt_if_changed_elsewhere(account, before=here.password_changed_at, now=look.password_changed_at)
    _write_facts(account, look, here.password_changed_at)
    present = {(m.directory_id, m.kind): m for m in account.methods.present().select_related("authenticator")}
    seen = {(m.directory_id, str(m.kind)): m for m in look.methods}
    _seen_again([(method, seen[key]) for key, method in present.items() if key in seen], look.read_at)
    for key in present.keys() - seen.keys():
        _gone(account, present[key], look.read_at)
    there = [present[key] for key in present.keys() & seen.keys()]
    there += [_appeared(account, seen[key], look.read_at) for key in seen.keys() - present.keys()]
    _flag(account, there, answered_at=look.read_at)
    return there


def _write_facts(account: SharedAccount, look: Observation, password_changed_at: dt.datetime | None) -> None:
    account.object_id = look.object_id
    account.user_principal_name = look.user_principal_name
    account.display_name = look.display_name
    account.enabled, account.synced = look.enabled, look.synced
    # This time only grows; an older one comes from a replica that is behind.
    account.password_changed_at = max(filter(None, (password_changed_at, look.password_changed_at)), default=None)
    account.sessions_valid_from = look.sessions_valid_from
    account.observed_at = look.read_at
    # Only these: what people say about the account may have changed since this row was read.
    account.save(update_fields=FACTS)
    _tenant_answered(account.tenant, look.read_at)


def _tenant_answered(tenant: Tenant, at: dt.datetime) -> None:
    """Every account of the tenant would write the same row again and again, and wait for the others to do so."""
    known = tenant.observed_at
    if known is None or at - known > OFTEN_ENOUGH or tenant.connection_problem:
        tenant.observed_at, tenant.connection_problem = at, ""
        tenant.save(update_fields=["observed_at", "connection_problem"])


def _seen_again(pairs: list[tuple[Method, ObservedMethod]], at: dt.datetime) -> None:
    Method.objects.filter(pk__in=[method.pk for method, _seen in pairs]).update(last_seen_at=at)
    for method, seen in pairs:
        if method.label != seen.label:
            method.label = seen.label
            method.save(update_fields=["label"])


def _gone(account: SharedAccount, method: Method, at: dt.datetime) -> None:
    method.removed_at = at
    method.save(update_fields=["removed_at"])
    resolve_findings(account, method=method)
    _record("method.gone", account, method)


def _appeared(account: SharedAccount, seen: ObservedMethod, at: dt.datetime) -> Method:
    same = Method.objects.select_related("authenticator").filter(
        account=account, kind=seen.kind, directory_id=seen.directory_id, label=seen.label
    )
    stale = same.filter(removed_at__gt=at - STALE_READ).order_by("-removed_at").first()
    if stale is not None:
        stale.removed_at, stale.last_seen_at = None, at
        stale.save(update_fields=["removed_at", "last_seen_at"])
        return stale
    method = Method.objects.create(
        reseller_id=account.reseller_id,
        account=account,
        kind=seen.kind,
        directory_id=seen.directory_id,
        raw_type=seen.raw_type,
        label=seen.label,
        first_seen_at=at,
        last_seen_at=at,
    )
    _record("method.appeared", account, method)
    return method


def flag_methods(account: SharedAccount) -> None:
    """Raise a finding for each method of nobody and each push approval; resolve what no longer holds."""
    _flag(account, list(account.methods.present().select_related("authenticator")), answered_at=None)


def _flag(account: SharedAccount, there: list[Method], *, answered_at: dt.datetime | None) -> None:
    """`answered_at` is when the tenant answered and knew the account: what said otherwise is over."""
    present = [method for method in there if method.kind not in NEVER_A_PERSONS]
    wanted = {
        (Finding.Kind.UNKNOWN_METHOD, method.pk): (
            method,
            _("%(method)s is on the account and bound to nobody.") % {"method": method},
        )
        for method in present
        if not hasattr(method, "authenticator")
    } | {
        (Finding.Kind.PUSH_ON_SHARED, method.pk): (
            method,
            _("A push request can ring on several phones, and whoever taps first lets it in."),
        )
        for method in present
        if method.kind == MethodKind.MICROSOFT_AUTHENTICATOR
    }
    about_it = Q(account=account) | Q(tenant_id=account.tenant_id, kind=Finding.Kind.NO_CONNECTION)
    known = list(Finding.objects.filter(about_it, kind__in=FLAGGED).exclude(status=Finding.Status.RESOLVED))
    said = {(finding.kind, finding.method_id): finding.detail for finding in known}
    for (kind, method_id), (method, detail) in wanted.items():
        if said.get((kind, method_id)) != detail:
            open_finding(kind, tenant=account.tenant, account=account, method=method, detail=detail)
    over = [finding.pk for finding in known if _is_over(finding, wanted, answered_at)]
    if over:
        Finding.objects.filter(pk__in=over).update(
            status=Finding.Status.RESOLVED, changed_at=answered_at or timezone.now()
        )


def _is_over(finding: Finding, wanted: Container[object], answered_at: dt.datetime | None) -> bool:
    if finding.kind in (Finding.Kind.ACCOUNT_MISSING, Finding.Kind.NO_CONNECTION):
        return answered_at is not None
    return finding.kind == Finding.Kind.UNKNOWN_METHOD and (finding.kind, finding.method_id) not in wanted


def _record(verb: str, account: SharedAccount, method: Method) -> None:
    record(
        verb,
        reseller_id=account.reseller_id,
        actor=None,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        method=str(method.pk),
        kind=method.kind,
        directory_id=method.directory_id,
        label=method.label,
    )
