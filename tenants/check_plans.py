"""What a tenant check concludes from what was read: one item for each thing, in the order of mending. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from msp.errors import Busy, DirectoryError, NotAllowed, NotSent
from msp.microsoft.clouds import Ability
from msp.microsoft.tenant_ports import OwnAccess
from tenants.check_access import judge_excess, judge_permissions, judge_roles
from tenants.check_accounts import judge_accounts
from tenants.check_facts import (
    CheckItem,
    CheckState,
    Credential,
    TenantFacts,
    ok,
    unknown,
    warning,
    wrong,
)
from tenants.check_policies import judge_licence, judge_policies

SOON = dt.timedelta(days=30)
CLOCK_WARNING_SECONDS = 60
CLOCK_WRONG_SECONDS = 240
"""Entra ID tolerates about five minutes in the times of an assertion; past four it may refuse at any moment."""

NO_CONSENT = frozenset({"AADSTS65001", "AADSTS700016"})
DISABLED = "AADSTS7000112"
NO_SUCH_TENANT = "AADSTS90002"
NOT_LET_IN_BY_CREDENTIAL = frozenset(
    {
        "AADSTS7000215",
        "AADSTS7000222",
        "AADSTS700027",
        "AADSTS700024",
        "AADSTS7000218",
        "AADSTS700025",
        "credential_missing",
        "certificate_unusable",
        "certificate_expired",
        "certificate_not_yet_valid",
        "key_keeper_silent",
        "key_keeper_refused",
        "key_keeper_token_missing",
    }
)
"""What Microsoft, and our own code, call a credential that does not do. Assumption: what 700024 means."""


def judge(facts: TenantFacts) -> tuple[CheckItem, ...]:
    """Every item, in the order of GROUPS. Without a token nothing else was read, and one item says so."""
    own = facts.own_access
    items = [judge_credential(facts.credential, facts.at, own), *_tenant(facts), _consent(facts)]
    if isinstance(own, DirectoryError):
        items.append(
            unknown(
                "permission.all",
                _("Permissions, roles, accounts, licences and policies were not looked at: the app got no token."),
            )
        )
    else:
        items += _permissions(own, facts)
        items += judge_roles(own, facts)
        items += judge_accounts(facts)
        items += [judge_licence(facts), *judge_policies(facts)]
    items += _delegated(facts)
    items.append(judge_clock(facts.clock_difference))
    return tuple(items)


def _permissions(own: OwnAccess, facts: TenantFacts) -> Iterator[CheckItem]:
    if _unreadable(own, facts):
        yield unknown(
            "permission.all",
            _("Which permissions were granted could not be read from the token; some are, since the tenant was read."),
        )
        return
    hardware_api = Ability.HARDWARE_OATH not in facts.cloud.lacks
    yield from judge_permissions(own, hardware_api=hardware_api, hardware_tokens=facts.hardware_tokens)
    yield from judge_excess(own)


def _unreadable(own: OwnAccess, facts: TenantFacts) -> bool:
    """Microsoft promises nobody but Graph that a token can be read. One without a permission would read no tenant."""
    return not own.permissions and not isinstance(facts.organisation, DirectoryError)


# The app's own credential


def judge_credential(
    credential: Credential, at: dt.datetime, own: OwnAccess | DirectoryError | None = None
) -> CheckItem:
    """The credential as it lies here, and what Microsoft said of it (`own` is None when Microsoft was not asked)."""
    key = "credential"
    if credential.trouble:
        return wrong(key, credential.trouble, _("Mend the settings of the app's credential, then check again."))
    lasting = _validity(credential, at)
    if lasting.state != CheckState.WRONG and isinstance(own, DirectoryError) and own.code in NOT_LET_IN_BY_CREDENTIAL:
        return wrong(key, *_refused_credential(own))
    return lasting


def _validity(credential: Credential, at: dt.datetime) -> CheckItem:
    key, begins, ends = "credential", credential.begins_at, credential.ends_at
    if credential.kind == "secret":
        return ok(
            key,
            _("A client secret is used. Only its registration tells its end; a certificate is the better credential."),
        )
    if ends is None:
        return unknown(key, _("When the app's certificate ends is not known here."))
    if begins and begins > at:
        sentence = _("The app's certificate is valid only from %(day)s on.") % {"day": f"{begins:%Y-%m-%d}"}
        return wrong(key, sentence, _("Check this machine's clock and the certificate, then check again."))
    days = (ends - at).days
    words = {"day": f"{ends:%Y-%m-%d}", "count": days}
    if ends <= at:
        return wrong(key, _("The app's certificate ended on %(day)s.") % words, _new_certificate())
    sentence = ngettext(
        "The app's certificate is valid until %(day)s (%(count)d day left).",
        "The app's certificate is valid until %(day)s (%(count)d days left).",
        days,
    )
    if ends - at <= SOON:
        return warning(key, sentence % words, _new_certificate())
    return ok(key, sentence % words)


def _new_certificate() -> str:
    return _(
        "Make a new RSA certificate, upload its public part in your own tenant (Entra admin centre, App registrations, "
        "the app, Certificates and secrets) and put certificate and key where LATCHKEY_CLIENT_CERTIFICATE points to."
    )


def _refused_credential(said: DirectoryError) -> tuple[str, str]:
    """(sentence, remedy) for what Microsoft says about a credential."""
    place = _("Entra admin centre of your own tenant, App registrations, the app, Certificates and secrets")
    match said.code:
        case "AADSTS7000215":
            return (
                _("Microsoft does not know the client secret (AADSTS7000215)."),
                _("Make a new one there and set LATCHKEY_CLIENT_SECRET to its value, not to its id: %(place)s.")
                % {"place": place},
            )
        case "AADSTS7000222":
            return (
                _("The client secret has expired (AADSTS7000222)."),
                _("Make a new one, or better upload a certificate: %(place)s. Then change the setting here.")
                % {"place": place},
            )
        case "AADSTS700027":
            return (
                _("Microsoft does not know the app's certificate (AADSTS700027)."),
                _("Upload the public part of the certificate that lies here: %(place)s.") % {"place": place},
            )
        case "AADSTS700024":
            return (
                _("Microsoft says that what the app signed is not valid at this time (AADSTS700024)."),
                _("Set this machine's clock by NTP, then check again."),
            )
        case "AADSTS700025":
            return (
                _("The app is registered as a public client, which may not have a credential (AADSTS700025)."),
                _("Register a web application with a certificate in your own tenant, and set LATCHKEY_CLIENT_ID."),
            )
        case _:
            return str(said), _("Set LATCHKEY_CLIENT_ID and LATCHKEY_CLIENT_CERTIFICATE, then check again.")


# The tenant, and whether it let us in


def _tenant(facts: TenantFacts) -> Iterator[CheckItem]:
    own, found = facts.own_access, facts.organisation
    yield _reached(facts)
    if Ability.AUTHENTICATION_METHODS in facts.cloud.lacks:
        yield wrong(
            "tenant.cloud",
            _("The cloud %(cloud)s has no API for authentication methods, so Latchkey cannot remove any there.")
            % {"cloud": facts.cloud.name},
            _("Remove leavers' methods by hand in the tenant's admin centre: Users, the user, Authentication methods."),
        )
    elif not isinstance(own, DirectoryError) and isinstance(found, NotAllowed):
        yield unknown("tenant.facts", _("The tenant's name, domain and licences may not be read."))


def _reached(facts: TenantFacts) -> CheckItem:
    key, own, found = "tenant", facts.own_access, facts.organisation
    if isinstance(own, DirectoryError):
        if own.code == NO_SUCH_TENANT:
            return wrong(
                key,
                _("There is no tenant %(tenant)s in the cloud %(cloud)s (AADSTS90002).")
                % {"tenant": facts.tenant_id, "cloud": facts.cloud.name},
                _(
                    "Compare tenant id and cloud with the tenant's own page: Entra admin centre of the customer, "
                    "Overview, Tenant ID. A tenant that was deleted or moved to another cloud needs a new entry here."
                ),
            )
        if own.code in NO_CONSENT | NOT_LET_IN_BY_CREDENTIAL | {DISABLED}:
            return unknown(key, _("Nothing can be said of the tenant before the app is let in."))
        return wrong(key, str(own), _try_again(own))
    if facts.broke_off is not None:
        return wrong(key, str(facts.broke_off), _try_again(facts.broke_off))
    if isinstance(found, DirectoryError):
        return ok(key, _("The tenant let the app in."))
    if found.tenant_id and found.tenant_id.lower() != facts.tenant_id.lower():
        return wrong(
            key,
            _("Another tenant answered: %(other)s instead of %(tenant)s.")
            % {"other": found.tenant_id, "tenant": facts.tenant_id},
            _("Check LATCHKEY_LOGIN_URL and LATCHKEY_GRAPH_URL: they must belong to one cloud."),
        )
    return ok(
        key,
        _("%(name)s (%(domain)s) answers, in the cloud %(cloud)s.")
        % {"name": found.display_name, "domain": found.default_domain, "cloud": facts.cloud.name},
    )


def _try_again(said: DirectoryError) -> str:
    if isinstance(said, Busy):
        return _("Check again in %(seconds)d s.") % {"seconds": max(1, round(said.retry_after))}
    if isinstance(said, NotSent):
        return _("Check the network and the addresses with `python3 manage.py doctor`, then check again.")
    return _("Do what the sentence says, then check again.")


def _consent(facts: TenantFacts) -> CheckItem:
    key, own = "consent", facts.own_access
    link = _("Open the consent link as Global Administrator or Privileged Role Administrator of this tenant.")
    if isinstance(own, DirectoryError):
        if own.code in NO_CONSENT:
            sentence = _("Nobody has consented to the app in this tenant (%(code)s).") % {"code": own.code}
            if facts.as_partner:
                return wrong(
                    key,
                    sentence,
                    _("Have the app consented for this customer through Partner Center (application consents)."),
                )
            return CheckItem(key, CheckState.WRONG, sentence, link, consent=True)
        if own.code != DISABLED:
            return unknown(key, _("Whether somebody consented is only told when the app gets a token."))
    elif own.enabled and (own.permissions or _unreadable(own, facts)):
        return ok(key, _("The app is consented: it gets a token in this tenant."))
    elif own.enabled:
        sentence = _("The app is known in this tenant, but no permission was consented to.")
        return CheckItem(key, CheckState.WRONG, sentence, link, consent=True)
    return wrong(
        key,
        _("The app is disabled in this tenant."),
        _(
            "Enable it: Entra admin centre of this tenant, Enterprise applications, the app, Properties, Enabled for "
            "users to sign in: Yes."
        ),
    )


# Delegated administration, clock


def _delegated(facts: TenantFacts) -> Iterator[CheckItem]:
    key, known = "gdap", facts.relationships
    if known is None:
        return
    if isinstance(known, DirectoryError):
        yield unknown(key, _("The delegated admin relationships of your own tenant could not be read."), str(known))
        return
    ours = [r for r in known if r.customer_tenant_id.lower() == facts.tenant_id.lower()]
    active = facts.lasting_relationships
    ask = _("Ask for a new one: Partner Center, Customers, the customer, Admin relationships, Request.")
    if not active:
        sentence = (
            _("Every delegated admin relationship with this tenant has ended.")
            if ours
            else _("There is no delegated admin relationship with this tenant.")
        )
        yield wrong(key, sentence, ask)
        return
    lasting = max(active, key=lambda r: (r.auto_extends or r.ends_at is None, r.ends_at or facts.at))
    words = {"name": lasting.display_name, "day": f"{lasting.ends_at:%Y-%m-%d}" if lasting.ends_at else ""}
    if lasting.auto_extends or lasting.ends_at is None:
        yield ok(key, _("The delegated admin relationship %(name)s is active and extends itself.") % words)
    elif lasting.ends_at - facts.at <= SOON:
        yield warning(key, _("The delegated admin relationship %(name)s ends on %(day)s.") % words, ask)
    else:
        yield ok(key, _("The delegated admin relationship %(name)s is active until %(day)s.") % words)


def judge_clock(difference: float | DirectoryError | None) -> CheckItem:
    """`difference` is Microsoft's clock minus ours in seconds; None when no answer told the time."""
    key = "clock"
    if difference is None or isinstance(difference, DirectoryError):
        return unknown(key, _("The clock was not compared: no answer of Microsoft told the time."))
    seconds = round(abs(difference))
    words = {"seconds": seconds}
    by_ntp = _("Set this machine's clock by NTP (for example chrony or systemd-timesyncd).")
    if seconds > CLOCK_WRONG_SECONDS:
        return wrong(
            key, _("This machine's clock is %(seconds)d s away from Microsoft's: sign-ins fail.") % words, by_ntp
        )
    if seconds > CLOCK_WARNING_SECONDS:
        return warning(key, _("This machine's clock is %(seconds)d s away from Microsoft's.") % words, by_ntp)
    return ok(
        key,
        ngettext(
            "The clock agrees with Microsoft's within %(seconds)d second.",
            "The clock agrees with Microsoft's within %(seconds)d seconds.",
            max(1, seconds),
        )
        % {"seconds": max(1, seconds)},
    )
