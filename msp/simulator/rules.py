"""Microsoft's rules as pure functions: who may do what, what a password must be, which method may go."""

from __future__ import annotations

from collections.abc import Collection

from . import kinds, permissions
from .state import (
    GLOBAL_ADMINISTRATOR,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    SimMethod,
    SimTenant,
    SimUser,
)

USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
AUTHENTICATION_ADMINISTRATOR = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
AUTHENTICATION_POLICY_ADMINISTRATOR = "0526716b-113d-4c15-b2c8-68e3c22b9f80"
HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
PASSWORD_ADMINISTRATOR = "966707d0-3269-4727-9be2-8c3a10f19b9d"
DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
REPORTS_READER = "4a5d8f65-41da-4de4-8968-e035b65339cf"
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
SECURITY_READER = "5d6b6bb7-de71-4623-b4af-96380a352509"
SECURITY_ADMINISTRATOR = "194ae4cb-b126-40b2-bd5b-6091b380977d"
GUEST_INVITER = "95e79109-95c0-4d8e-aee3-d01accf2d47b"
MESSAGE_CENTER_READER = "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"
GROUPS_ADMINISTRATOR = "fdd7a751-b60b-444a-984c-02652fe8fa1c"

_EVERYTHING = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR})
_HARMLESS = frozenset({DIRECTORY_READERS, GUEST_INVITER, MESSAGE_CENTER_READER, REPORTS_READER, PASSWORD_ADMINISTRATOR})
_MAY_RESET: dict[str, frozenset[str]] = {
    HELPDESK_ADMINISTRATOR: _HARMLESS | {HELPDESK_ADMINISTRATOR},
    USER_ADMINISTRATOR: _HARMLESS | {HELPDESK_ADMINISTRATOR, USER_ADMINISTRATOR, GROUPS_ADMINISTRATOR},
    AUTHENTICATION_ADMINISTRATOR: _HARMLESS | {AUTHENTICATION_ADMINISTRATOR},
}
"""Caller's role -> roles a target may hold (entra-docs privileged-roles-permissions, who can reset passwords)."""

_SEE_METHODS = _EVERYTHING | {GLOBAL_READER, AUTHENTICATION_ADMINISTRATOR}
_RULE_METHODS = frozenset({GLOBAL_ADMINISTRATOR, AUTHENTICATION_POLICY_ADMINISTRATOR})
_SEE_METHOD_RULES = _RULE_METHODS | {GLOBAL_READER}
_SEE_LOGS = frozenset({GLOBAL_ADMINISTRATOR, GLOBAL_READER, REPORTS_READER, SECURITY_READER, SECURITY_ADMINISTRATOR})

READ_METHODS, WRITE_METHODS = permissions.READ_METHODS, permissions.WRITE_METHODS
typed_permissions = permissions.typed_permissions

BASIC_PROPERTIES = frozenset(
    {"id", "displayName", "givenName", "surname", "mail", "userPrincipalName", "businessPhones", "jobTitle"}
)
"""What User.ReadBasic.All alone may see."""

PREMIUM_PLANS = frozenset({"AAD_PREMIUM", "AAD_PREMIUM_P2"})


def is_premium(tenant: SimTenant) -> bool:
    """Whether the tenant has Entra ID P1 or better."""
    return bool(PREMIUM_PLANS & set(tenant.plans))


def is_guest(user: SimUser) -> bool:
    """Whether somebody else's directory signs this user in."""
    return user.user_type.lower() == "guest" or "#ext#" in user.upn.lower()


def is_federated(tenant: SimTenant, user: SimUser) -> bool:
    """Whether the user's domain signs in elsewhere, so that no password of it is kept here."""
    return user.upn.rpartition("@")[2].lower() in {domain.lower() for domain in tenant.federated}


def is_banned(tenant: SimTenant, password: str) -> bool:
    """Whether the tenant's list of banned words, its own name among them, forbids a password. No list, no ban."""
    words = [*tenant.policies.banned, tenant.name] if tenant.policies.banned else []
    return any(word.lower() in password.lower() for word in words)


def reaches_others(permission: str) -> bool:
    """Whether a delegated permission goes beyond the account of the person who signed in."""
    return permission.endswith(".All") or not permission.startswith("User")


def person_may(roles: Collection[str], method: str, path: list[str], target_roles: Collection[str]) -> bool:
    """Whether the directory roles of a person allow a call about somebody else; `path` is in lower case.

    The reference asks for these roles in delegated calls only. Assumption: Global Administrator may whatever one of
    the named roles may, and Global Reader sees the rules of methods.
    """
    held = set(roles)
    match path:
        case ["users", _, "authentication", "requirements"] | ["directory", "authenticationmethoddevices", *_]:
            return bool(held & (_SEE_METHOD_RULES if method == "GET" else _RULE_METHODS))
        case ["users", _, "authentication", *_]:
            return bool(held & _SEE_METHODS) if method == "GET" else may_manage_methods(roles, target_roles)
        case ["policies", "authenticationmethodspolicy", *_]:
            return method == "GET" or bool(held & _RULE_METHODS)
        case ["auditlogs" | "reports", *_]:
            return bool(held & _SEE_LOGS)
    return True


def may_manage_methods(caller_roles: Collection[str], target_roles: Collection[str]) -> bool:
    """Whether a person with these roles may change the methods of a user with those."""
    if _EVERYTHING & set(caller_roles):
        return True
    return AUTHENTICATION_ADMINISTRATOR in caller_roles and may_reset_password(
        [AUTHENTICATION_ADMINISTRATOR], target_roles
    )


def may_block(caller_roles: Collection[str], target_roles: Collection[str]) -> bool:
    """Whether these roles may change accountEnabled of a user with those ("who can perform sensitive actions").

    Assumption: the rows are those of the password table, without Helpdesk Administrator.
    """
    return may_reset_password([role for role in caller_roles if role != HELPDESK_ADMINISTRATOR], target_roles)


def may_reset_password(caller_roles: Collection[str], target_roles: Collection[str]) -> bool:
    """Whether somebody with these roles may replace the password of a user with those."""
    if _EVERYTHING & set(caller_roles):
        return True
    return any(set(target_roles) <= _MAY_RESET[role] for role in caller_roles if role in _MAY_RESET)


def password_is_complex(password: str) -> bool:
    """8 to 256 characters, three of four classes, no Unicode (entra-docs concept-sspr-policy)."""
    if not 8 <= len(password) <= 256 or not password.isascii():
        return False
    classes = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    return sum(any(belongs(c) for c in password) for belongs in classes) >= 3


def preferences(method: SimMethod) -> tuple[str, ...]:
    return kinds.preferences_of(method.kind, str(method.details.get("phoneType", "mobile")))


def deletion_refusal(user: SimUser, method: SimMethod) -> str:
    """Microsoft's sentence against this deletion, or "" when it may go.

    Assumption: the default is a kind, not one object, so a sibling of the same kind takes over silently;
    the deletion is refused only for the last method of that kind while others (the password apart) exist.
    """
    others = [m for m in user.methods.values() if m.id != method.id and m.kind != "password"]
    if method.id == kinds.PHONE_IDS["mobile"] and kinds.PHONE_IDS["alternateMobile"] in user.methods:
        # Assumption: the wording; that the alternate must go first is documented.
        return "Cannot delete the mobile phone method while an alternate mobile phone method exists."
    is_last_of_default = user.default in preferences(method) and all(user.default not in preferences(m) for m in others)
    if not (is_last_of_default and others):
        return ""
    if method.kind == "phone":
        return (
            f"The requested authentication method id of [{method.id}] matches the user's current default "
            "authentication method, and cannot be deleted until the default authentication method is changed"
        )
    return "Cannot delete default method with other methods configured. Please change default method before deletion."
