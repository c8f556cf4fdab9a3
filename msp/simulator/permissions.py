"""Which permission opens which call: one row for every operation of Graph that this cloud knows.

Source: Microsoft's permissions.json (microsoftgraph/microsoft-graph-devx-content, August 2026), copied by hand; a
contract test compares every row with it. Rows with another `source` are those that it lacks or has wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import kinds

PUBLISHED = "permissions.json"


@dataclass(frozen=True)
class Row:
    """One operation: any one of `application` is enough for an app of its own, of `delegated` for one with a user."""

    application: frozenset[str]
    delegated: frozenset[str]
    source: str = PUBLISHED


def names(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


_DIRECTORY_READ = "Directory.Read.All Directory.ReadWrite.All"
_INTUNE_CONFIGURATION = (
    "DeviceManagementConfiguration.Read.All DeviceManagementConfiguration.ReadWrite.All "
    "DeviceManagementServiceConfig.Read.All DeviceManagementServiceConfig.ReadWrite.All"
)
_INTUNE_READ = (
    "DeviceManagementApps.Read.All DeviceManagementApps.ReadWrite.All DeviceManagementManagedDevices.Read.All "
    f"DeviceManagementManagedDevices.ReadWrite.All {_INTUNE_CONFIGURATION}"
)
_INTUNE_WRITE = (
    "DeviceManagementApps.ReadWrite.All DeviceManagementConfiguration.ReadWrite.All "
    "DeviceManagementManagedDevices.ReadWrite.All DeviceManagementServiceConfig.ReadWrite.All"
)
_AGENTS = "AgentIdUser.ReadWrite.All AgentIdUser.ReadWrite.IdentityParentedBy"
_READ_USERS = f"{_AGENTS} {_INTUNE_READ} {_DIRECTORY_READ} User.Read.All User.ReadBasic.All User.ReadWrite.All"
_CHANGE_USERS = (
    f"{_AGENTS} {_INTUNE_WRITE} Directory.ReadWrite.All User-Mail.ReadWrite.All User-PasswordProfile.ReadWrite.All "
    "User-Phone.ReadWrite.All User.EnableDisableAccount.All User.ManageIdentities.All User.ReadWrite.All"
)
_READ_ROLES = f"{_DIRECTORY_READ} RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory"
_READ_DEFINITIONS = f"{_READ_ROLES} RoleManagement.Read.All"
_READ_METHOD_POLICY = "Policy.Read.AuthenticationMethod Policy.ReadWrite.AuthenticationMethod"
_WRITE_METHOD_POLICY = "Policy.ReadWrite.AuthenticationMethod"
_READ_PARTNER = "DelegatedAdminRelationship.Read.All DelegatedAdminRelationship.ReadWrite.All"
_READ_APPS = f"Application.Read.All Application.ReadWrite.All {_DIRECTORY_READ}"
_READ_LOG = "AuditLog.Read.All"

READ_METHODS = names("UserAuthenticationMethod.Read.All UserAuthenticationMethod.ReadWrite.All")
WRITE_METHODS = names("UserAuthenticationMethod.ReadWrite.All")
SET_PASSWORD = names("User-PasswordProfile.ReadWrite.All User.ReadWrite.All Directory.ReadWrite.All")
"""Of those that may change users, the ones that reach the password (Graph reference, user-update)."""

SET_ENABLED = names("User.ReadWrite.All Directory.ReadWrite.All")
"""The ones that reach accountEnabled alone; User.EnableDisableAccount.All needs User.Read.All beside it."""


def typed_permissions(kind: kinds.Kind, *, write: bool) -> frozenset[str]:
    """The application permissions of one typed collection."""
    narrow = f"UserAuthMethod-{kind.permission}"
    if write:
        return WRITE_METHODS | {f"{narrow}.ReadWrite.All"}
    return READ_METHODS | {f"{narrow}.Read.All", f"{narrow}.ReadWrite.All"}


def with_own(application: frozenset[str]) -> frozenset[str]:
    """The delegated permissions beside these: each also without .All, for the own account."""
    return application | {name.removesuffix(".All") for name in application}


def _row(application: str, delegated: str = "", *, beside: str = "", source: str = PUBLISHED) -> Row:
    """Delegated permissions are the application's unless they are named; `beside` adds to them."""
    return Row(names(application), names(delegated or application, beside), source)


_CONFIGURATIONS = "/policies/authenticationmethodspolicy/authenticationmethodconfigurations"

_ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/users"): _row(f"{_READ_USERS} User.ReadWrite.CrossCloud", _READ_USERS),
    ("GET", "/users/{}"): _row(f"{_READ_USERS} User.ReadWrite.CrossCloud", f"{_READ_USERS} User.Read User.ReadWrite"),
    ("PATCH", "/users/{}"): _row(f"{_CHANGE_USERS} User.ReadWrite.CrossCloud", f"{_CHANGE_USERS} User.ReadWrite"),
    ("POST", "/users/{}/revokesigninsessions"): _row(
        f"{_AGENTS} Directory.ReadWrite.All User.ReadWrite.All User.RevokeSessions.All"
    ),
    ("GET", "/organization"): _row(
        f"{_INTUNE_CONFIGURATION} {_DIRECTORY_READ} Organization.Read.All Organization.ReadWrite.All User.Read.All",
        beside="User.Read",
    ),
    ("GET", "/domains"): _row("Directory.Read.All Domain.Read.All Domain.ReadWrite.All"),
    ("GET", "/domains/{}"): _row("Directory.Read.All Domain.Read.All Domain.ReadWrite.All"),
    ("GET", "/policies/identitysecuritydefaultsenforcementpolicy"): _row(
        "Policy.Read.All Policy.ReadWrite.SecurityDefaults"
    ),
    ("GET", "/policies/authenticationmethodspolicy"): _row(f"Policy.Read.All {_READ_METHOD_POLICY}"),
    ("GET", f"{_CONFIGURATIONS}/{{}}"): _row(f"Policy.Read.All {_READ_METHOD_POLICY}"),
    ("PATCH", f"{_CONFIGURATIONS}/{{}}"): _row(_WRITE_METHOD_POLICY),
    ("GET", "/identity/conditionalaccess/policies"): _row("Policy.Read.All"),
    ("GET", "/identity/conditionalaccess/policies/{}"): _row("Policy.Read.All"),
    ("GET", "/reports/authenticationmethods/userregistrationdetails"): _row(_READ_LOG),
    ("GET", "/reports/authenticationmethods/userregistrationdetails/{}"): _row(_READ_LOG),
    ("GET", "/rolemanagement/directory/roleassignments"): _row(_READ_ROLES, beside="RoleManagement.Read.All"),
    ("GET", "/rolemanagement/directory/roledefinitions"): _row(_READ_DEFINITIONS),
    ("GET", "/rolemanagement/directory/roledefinitions/{}"): _row(_READ_DEFINITIONS),
    ("GET", "/directoryroles"): _row(_READ_ROLES),
    ("GET", "/directoryroles/{}"): _row(_READ_ROLES),
    ("GET", "/directoryroles/{}/members"): _row(_READ_ROLES),
    ("GET", "/auditlogs/directoryaudits"): _row(f"{_READ_LOG} Directory.Read.All"),
    ("GET", "/auditlogs/directoryaudits/{}"): _row(f"{_READ_LOG} Directory.Read.All"),
    ("GET", "/auditlogs/signins"): _row(_READ_LOG),
    ("GET", "/auditlogs/signins/{}"): _row(_READ_LOG),
    ("GET", "/contracts"): _row(_DIRECTORY_READ),
    ("GET", "/contracts/{}"): _row(_DIRECTORY_READ),
    ("GET", "/tenantrelationships/delegatedadminrelationships"): _row(_READ_PARTNER),
    ("GET", "/tenantrelationships/delegatedadminrelationships/{}"): _row(_READ_PARTNER),
    ("GET", "/tenantrelationships/delegatedadminrelationships/{}/accessassignments"): _row(_READ_PARTNER),
    ("GET", "/tenantrelationships/delegatedadminrelationships/{}/accessassignments/{}"): _row(_READ_PARTNER),
    ("GET", "/tenantrelationships/delegatedadmincustomers"): _row(_READ_PARTNER),
    ("GET", "/tenantrelationships/delegatedadmincustomers/{}"): _row(_READ_PARTNER),
}

_SERVICE_PRINCIPALS = "Graph reference, serviceprincipal-list, -get and -list-approleassignments"
_DEVICES = "/directory/authenticationmethoddevices/hardwareoathdevices"
_DEVICE_PAGE = "Graph beta reference, authenticationmethoddevice; Policy.Read.All for reading is an assumption"
_PREFERENCES_PAGE = "Assumption: as the common list of methods; the page's table was not to be had"

_ROWS_BY_PAGES: dict[tuple[str, str], Row] = {
    ("GET", _CONFIGURATIONS): _row(
        f"Policy.Read.All {_READ_METHOD_POLICY}", source="Assumption: as the policy that holds them"
    ),
    **{
        ("GET", path): _row(f"{_READ_APPS} Application.ReadWrite.OwnedBy", _READ_APPS, source=_SERVICE_PRINCIPALS)
        for path in ("/serviceprincipals", "/serviceprincipals/{}", "/serviceprincipals/{}/approleassignments")
    },
    ("GET", _DEVICES): _row(f"Policy.Read.All {_WRITE_METHOD_POLICY}", source=_DEVICE_PAGE),
    ("GET", f"{_DEVICES}/{{}}"): _row(f"Policy.Read.All {_WRITE_METHOD_POLICY}", source=_DEVICE_PAGE),
    ("POST", _DEVICES): _row(_WRITE_METHOD_POLICY, source=_DEVICE_PAGE),
    ("PATCH", _DEVICES): _row(_WRITE_METHOD_POLICY, source=_DEVICE_PAGE),
    ("PATCH", f"{_DEVICES}/{{}}"): _row(_WRITE_METHOD_POLICY, source=_DEVICE_PAGE),
    ("DELETE", f"{_DEVICES}/{{}}"): _row(_WRITE_METHOD_POLICY, source=_DEVICE_PAGE),
}


def _rows_of_methods() -> dict[tuple[str, str], Row]:
    """Everything under /users/{id}/authentication."""
    root = "/users/{}/authentication"
    reading, writing = Row(READ_METHODS, with_own(READ_METHODS)), Row(WRITE_METHODS, with_own(WRITE_METHODS))
    rows = {
        ("GET", f"{root}/methods"): reading,
        ("GET", f"{root}/methods/{{}}"): reading,
        ("GET", f"{root}/requirements"): _row(f"Policy.Read.All {_WRITE_METHOD_POLICY}"),
        ("PATCH", f"{root}/requirements"): _row(_WRITE_METHOD_POLICY),
        ("GET", f"{root}/signinpreferences"): Row(reading.application, reading.delegated, _PREFERENCES_PAGE),
        ("PATCH", f"{root}/signinpreferences"): Row(writing.application, writing.delegated, _PREFERENCES_PAGE),
    }
    for kind in kinds.KINDS.values():
        if kind.collection:
            rows |= _rows_of_kind(kind, f"{root}/{kind.collection.lower()}")
    return rows


def _rows_of_kind(kind: kinds.Kind, collection: str) -> dict[tuple[str, str], Row]:
    read, write = typed_permissions(kind, write=False), typed_permissions(kind, write=True)
    reading, writing = Row(read, with_own(read)), Row(write, with_own(write))
    one = collection if kind.singleton else f"{collection}/{{}}"
    rows = {("GET", collection): reading, ("GET", one): reading}
    if kind.name == "fido2":
        # permissions.json lacks most permissions on the list of passkeys; its row for one passkey has them.
        rows["GET", collection] = Row(reading.application, reading.delegated, "the published row of one passkey")
    if kind.deletable:
        rows["DELETE", one] = writing
    if kind.name in ("phone", "email"):
        rows |= {("POST", collection): writing, ("PATCH", one): writing}
    if kind.name == "temporary_access_pass":
        rows["POST", collection] = Row(write, write)
    if kind.name == "hardware_oath":
        actions = ("", "/assignandactivate", "/assignandactivatebyserialnumber", "/{}/activate")
        rows |= {("POST", f"{collection}{action}"): writing for action in actions}
        rows["POST", f"{collection}/{{}}/deactivate"] = Row(
            writing.application, writing.delegated, "the published row of hardwareOathMethods/deactivate"
        )
    return rows


TABLE: dict[tuple[str, str], Row] = _ROWS | _ROWS_BY_PAGES | _rows_of_methods()
"""(HTTP method, path in lower case with {} for every parameter) -> its row. There is no row for the generic deletion
of a method, of which permissions.json says that no application may: the service does not know such a path."""

_PARAMETER = re.compile(r"^(\w+)\((\w+)='(.*)'\)$")


def row_of(method: str, parts: tuple[str, ...]) -> Row | None:
    """The row of one call; a literal path is preferred to one with parameters."""
    pieces: list[str] = []
    for part in parts:
        keyed = _PARAMETER.match(part)
        pieces += [keyed[1], keyed[3]] if keyed else [part.removeprefix("microsoft.graph.")]
    path = [piece.lower() for piece in pieces]
    found = [
        (template.count("{}"), row)
        for template, row in _BY_METHOD.get((method, len(path)), ())
        if all(known in ("{}", given) for known, given in zip(template, path, strict=True))
    ]
    return min(found, key=lambda one: one[0])[1] if found else None


_BY_METHOD: dict[tuple[str, int], list[tuple[list[str], Row]]] = {}
for (_method, _path), _found in TABLE.items():
    _pieces = _path.strip("/").split("/")
    _BY_METHOD.setdefault((_method, len(_pieces)), []).append((_pieces, _found))
