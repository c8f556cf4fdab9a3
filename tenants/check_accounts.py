"""Whether each shared account is there, and of a kind whose password and methods can be changed from here.

Facts in, items out.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from msp.errors import DirectoryError
from tenants.check_facts import AccountFacts, CheckItem, TenantFacts, ok, unknown, warning, wrong


def judge_accounts(facts: TenantFacts) -> Iterator[CheckItem]:
    federated = None
    if not isinstance(facts.domains, DirectoryError):
        federated = {domain.name.lower() for domain in facts.domains if domain.federated}
    for account in facts.accounts:
        yield _account(account, federated or set()).about(account.account_id)
    if federated is None and facts.accounts:
        yield unknown(
            "account.domains",
            _("Whether a domain of this tenant signs in elsewhere (federation) could not be read."),
            _("Grant Domain.Read.All to the app if you want to know it; Latchkey works without it."),
        )


def _account(account: AccountFacts, federated: set[str]) -> CheckItem:
    key, words = f"account.{account.account_id}", {"account": account.name}
    if isinstance(account.found, DirectoryError):
        return unknown(key, _("%(account)s could not be looked up.") % words, str(account.found))
    if account.found is None:
        return _absent(account)
    properties = account.properties
    if properties is None or isinstance(properties, DirectoryError):
        return unknown(key, _("%(account)s is there; its properties could not be read.") % words, str(properties or ""))
    if "#EXT#" in account.found.user_principal_name.upper() or properties.get("userType") == "Guest":
        return wrong(
            key,
            _("%(account)s is a guest: password and methods belong to its home directory.") % words,
            _("Make a cloud-only member account for shared use in this tenant, and put that one in here."),
        )
    if account.domain in federated:
        return wrong(
            key,
            _("%(account)s is in a federated domain: it signs in at another identity provider.") % words,
            _("Give it a user name in the tenant's onmicrosoft.com domain: Entra admin centre, Users, the user."),
        )
    if properties.get("onPremisesSyncEnabled") is True:
        return wrong(
            key,
            _("%(account)s is synced from a local directory, which alone can change its password.") % words,
            _("Make a cloud-only account for shared use: Entra admin centre of this tenant, Users, New user."),
        )
    if properties.get("accountEnabled") is False:
        return warning(
            key,
            _("The sign-in of %(account)s is blocked, so no technician can use it.") % words,
            _("Enable it (Entra admin centre of this tenant, Users, the user), or take it out of Latchkey."),
        )
    if properties.get("isManagementRestricted") is True:
        return warning(
            key,
            _("%(account)s is in a restricted management administrative unit.") % words,
            _(
                "Assign Privileged Authentication Administrator to the app at that unit: Entra admin centre, Roles and "
                "admins, Admin units, the unit, Roles and administrators."
            ),
        )
    if account.break_glass:
        return ok(key, _("%(account)s is there. It is break-glass, so automation never touches it.") % words)
    return ok(key, _("%(account)s is there, enabled and cloud-only.") % words)


def _absent(account: AccountFacts) -> CheckItem:
    key, words = f"account.{account.account_id}", {"account": account.name, "known": account.object_id}
    if account.object_id and account.namesake is not None and not isinstance(account.namesake, DirectoryError):
        words["now"] = account.namesake.object_id
        return wrong(
            key,
            _("%(account)s is a different object now: %(now)s bears the name, %(known)s is gone.") % words,
            _("Find out who made it anew. If the new user is meant, import the account again with its new object id."),
        )
    return wrong(
        key,
        _("%(account)s is not in the directory.") % words,
        _(
            "Look for it in the Entra admin centre of this tenant: Users, Deleted users. Restore it there, or take the "
            "account out of Latchkey."
        ),
    )
