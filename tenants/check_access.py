"""Which permissions and directory roles the app needs, and whether it has them. Facts in, items out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.errors import DirectoryError
from msp.microsoft.tenant_ports import OwnAccess, Role
from tenants.check_facts import AccountFacts, CheckItem, CheckState, TenantFacts, ok, unknown, warning, wrong

EVERYTHING_OF_USERS = frozenset({"User.ReadWrite.All", "Directory.ReadWrite.All"})
DIRECTORY = frozenset({"Directory.Read.All", "Directory.ReadWrite.All"})


@dataclass(frozen=True)
class Need:
    """One application permission that Latchkey needs, with the wider ones that stand in for it.

    `without` is the state of the item when neither is there.
    """

    permission: str
    serves: Promise | str
    without: CheckState = CheckState.WRONG
    wider: frozenset[str] = frozenset()


NEEDED = (
    Need("User.Read.All", gettext_lazy("read the shared accounts"), wider=EVERYTHING_OF_USERS | DIRECTORY),
    Need("UserAuthenticationMethod.ReadWrite.All", gettext_lazy("see authenticators and remove those of leavers")),
    Need("User-PasswordProfile.ReadWrite.All", gettext_lazy("change shared passwords"), wider=EVERYTHING_OF_USERS),
    Need("User.RevokeSessions.All", gettext_lazy("end open sessions"), wider=EVERYTHING_OF_USERS),
    Need(
        "RoleManagement.Read.Directory",
        gettext_lazy("know which directory role an account asks for"),
        CheckState.WARNING,
        wider=DIRECTORY | {"RoleManagement.ReadWrite.Directory"},
    ),
    Need(
        "AuditLog.Read.All",
        gettext_lazy("read the tenant's own log and sign-ins as independent proof"),
        CheckState.WARNING,
    ),
    Need("Policy.Read.All", gettext_lazy("see which methods the tenant allows"), CheckState.WARNING),
)
"""Least privilege for a whole offboarding by an app (microsoft-graph-devx-content permissions.json, per operation)."""

FOR_HARDWARE = Need(
    "Policy.ReadWrite.AuthenticationMethod", gettext_lazy("keep the inventory of hardware tokens"), CheckState.WARNING
)

HARMLESS = frozenset(
    {
        "User.ReadBasic.All",
        "Organization.Read.All",
        "Domain.Read.All",
        "Directory.Read.All",
        "Application.Read.All",
        "Policy.Read.AuthenticationMethod",
        "UserAuthenticationMethod.Read.All",
        "DelegatedAdminRelationship.Read.All",
    }
)
"""Reading ones that an optional part of the check, or of the import, can use."""

DANGEROUS = {
    "Directory.ReadWrite.All": gettext_lazy("it changes nearly everything in the directory"),
    "Application.ReadWrite.All": gettext_lazy("it adds credentials to any app and so takes over what those may do"),
    "AppRoleAssignment.ReadWrite.All": gettext_lazy("it grants itself every other permission"),
    "RoleManagement.ReadWrite.Directory": gettext_lazy("it makes anybody a Global Administrator"),
    "User.ReadWrite.All": gettext_lazy("it changes and deletes every user"),
    "Group.ReadWrite.All": gettext_lazy("it changes every group and so who may do what"),
}
"""Why they are too much (public research on tier-0 permissions, emiliensocchi/azure-tiering)."""

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
AUTHENTICATION_ADMINISTRATOR = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
ROLE_NAMES = {
    GLOBAL_ADMINISTRATOR: "Global Administrator",
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: "Privileged Authentication Administrator",
    AUTHENTICATION_ADMINISTRATOR: "Authentication Administrator",
    USER_ADMINISTRATOR: "User Administrator",
    HELPDESK_ADMINISTRATOR: "Helpdesk Administrator",
}
OVER_EVERYBODY = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR})

# Assumption: the template ids of Guest Inviter, Message Center Reader and Groups Administrator. Were they others, an
# account with such a role would only be said to need a higher role than it does.
HARMLESS_ROLES = frozenset(
    {
        "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",  # Directory Readers
        "95e79109-95c0-4d8e-aee3-d01accf2d47b",  # Guest Inviter
        "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b",  # Message Center Reader
        "4a5d8f65-41da-4de4-8968-e035b65339cf",  # Reports Reader
        "966707d0-3269-4727-9be2-8c3a10f19b9d",  # Password Administrator
    }
)
GROUPS_ADMINISTRATOR = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
MAY_RESET = {
    HELPDESK_ADMINISTRATOR: HARMLESS_ROLES | {HELPDESK_ADMINISTRATOR},
    USER_ADMINISTRATOR: HARMLESS_ROLES | {HELPDESK_ADMINISTRATOR, USER_ADMINISTRATOR, GROUPS_ADMINISTRATOR},
    AUTHENTICATION_ADMINISTRATOR: HARMLESS_ROLES | {AUTHENTICATION_ADMINISTRATOR},
}
"""Caller's role -> roles that a target may hold ("privileged roles and permissions", who can reset passwords)."""


def least_role(target: Collection[str]) -> str:
    """The template id of the least role that lets an app change the password of who holds these.

    The page "update user" asks an app for User Administrator at least, even where nobody holds a role.
    """
    if set(target) <= MAY_RESET[USER_ADMINISTRATOR]:
        return USER_ADMINISTRATOR
    return PRIVILEGED_AUTHENTICATION_ADMINISTRATOR


def is_enough(own: Collection[str], target: Collection[str]) -> bool:
    """Whether who holds `own` (tenant-wide) may change the password of who holds `target`."""
    return bool(OVER_EVERYBODY & set(own)) or any(set(target) <= MAY_RESET[r] for r in own if r in MAY_RESET)


# Permissions


def judge_permissions(own: OwnAccess, *, hardware_api: bool, hardware_tokens: bool) -> Iterator[CheckItem]:
    for need in NEEDED:
        yield _permission(need, own.permissions)
    if not hardware_api:
        return
    if hardware_tokens or FOR_HARDWARE.permission in own.permissions:
        yield _permission(FOR_HARDWARE, own.permissions)
    else:
        yield ok(
            f"permission.{FOR_HARDWARE.permission}",
            _("%(permission)s is not granted, and not needed while no account here has a hardware token.")
            % {"permission": FOR_HARDWARE.permission},
        )


def _permission(need: Need, held: frozenset[str]) -> CheckItem:
    key, words = f"permission.{need.permission}", {"permission": need.permission, "serves": need.serves}
    if need.permission in held:
        return ok(key, _("%(permission)s is granted, to %(serves)s.") % words)
    if wider := sorted(need.wider & held):
        words["wider"] = ", ".join(wider)
        return ok(key, _("To %(serves)s, %(wider)s stands in for %(permission)s.") % words)
    return CheckItem(
        key,
        need.without,
        _("%(permission)s is missing, so Latchkey cannot %(serves)s.") % words,
        _(
            "Add the application permission %(permission)s of Microsoft Graph in your own tenant: Entra admin centre, "
            "App registrations, the app, API permissions. Then have an administrator of this tenant consent again."
        )
        % words,
        consent=True,
    )


def judge_excess(own: OwnAccess) -> Iterator[CheckItem]:
    """What is granted and not needed: each dangerous one by itself, the others together."""
    needed = {need.permission for need in (*NEEDED, FOR_HARDWARE)}
    more = own.permissions - needed - HARMLESS
    for permission in sorted(more & DANGEROUS.keys()):
        yield warning(
            f"excess.{permission}",
            _("%(permission)s is granted and not needed: %(why)s.")
            % {"permission": permission, "why": DANGEROUS[permission]},
            _less(permission),
        )
    others = sorted(p for p in more - DANGEROUS.keys() if not p.startswith("UserAuthMethod-"))
    if others:
        names = ", ".join(others)
        yield warning(
            "excess.others", _("Granted and not needed by Latchkey: %(names)s.") % {"names": names}, _less(names)
        )
    if any(role.template_id == GLOBAL_ADMINISTRATOR for role in own.roles or ()):
        yield warning(
            "excess.role",
            _("The app holds the role Global Administrator, which is more than it needs."),
            _(
                "Assign Privileged Authentication Administrator instead: Entra admin centre of this tenant, Roles and "
                "admins. Then remove the app from Global Administrator."
            ),
        )


def _less(permissions: str) -> str:
    return _(
        "Remove %(permissions)s from the app: Entra admin centre of this tenant, Enterprise applications, the app, "
        "Permissions, Review permissions. Remove it from the registration in your own tenant too (App registrations, "
        "the app, API permissions), or the next consent brings it back."
    ) % {"permissions": permissions}


# Directory roles


@dataclass(frozen=True)
class Holder:
    """As whom we come, and which roles that one has; None when they could not be read."""

    name: str
    roles: tuple[Role, ...] | None
    unread: str
    assign: str


def judge_roles(own: OwnAccess, facts: TenantFacts) -> Iterator[CheckItem]:
    """One item for each account that automation may touch and that is there."""
    holder = _as_partner(facts) if facts.as_partner else _as_app(own)
    for account in facts.accounts:
        if account.break_glass or account.roles is None:
            continue
        yield _role(holder, account).about(account.account_id)


def _as_app(own: OwnAccess) -> Holder:
    return Holder(
        _("the app"),
        own.roles,
        _("Grant RoleManagement.Read.Directory to the app, then check again."),
        _(
            "Assign the role %(least)s to the app in this tenant: Entra admin centre, Roles and admins, %(least)s, Add "
            "assignments, and choose the app (service principal {principal}). It is the least role for this account."
        ).replace("{principal}", own.service_principal_id),
    )


def _as_partner(facts: TenantFacts) -> Holder:
    """Its roles are those of the relationships. Which of them its groups got is only known in the partner's tenant."""
    held = {role for relationship in facts.lasting_relationships for role in relationship.roles}
    return Holder(
        _("the partner's user"),
        tuple(Role(role, ROLE_NAMES.get(role, "")) for role in sorted(held)) or None,
        _("Set LATCHKEY_PARTNER_TENANT, so that the delegated admin relationships can be read, then check again."),
        _(
            "Give the security group of the partner's user the role %(least)s in this tenant: Partner Center, "
            "Customers, the customer, Admin relationships, the relationship, Security groups. If the relationship "
            "lacks the role, ask for a new one. It is the least role for this account."
        ),
    )


def _role(holder: Holder, account: AccountFacts) -> CheckItem:
    key, words = f"role.{account.account_id}", {"account": account.name, "who": holder.name}
    if holder.roles is None or account.roles is None or isinstance(account.roles, DirectoryError):
        sentence = _("Whether %(who)s may change the password of %(account)s is not known: roles could not be read.")
        return unknown(key, sentence % words, holder.unread)
    target = {role.template_id for role in account.roles}
    words["held"] = ", ".join(sorted(role.name or role.template_id for role in account.roles)) or _(
        "no role of its own (one through a group is not seen)"
    )
    wide = {role.template_id for role in holder.roles if role.scope == "/"}
    words["own"] = _names(wide) or _("no role")
    if is_enough(wide, target):
        return ok(key, _("%(account)s holds %(held)s; that %(who)s holds %(own)s is enough for it.") % words)
    words["least"] = ROLE_NAMES[least_role(target)]
    sentence = _("%(account)s holds %(held)s; %(who)s holds %(own)s, so Microsoft refuses a new password.")
    if is_enough({role.template_id for role in holder.roles}, target):
        sentence = _(
            "%(account)s holds %(held)s; the role of %(who)s is limited to an administrative unit, and Microsoft's "
            "rules are for roles of the whole tenant."
        )
    return wrong(key, sentence % words, holder.assign % words)


def _names(roles: Iterable[str]) -> str:
    return ", ".join(sorted(ROLE_NAMES.get(role, role) for role in roles))
