"""Microsoft's rules as pure functions: who may do what, what a password must be, which method may go."""

from __future__ import annotations

from collections.abc import Collection

from . import kinds
from .state import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, SimMethod, SimUser

USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
AUTHENTICATION_ADMINISTRATOR = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
PASSWORD_ADMINISTRATOR = "966707d0-3269-4727-9be2-8c3a10f19b9d"
DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
REPORTS_READER = "4a5d8f65-41da-4de4-8968-e035b65339cf"

_HARMLESS = frozenset({DIRECTORY_READERS, REPORTS_READER, PASSWORD_ADMINISTRATOR})
_MAY_RESET: dict[str, frozenset[str]] = {
    HELPDESK_ADMINISTRATOR: _HARMLESS | {HELPDESK_ADMINISTRATOR},
    USER_ADMINISTRATOR: _HARMLESS | {HELPDESK_ADMINISTRATOR, USER_ADMINISTRATOR},
    AUTHENTICATION_ADMINISTRATOR: _HARMLESS | {AUTHENTICATION_ADMINISTRATOR},
}
"""Caller's role -> roles a target may hold (entra-docs privileged-roles-permissions, who can reset passwords)."""

READ_USERS = frozenset(
    {"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.ReadBasic.All"}
)
SET_PASSWORD = frozenset({"User-PasswordProfile.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All"})
REVOKE = frozenset({"User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"})
READ_METHODS = frozenset({"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"})
WRITE_METHODS = frozenset({"UserAuthenticationMethod.ReadWrite.All"})
READ_ROLES = frozenset(
    {
        "RoleManagement.Read.Directory",
        "RoleManagement.ReadWrite.Directory",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    }
)
READ_ORGANIZATION = frozenset(
    {
        "Organization.Read.All",
        "Organization.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
        "User.Read.All",
    }
)

BASIC_PROPERTIES = frozenset(
    {"id", "displayName", "givenName", "surname", "mail", "userPrincipalName", "businessPhones", "jobTitle"}
)
"""What User.ReadBasic.All alone may see."""


def typed_permissions(kind: kinds.Kind, *, write: bool) -> frozenset[str]:
    """The application permissions of one typed collection (permissions.json)."""
    narrow = f"UserAuthMethod-{kind.permission}"
    if write:
        return WRITE_METHODS | {f"{narrow}.ReadWrite.All"}
    return READ_METHODS | {f"{narrow}.Read.All", f"{narrow}.ReadWrite.All"}


def may_reset_password(caller_roles: Collection[str], target_roles: Collection[str]) -> bool:
    """Whether a service principal with these roles may replace the password of a user with those."""
    if {GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR} & set(caller_roles):
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
