"""What the tenant's own logs get to hold: an event for every change and every sign-in, visible at once or later.

Assumption: the names of the activities that are not about security info; those of the "Authentication Methods"
service are documented (entra-docs reference-audit-activities).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .journal import Effect
from .state import SimEvent, SimMethod, SimTenant, SimUser

if TYPE_CHECKING:
    from .cloud import Cloud

METHODS_SERVICE = "Authentication Methods"
_ACTIVITIES = {
    ("method_added", "person"): ("User registered security info", METHODS_SERVICE),
    ("method_added", "graph"): ("Admin registered security info", METHODS_SERVICE),
    ("method_removed", "person"): ("User deleted security info", METHODS_SERVICE),
    ("method_removed", "graph"): ("Admin deleted security info", METHODS_SERVICE),
    ("default_moved", "person"): ("User changed default security info", METHODS_SERVICE),
    ("default_moved", "graph"): ("Admin changed default security info", METHODS_SERVICE),
    ("password_changed", "person"): ("Change user password", "Core Directory"),
    ("password_changed", "graph"): ("Reset user password", "Core Directory"),
    ("sessions_revoked", "graph"): ("Update StsRefreshTokenValidFrom Timestamp", "Core Directory"),
    ("user_enabled", "graph"): ("Enable account", "Core Directory"),
    ("user_disabled", "graph"): ("Disable account", "Core Directory"),
    ("user_removed", "graph"): ("Delete user", "Core Directory"),
}
_OTHER = ("Update user", "Core Directory")

SIGN_IN_ERRORS = {
    "signed_in": 0,
    "wrong_password": 50126,
    "code_needed": 50076,
    "wrong_code": 500121,
    "locked": 50053,
    "disabled": 50057,
}
"""What the sign-in page said -> the AADSTS number in the log. 500121 (second factor failed): assumption."""
FAILURES = {
    50126: "Invalid username or password or Invalid on-premise username or password.",
    50076: "Strong authentication is required.",
    500121: "Authentication failed during strong authentication request.",
    50053: "Account is locked because user tried to sign in too many times.",
    50057: "User account is disabled.",
}
FACTOR_WORDS = {
    "software_oath": "Software OATH token",
    "hardware_oath": "Hardware OATH token",
    "microsoft_authenticator": "Mobile app notification",
    "phone": "Text message",
    "fido2": "Passkey (device-bound)",
    "temporary_access_pass": "Temporary Access Pass",
}


_at_work = threading.local()


@contextmanager
def initiated_by(*, client_id: str, principal_id: str, user_id: str = "") -> Iterator[None]:
    """Every event of this thread meanwhile is the doing of this application, or of a person through it."""
    user = {"id": user_id, "displayName": None, "userPrincipalName": None, "ipAddress": None}
    app = {
        "appId": client_id,
        "displayName": None,
        "servicePrincipalId": principal_id,
        "servicePrincipalName": None,
    }
    _at_work.initiator = {"user": user, "app": None} if user_id else {"user": None, "app": app}
    try:
        yield
    finally:
        _at_work.initiator = None


def changed(cloud: Cloud, tenant: SimTenant, effect: Effect) -> None:
    """An audit event for a change that really happened. Call it under the tenant's lock."""
    by = "person" if effect.by == "person" else "graph"
    activity, service = _ACTIVITIES.get((effect.kind, by), _ACTIVITIES.get((effect.kind, "graph"), _OTHER))
    audit(
        cloud, tenant, activity, by=effect.by, target_id=effect.user_id, target_upn=effect.upn, service=service,
        request_id=effect.request_id,
    )  # fmt: skip


def audit(
    cloud: Cloud,
    tenant: SimTenant,
    activity: str,
    *,
    by: str,
    target_id: str,
    target_upn: str = "",
    service: str = METHODS_SERVICE,
    category: str = "UserManagement",
    result: str = "success",
    request_id: str = "",
) -> None:
    """One line of directoryAudits. `by`: "person" for the account itself, else an application."""
    at = cloud.now()
    user = {"id": target_id, "displayName": None, "userPrincipalName": target_upn, "ipAddress": None}
    app = {"appId": None, "displayName": "Microsoft", "servicePrincipalId": None, "servicePrincipalName": None}
    initiator = getattr(_at_work, "initiator", None) or {"user": None, "app": app}
    body: dict[str, Any] = {
        "id": f"{service.partition(' ')[0]}_{cloud.new_id()}",
        "category": category,
        "correlationId": request_id or cloud.new_id(),
        "result": result,
        "resultReason": "",
        "activityDisplayName": activity,
        "activityDateTime": precise(at),
        "loggedByService": service,
        "operationType": "Update",
        "initiatedBy": {"user": user, "app": None} if by == "person" else initiator,
        "targetResources": [
            {
                "id": target_id,
                "displayName": None,
                "type": "User",
                "userPrincipalName": target_upn,
                "modifiedProperties": [],
                "groupType": None,
            }
        ],
        "additionalDetails": [],
    }
    _keep(cloud, tenant.audits, body, at)


def signed_in(
    cloud: Cloud,
    tenant: SimTenant,
    user: SimUser,
    *,
    error: int,
    interactive: bool = True,
    factor: SimMethod | None = None,
    app: str = "Azure Portal",
    device: str = "",
    ip: str = "203.0.113.10",
) -> None:
    """One line of signIns. `factor` is the method that confirmed it, beside the password."""
    at = cloud.now()
    body = _sign_in_facts(user, error, at) | {
        "id": cloud.new_id(),
        "correlationId": cloud.new_id(),
        "appDisplayName": app,
        "appId": "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
        "ipAddress": ip,
        "clientAppUsed": "Browser" if interactive else "Mobile Apps and Desktop clients",
        "isInteractive": interactive,
        "signInEventTypes": ["interactiveUser" if interactive else "nonInteractiveUser"],
        "authenticationRequirement": "multiFactorAuthentication" if factor else "singleFactorAuthentication",
        "authenticationDetails": _steps(error, factor, at),
    }
    body["deviceDetail"]["displayName"] = device or None
    _keep(cloud, tenant.sign_ins, body, at)


def used_steps(user: SimUser) -> dict[str, list[int]]:
    """Which codes were used up, method by method: compare before and after to see which method gave one."""
    return {method.id: list(method.used_steps) for method in user.methods.values()}


def factor_of(user: SimUser, before: dict[str, list[int]], push: str | None) -> SimMethod | None:
    """The method by which a sign-in was confirmed just now."""
    if push is not None:
        return user.methods.get(push)
    return next((m for m in user.methods.values() if m.used_steps != before.get(m.id, [])), None)


def precise(moment: dt.datetime) -> str:
    """As the logs print a time: seven digits of a second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _keep(cloud: Cloud, log: list[SimEvent], body: dict[str, Any], at: dt.datetime) -> None:
    """Late by as much as `cloud.log_delay` allows; with `cloud.log_noise` as chance it comes a second time."""
    chance, (least, most) = cloud.chance("logs"), cloud.log_delay
    log.append(SimEvent(body, at, at + dt.timedelta(seconds=chance.uniform(least, most))))
    if chance.random() < cloud.log_noise:
        log.append(SimEvent(body, at, at + dt.timedelta(seconds=chance.uniform(least, most))))


def _sign_in_facts(user: SimUser, error: int, at: dt.datetime) -> dict[str, Any]:
    return {
        "createdDateTime": precise(at),
        "userDisplayName": user.display_name,
        "userPrincipalName": user.upn,
        "userId": user.id,
        "conditionalAccessStatus": "notApplied",
        "riskDetail": "none",
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "riskEventTypes": [],
        "resourceDisplayName": "Microsoft Graph",
        "resourceId": "00000003-0000-0000-c000-000000000000",
        "status": {"errorCode": error, "failureReason": FAILURES.get(error), "additionalDetails": None},
        "deviceDetail": {
            "deviceId": "",
            "displayName": None,
            "operatingSystem": "Windows 10",
            "browser": "Edge 130.0.0",
            "isCompliant": None,
            "isManaged": None,
            "trustType": None,
        },
        "location": {
            "city": None,
            "state": None,
            "countryOrRegion": None,
            "geoCoordinates": {"altitude": None, "latitude": None, "longitude": None},
        },
        "appliedConditionalAccessPolicies": [],
    }


def _steps(error: int, factor: SimMethod | None, at: dt.datetime) -> list[dict[str, Any]]:
    right = error not in (50126, 50053)
    steps = [_step(at, "Password", "Password in the cloud", right, "Primary authentication")]
    if factor:
        word = FACTOR_WORDS.get(factor.kind, factor.kind)
        steps.append(_step(at, word, factor.label or None, error == 0, "Multifactor authentication"))
    return steps


def _step(at: dt.datetime, word: str, detail: str | None, succeeded: bool, requirement: str) -> dict[str, Any]:
    return {
        "authenticationStepDateTime": precise(at),
        "authenticationMethod": word,
        "authenticationMethodDetail": detail,
        "succeeded": succeeded,
        "authenticationStepResultDetail": "Correct" if succeeded else "Not correct",
        "authenticationStepRequirement": requirement,
    }
