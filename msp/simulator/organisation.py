"""The tenant itself: organisation, domains, and what its policies allow."""

from __future__ import annotations

import uuid
from typing import Any

from .answers import Answer
from .graph import Call
from .state import SimTenant, stamp

METHOD_STATES = {
    "MicrosoftAuthenticator": "enabled",
    "SoftwareOath": "enabled",
    "HardwareOath": "disabled",
    "Fido2": "enabled",
    "TemporaryAccessPass": "disabled",
    "Sms": "enabled",
    "Voice": "enabled",
    "Email": "enabled",
}
"""Configuration of a kind -> its state where the tenant decided nothing. Assumption: a new tenant's states."""

_BETA_CONFIGURATIONS = frozenset({"HardwareOath"})
"""v1.0 has no type for them (v1.0 CSDL of August 2026)."""

PLAN_IDS = {
    "AAD_PREMIUM": "41781fb2-bc02-4b7c-bd55-b576c07bb09d",
    "AAD_PREMIUM_P2": "eec0eb4f-6444-4f95-aba0-50c24d67f998",
}
"""Name of a service plan -> its id (entra-docs, licensing-service-plan-reference); any other gets an invented one."""

SUSPENDED, NOT_FOUND = 500014, 90002


def policy_allows(tenant: SimTenant, configuration_id: str) -> bool:
    """Whether this tenant lets its users have a kind of method ("SoftwareOath" ..., in any case of letters)."""
    return _method_states(tenant).get(configuration_id.lower(), ("", "disabled"))[1] == "enabled"


def refusal_of(tenant: SimTenant) -> int:
    """The AADSTS code by which the token endpoint refuses everybody of this tenant; 0 while it lives.

    Assumption: the code for a suspended tenant (resource disabled); a decommissioned one is not found.
    """
    return {"suspended": SUSPENDED, "decommissioned": NOT_FOUND}.get(tenant.condition, 0)


def answer(call: Call) -> Answer | None:
    """None for a call that is not known here."""
    match call.lower:
        case ["organization"]:
            return _listed(call, "organization", [_organisation(call.tenant)])
        case ["domains"]:
            return _listed(call, "domains", [_domain(call.tenant, name) for name in _domains(call.tenant)])
        case ["domains", name]:
            return _one_domain(call, name)
        case ["policies", "identitysecuritydefaultsenforcementpolicy"]:
            return _security_defaults(call)
        case ["policies", "authenticationmethodspolicy"]:
            return _methods_policy(call)
        case ["policies", "authenticationmethodspolicy", "authenticationmethodconfigurations", *rest]:
            return _configurations(call, rest)
        case ["identity", "conditionalaccess", "policies", *rest]:
            return _access_policies(call, rest)
    return None


def _listed(call: Call, what: str, rows: list[dict[str, Any]]) -> Answer:
    call.only("GET")
    return Answer(200, {"@odata.context": call.context(what), "value": [call.chosen(row) for row in rows]})


def _entity(call: Call, what: str, body: dict[str, Any]) -> Answer:
    return Answer(200, {"@odata.context": call.context(what)} | call.chosen(body))


# The organisation and its domains


def _organisation(tenant: SimTenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "displayName": tenant.name,
        "assignedPlans": [_plan(tenant, name) for name in tenant.plans],
        "businessPhones": [],
        "onPremisesSyncEnabled": True if any(user.synced for user in tenant.users.values()) else None,
        "tenantType": "AAD",
        "verifiedDomains": [_verified_domain(tenant, name) for name in _domains(tenant)],
    }


def _plan(tenant: SimTenant, name: str) -> dict[str, Any]:
    """A plan in force. Its name is not told, only its id and the service that it belongs to."""
    return {
        "assignedDateTime": "2026-01-01T00:00:00Z",
        "capabilityStatus": "Enabled",
        "service": "AADPremiumService" if name in PLAN_IDS else name,
        "servicePlanId": PLAN_IDS.get(name) or str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
    }


def _domains(tenant: SimTenant) -> list[str]:
    """The tenant's own domain, then the federated ones beside it."""
    return list(dict.fromkeys([tenant.domain, *(name.lower() for name in tenant.federated)]))


def _is_federated(tenant: SimTenant, name: str) -> bool:
    return name in {domain.lower() for domain in tenant.federated}


def _verified_domain(tenant: SimTenant, name: str) -> dict[str, Any]:
    return {
        "capabilities": "Email, OfficeCommunicationsOnline",
        "isDefault": name == tenant.domain,
        "isInitial": name == tenant.domain,
        "name": name,
        "type": "Federated" if _is_federated(tenant, name) else "Managed",
    }


def _domain(tenant: SimTenant, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "authenticationType": "Federated" if _is_federated(tenant, name) else "Managed",
        "availabilityStatus": None,
        "isAdminManaged": True,
        "isDefault": name == tenant.domain,
        "isInitial": name == tenant.domain,
        "isRoot": True,
        "isVerified": True,
        "supportedServices": ["Email", "OfficeCommunicationsOnline"],
        "passwordValidityPeriodInDays": None,
        "passwordNotificationWindowInDays": None,
        "state": None,
    }


def _one_domain(call: Call, name: str) -> Answer:
    call.only("GET")
    if name not in _domains(call.tenant):
        raise call.absent(name)
    return _entity(call, "domains/$entity", _domain(call.tenant, name))


# Policies


def _security_defaults(call: Call) -> Answer:
    call.only("GET")
    body = {
        "id": "00000000-0000-0000-0000-000000000005",
        "displayName": "Security Defaults",
        "description": "Protects an organisation with settings that Microsoft chose in advance.",
        "isEnabled": call.tenant.policies.security_defaults,
    }
    return _entity(call, "policies/identitySecurityDefaultsEnforcementPolicy", body)


def _method_states(tenant: SimTenant) -> dict[str, tuple[str, str]]:
    """Configuration in lower case -> (its id, its state)."""
    states = {name.lower(): (name, state) for name, state in METHOD_STATES.items()}
    for name, state in tenant.policies.methods.items():
        shown = states.get(name.lower(), (name, ""))[0]
        states[name.lower()] = (shown, state)
    return states


def _shown_configurations(call: Call) -> dict[str, dict[str, Any]]:
    """Configuration in lower case -> its body, as far as this version of Graph has it."""
    return {
        key: _configuration(name, state)
        for key, (name, state) in _method_states(call.tenant).items()
        if call.version == "beta" or name not in _BETA_CONFIGURATIONS
    }


def _configuration(name: str, state: str) -> dict[str, Any]:
    target = {"targetType": "group", "id": "all_users", "isRegistrationRequired": False}
    return {
        "@odata.type": f"#microsoft.graph.{name[0].lower()}{name[1:]}AuthenticationMethodConfiguration",
        "id": name,
        "state": state,
        "excludeTargets": [],
        "includeTargets": [target],
    }


_POLICY = "policies/authenticationMethodsPolicy"


def _methods_policy(call: Call) -> Answer:
    call.only("GET")
    body = {
        "id": "authenticationMethodsPolicy",
        "displayName": "Authentication Methods Policy",
        "description": "The methods that this organisation allows its users to sign in with.",
        "lastModifiedDateTime": stamp(call.cloud.now()),
        "policyVersion": "1.5",
        "policyMigrationState": "migrationComplete",
        "authenticationMethodConfigurations": list(_shown_configurations(call).values()),
    }
    return _entity(call, _POLICY, body)


def _configurations(call: Call, rest: list[str]) -> Answer | None:
    where, shown = f"{_POLICY}/authenticationMethodConfigurations", _shown_configurations(call)
    if not rest:
        return _listed(call, where, list(shown.values()))
    if len(rest) > 1:
        return None
    call.only("GET", "PATCH")
    if rest[0] not in shown:
        raise call.absent(call.parts[-1])
    if call.method == "GET":
        return _entity(call, f"{where}/$entity", shown[rest[0]])
    asked = call.body if isinstance(call.body, dict) else {}
    if set(asked) - {"@odata.type", "state"} or asked.get("state") not in ("enabled", "disabled"):
        # Assumption: the text. Only the switch itself is kept here; targets are always all users.
        raise call.error(400, "Request_BadRequest", "Invalid or unsupported properties were found in the request.")
    if not call.lies:
        call.tenant.policies.methods[shown[rest[0]]["id"]] = asked["state"]
        call.cloud.changed()
    return Answer(204)


def _access_policies(call: Call, rest: list[str]) -> Answer | None:
    """Assumption: without Entra ID P1 they cannot even be read, with the error of the other premium calls."""
    if len(rest) > 1:
        return None
    call.only("GET")
    call.need_premium()
    kept = call.tenant.policies.conditional_access
    rows = [_access_policy(call.tenant, number, one) for number, one in enumerate(kept)]
    if not rest:
        return _listed(call, "identity/conditionalAccess/policies", rows)
    found = next((row for row in rows if row["id"] == rest[0]), None)
    if found is None:
        raise call.absent(rest[0])
    return _entity(call, "identity/conditionalAccess/policies/$entity", found)


def _access_policy(tenant: SimTenant, number: int, kept: dict[str, Any]) -> dict[str, Any]:
    """A policy with Graph's names; `blocks` is this cloud's own word for what it refuses."""
    control = "block" if kept.get("blocks") else "mfa"
    usual = {
        "id": str(uuid.uuid5(uuid.UUID(tenant.id), f"access policy {number}")),
        "templateId": None,
        "displayName": f"Policy {number + 1}",
        "createdDateTime": "2026-01-01T00:00:00Z",
        "modifiedDateTime": None,
        "state": "enabled",
        "conditions": {
            "clientAppTypes": ["all"],
            "userRiskLevels": [],
            "signInRiskLevels": [],
            "applications": {"includeApplications": ["All"], "excludeApplications": [], "includeUserActions": []},
            "users": {"includeUsers": ["All"], "excludeUsers": [], "includeRoles": [], "excludeRoles": []},
        },
        "grantControls": {"operator": "OR", "builtInControls": [control], "termsOfUse": []},
        "sessionControls": None,
    }
    return usual | {name: value for name, value in kept.items() if name != "blocks"}
