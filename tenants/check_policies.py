"""What the tenant's licences and policies allow. Facts in, items out."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from msp.errors import DirectoryError, NeedsLicence
from msp.microsoft.clouds import Ability
from msp.microsoft.tenant_ports import MethodPolicy
from tenants.check_facts import CheckItem, TenantFacts, ok, unknown, warning


def judge_licence(facts: TenantFacts) -> CheckItem:
    key, found = "licence.premium", facts.organisation
    if isinstance(found, DirectoryError):
        return unknown(key, _("Whether the tenant has Entra ID P1 could not be read."))
    if found.premium:
        return ok(key, _("The tenant has Entra ID P1 or better, so its sign-in log can be read."))
    return warning(
        key,
        _("The tenant has no Entra ID P1: its sign-in log and registration report cannot be read."),
        _(
            "Buy one Entra ID P1 licence for the tenant if sign-ins shall be part of the proof: Microsoft 365 admin "
            "centre, Billing, Purchase services. Everything else works without it."
        ),
    )


def judge_policies(facts: TenantFacts) -> Iterator[CheckItem]:
    policy = facts.method_policy
    if isinstance(policy, DirectoryError):
        yield unknown("policy.methods", _("Which methods the tenant allows could not be read."), _read_policies())
    else:
        yield _switch(
            "softwareoath",
            _("Third-party software OATH tokens"),
            on=policy.allows("softwareoath"),
            needed=True,
        )
        if Ability.HARDWARE_OATH not in facts.cloud.lacks:
            yield _hardware(policy, needed=facts.hardware_tokens)
        yield _switch(
            "temporaryaccesspass", _("Temporary Access Pass"), on=policy.allows("temporaryaccesspass"), needed=False
        )
    yield _second_factor(facts)


def _hardware(policy: MethodPolicy, *, needed: bool) -> CheckItem:
    """v1.0 of Graph does not name this kind; then nothing is concluded from its absence."""
    title = _("Hardware OATH tokens")
    if needed and "hardwareoath" not in policy.enabled:
        return unknown("policy.hardwareoath", _("%(title)s: whether they are allowed is not told.") % {"title": title})
    return _switch("hardwareoath", title, on=policy.allows("hardwareoath"), needed=needed)


def _switch(name: str, title: str, *, on: bool, needed: bool) -> CheckItem:
    key, words = f"policy.{name}", {"title": title}
    if on:
        return ok(key, _("%(title)s: allowed.") % words)
    if not needed:
        return ok(key, _("%(title)s: not allowed, and not needed for what is here.") % words)
    return warning(
        key,
        _("%(title)s: not allowed, so a technician's own authenticator of that kind does not work.") % words,
        _(
            "Allow it: Entra admin centre of this tenant, Protection, Authentication methods, Policies, %(title)s. It "
            "takes up to an hour until the change counts."
        )
        % words,
    )


def _second_factor(facts: TenantFacts) -> CheckItem:
    """Security defaults, or else a policy of Conditional Access: something must ask for the second factor."""
    key, on, others = "policy.defaults", facts.security_defaults, facts.access_policies
    if isinstance(on, DirectoryError):
        return unknown(key, _("Whether security defaults are on could not be read."), _read_policies())
    if on:
        return ok(key, _("Security defaults are on: administrators are asked for a second factor."))
    if others is not None and not isinstance(others, DirectoryError) and any(p.state == "enabled" for p in others):
        return ok(key, _("Security defaults are off, and Conditional Access has policies in force."))
    if isinstance(others, DirectoryError) and not isinstance(others, NeedsLicence):
        return unknown(
            key,
            _("Security defaults are off, and the policies of Conditional Access could not be read."),
            _read_policies(),
        )
    return warning(
        key,
        _(
            "Security defaults are off and no Conditional Access policy is in force: a password alone may open "
            "accounts."
        ),
        _(
            "Turn security defaults on: Entra admin centre of this tenant, Overview, Properties, Manage security "
            "defaults. With P1 a Conditional Access policy that asks administrators for MFA does it too."
        ),
    )


def _read_policies() -> str:
    return _("Grant Policy.Read.All to the app, then check again.")
