"""Names for what can be asked of the cloud, so that a fault is planned in words and not in paths."""

from __future__ import annotations

import re
from dataclasses import dataclass

_USER = r"/users/[^/?]+"
_METHODS = rf"{_USER}/authentication"
_DEVICES = r"/directory/authenticationMethodDevices/hardwareOathDevices"
_TOKENS = rf"{_METHODS}/hardwareOathMethods"
_END = r"/?(\?|$)"


@dataclass(frozen=True)
class Operation:
    """An HTTP method and a pattern that is searched in the path with its query."""

    method: str
    pattern: re.Pattern[str]

    def is_this(self, method: str, path: str) -> bool:
        return method == self.method and bool(self.pattern.search(path))


def _operation(method: str, path: str) -> Operation:
    return Operation(method, re.compile(path, re.IGNORECASE))


OPERATIONS = {
    "token": _operation("POST", rf"/oauth2/v2\.0/token{_END}"),
    "discovery": _operation("GET", r"/\.well-known/openid-configuration"),
    "batch": _operation("POST", rf"/\$batch{_END}"),
    "users.list": _operation("GET", rf"/users{_END}"),
    "user.read": _operation("GET", rf"{_USER}{_END}"),
    "password.set": _operation("PATCH", rf"{_USER}{_END}"),
    "sessions.revoke": _operation("POST", rf"{_USER}/(microsoft\.graph\.)?revokeSignInSessions{_END}"),
    "methods.list": _operation("GET", rf"{_METHODS}/methods{_END}"),
    "method.delete": _operation("DELETE", rf"{_METHODS}/\w+Methods?/[^/?]+{_END}"),
    "default.read": _operation("GET", rf"{_METHODS}/signInPreferences{_END}"),
    "default.move": _operation("PATCH", rf"{_METHODS}/signInPreferences{_END}"),
    "mfa.read": _operation("GET", rf"{_METHODS}/requirements{_END}"),
    "mfa.set": _operation("PATCH", rf"{_METHODS}/requirements{_END}"),
    "pass.issue": _operation("POST", rf"{_METHODS}/temporaryAccessPassMethods{_END}"),
    "hardware.list": _operation("GET", rf"{_DEVICES}{_END}"),
    "hardware.create": _operation("POST", rf"{_DEVICES}{_END}"),
    "hardware.delete": _operation("DELETE", rf"{_DEVICES}/[^/?]+{_END}"),
    "hardware.assign": _operation("POST", rf"{_TOKENS}{_END}"),
    "hardware.activate": _operation("POST", rf"{_TOKENS}/([^/?]+/activate|assignAndActivate(BySerialNumber)?){_END}"),
    "hardware.deactivate": _operation("POST", rf"{_TOKENS}/[^/?]+/deactivate{_END}"),
    "hardware.unassign": _operation("DELETE", rf"{_TOKENS}/[^/?]+{_END}"),
    "roles.read": _operation("GET", rf"/roleManagement/directory/roleAssignments{_END}"),
    "organisation.read": _operation("GET", rf"/organization{_END}"),
    "policies.read": _operation("GET", r"/policies/|/identity/conditionalAccess/policies"),
    "audits.read": _operation("GET", rf"/auditLogs/directoryAudits{_END}"),
    "signins.read": _operation("GET", rf"/auditLogs/signIns{_END}"),
    "relationships.read": _operation("GET", r"/tenantRelationships/delegatedAdminRelationships"),
}
"""password.set is any change of a user: the path does not tell a password from another property."""
