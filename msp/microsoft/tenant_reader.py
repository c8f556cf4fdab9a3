"""`TenantReader` for Microsoft Graph: a tenant as a whole, and what happened in it.

Every request, with the least application permission that Microsoft's permissions.json names for it and that we hold
anyway:

| Request                                                    | Permission                    |
|------------------------------------------------------------|-------------------------------|
| GET /organization                                          | User.Read.All                 |
| GET /domains                                               | Domain.Read.All               |
| GET /users                                                 | User.Read.All                 |
| GET /users/{id}                                            | User.Read.All                 |
| GET /roleManagement/directory/roleAssignments              | RoleManagement.Read.Directory |
| GET /policies/identitySecurityDefaultsEnforcementPolicy    | Policy.Read.All               |
| GET /policies/authenticationMethodsPolicy                  | Policy.Read.All               |
| GET /identity/conditionalAccess/policies                   | Policy.Read.All               |
| GET /reports/authenticationMethods/userRegistrationDetails | AuditLog.Read.All             |
| GET /auditLogs/directoryAudits                             | AuditLog.Read.All             |
| GET /auditLogs/signIns                                     | AuditLog.Read.All             |

Domain.Read.All serves nothing else, so it is not asked for: without it the verified domains of /organization stand in.
GET /servicePrincipals (page "list servicePrincipals", Application.Read.All) is only sent when a token does not say
whose it is; it is not in permissions.json's extract.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from msp.errors import AccountMissing, NeedsLicence, NotAllowed, Refused
from msp.microsoft.answers import Call, fault_in
from msp.microsoft.line import Line, body_of, unfinished
from msp.microsoft.logs import audit_event, filter_time, reads_from, sign_in_event, unseen
from msp.microsoft.methods import moment, user_path
from msp.microsoft.odata import asking, literal
from msp.microsoft.ports import AccountRef, FoundAccount
from msp.microsoft.tenant_ports import (
    AccessPolicy,
    AuditEvent,
    Cursor,
    Domain,
    MethodPolicy,
    Organisation,
    OwnAccess,
    Registration,
    Role,
    SignInEvent,
)

FOUND = "id,userPrincipalName,displayName"
CHECKED = "userType,isManagementRestricted,passwordPolicies,onPremisesSyncEnabled,accountEnabled,userPrincipalName"
LARGEST_PAGE = 999
"""Of users ("list users")."""

TO_READ_USERS = "User.Read.All"
TO_READ_DOMAINS = "Domain.Read.All"
TO_READ_ROLES = "RoleManagement.Read.Directory"
TO_READ_POLICIES = "Policy.Read.All"
TO_READ_LOGS = "AuditLog.Read.All"
TO_READ_APPS = "Application.Read.All"

PLAN_NAMES = {
    "41781fb2-bc02-4b7c-bd55-b576c07bb09d": "AAD_PREMIUM",
    "eec0eb4f-6444-4f95-aba0-50c24d67f998": "AAD_PREMIUM_P2",
}
"""An assigned plan carries an id and its service's name, not its own (names after the licensing reference)."""
PLANS_IN_FORCE = frozenset({"Enabled", "Warning"})

# The code is documented for sign-in logs. Assumption: other reports say it in words like these.
ABOUT_A_LICENCE = re.compile(r"NonPremiumTenant|premium|licen[cs]e", re.IGNORECASE)

# Assumption: without this clause beta shows interactive sign-ins only, and v1.0 knows no other.
EVERY_SIGN_IN = "signInEventTypes/any(t: t eq 'interactiveUser' or t eq 'nonInteractiveUser')"


class GraphTenantReader:
    """One tenant, read through Microsoft Graph. Safe to use from any thread."""

    def __init__(self, line: Line) -> None:
        self._line = line

    # What the tenant is

    def organisation(self) -> Organisation:
        """The tenant's name, domain and licences."""
        found = self._organisation()
        domains = _verified_domains(found)
        return Organisation(
            tenant_id=str(found.get("id") or self._line.tenant_id),
            display_name=str(found.get("displayName") or ""),
            default_domain=next((domain.name for domain in domains if domain.default), ""),
            synced=found.get("onPremisesSyncEnabled") is True,
            plans=_plans(found),
        )

    def domains(self) -> tuple[Domain, ...]:
        """Every domain; only the verified ones when the app may not read the list of domains."""
        call = self._line.reading("/v1.0/domains", "reading the domains", needs=TO_READ_DOMAINS)
        try:
            return tuple(_domain(item) for item in self._line.pages(call))
        except NotAllowed:
            return _verified_domains(self._organisation())

    def own_access(self) -> OwnAccess:
        """What our app may do here, by a token fetched just now: a new consent shows only in a new token.

        A delegated token's roles come from groups of the partner, which nothing here can read: they are None.
        """
        self._line.renew_token()
        claims = self._line.tokens.claims(self._line.tenant_id, self._line.cloud, self._line.access)
        permissions = self._line.tokens.permissions(self._line.tenant_id, self._line.cloud, self._line.access)
        if "scp" in claims:
            return OwnAccess("", permissions, roles=None)
        # Assumption: an application's token names its service principal's object id as `oid`.
        principal, enabled = str(claims.get("oid") or ""), True
        try:
            if not principal:
                principal, enabled = self._service_principal(str(claims.get("appid") or ""))
            roles = self.roles_of(principal) if principal else None
        except Refused:
            roles = None
        return OwnAccess(principal, permissions, roles, enabled)

    def roles_of(self, object_id: str) -> tuple[Role, ...]:
        """The active directory roles of a user or service principal. Roles by group or merely eligible are not seen."""
        path = asking(
            "/v1.0/roleManagement/directory/roleAssignments",
            filter=f"principalId eq {literal(object_id)}",
            expand="roleDefinition",
        )
        call = self._line.reading(path, f"reading the directory roles of {object_id}", needs=TO_READ_ROLES)
        return tuple(_role(item) for item in self._line.pages(call))

    # Users

    def users(self, *, starts_with: str = "") -> Iterator[FoundAccount]:
        """Every user, or those whose name or user name starts so; at most 999 of them in memory.

        `startsWith` is among the filters that need no `ConsistencyLevel`, and so sees a user who was just made.
        """
        path = asking("/v1.0/users", select=FOUND, top=LARGEST_PAGE)
        if starts_with:
            text = literal(starts_with)
            wanted = f"startsWith(displayName,{text}) or startsWith(userPrincipalName,{text})"
            path = asking("/v1.0/users", select=FOUND, top=LARGEST_PAGE, filter=wanted)
        call = self._line.reading(path, "reading the users", needs=TO_READ_USERS)
        return (_found(item) for item in self._line.pages(call) if item.get("id"))

    def find(self, key: str) -> FoundAccount | None:
        """One user by object id or user name."""
        if not key:
            return None
        path = asking(f"/v1.0{user_path(key)}", select=FOUND)
        call = self._line.reading(path, f"looking for the user {key}", needs=TO_READ_USERS)
        try:
            return _found(self._line.read(call, "id"))
        except AccountMissing:
            return None

    def raw_properties(self, account: AccountRef) -> Mapping[str, Any]:
        """Facts of a user that only the tenant check asks for, by Graph's own names."""
        path = asking(f"/v1.0{user_path(account.key)}", select=CHECKED)
        call = self._line.about(
            "GET", path, "reading the facts of", account, stands="Nothing was changed.", needs=TO_READ_USERS
        )
        found = self._line.read(call, "userPrincipalName")
        return {name: found.get(name) for name in CHECKED.split(",")}

    # What the tenant allows

    def security_defaults(self) -> bool:
        """Whether security defaults are on."""
        call = self._line.reading(
            "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy",
            "reading the security defaults",
            needs=TO_READ_POLICIES,
        )
        return self._line.read(call, "isEnabled")["isEnabled"] is True

    def method_policy(self) -> MethodPolicy:
        """Which methods the tenant allows, be it only for some groups. On beta: v1.0 hides the hardware tokens' one."""
        call = self._line.reading(
            "/beta/policies/authenticationMethodsPolicy",
            "reading the policy of authentication methods",
            needs=TO_READ_POLICIES,
        )
        name = "authenticationMethodConfigurations"
        found = self._line.read(call, name)[name] or ()
        return MethodPolicy({str(item["id"]).lower(): item.get("state") == "enabled" for item in found if "id" in item})

    def access_policies(self) -> tuple[AccessPolicy, ...]:
        """The Conditional Access policies. Raises NeedsLicence."""
        call = self._line.reading(
            "/v1.0/identity/conditionalAccess/policies",
            "reading the Conditional Access policies",
            needs=TO_READ_POLICIES,
        )
        return tuple(
            AccessPolicy(str(item.get("id") or ""), str(item.get("displayName") or ""), str(item.get("state") or ""))
            for item in self._licensed_pages(call)
        )

    # What happened

    def registrations(self) -> Iterator[Registration]:
        """The registration report of all users, page by page. Raises NeedsLicence."""
        call = self._line.reading(
            "/v1.0/reports/authenticationMethods/userRegistrationDetails",
            "reading the registration report",
            needs=TO_READ_LOGS,
        )
        return (_registration(item) for item in self._licensed_pages(call))

    def audits(self, since: Cursor) -> tuple[tuple[AuditEvent, ...], Cursor]:
        """The events not seen yet, oldest first, and where to go on."""
        wanted = f"activityDateTime ge {filter_time(reads_from(since))}"
        path = asking("/v1.0/auditLogs/directoryAudits", filter=wanted)
        call = self._line.reading(path, "reading the directory's audit log", needs=TO_READ_LOGS)
        events = [event for item in self._licensed_pages(call) if (event := audit_event(item))]
        return unseen(events, since, now=dt.datetime.now(dt.UTC))

    def sign_ins(self, account: AccountRef, since: Cursor) -> tuple[tuple[SignInEvent, ...], Cursor]:
        """The sign-ins of one account not seen yet, oldest first. Raises NeedsLicence.

        From beta, which alone knows the factors and the sign-ins without a person. Should Microsoft withdraw a part
        of what we ask of it there, v1.0 is read instead, which tells less.
        """
        beta, stable = self._sign_in_calls(account, since)
        try:
            events = self._sign_ins(beta)
        except NotAllowed:
            raise
        except Refused:
            events = self._sign_ins(stable)
        return unseen(events, since, now=dt.datetime.now(dt.UTC))

    def clock_difference(self) -> float:
        """Microsoft's clock minus ours, in seconds; right to about a second, since the header has no fraction."""
        call = self._line.reading(asking("/v1.0/organization", select="id"), "comparing clocks", needs=TO_READ_USERS)
        self._token()  # So that fetching one is not counted as part of the exchange.
        began = dt.datetime.now(dt.UTC)
        reply = self._line.send(call)
        half_way = began + (reply.answered_at - began) / 2
        try:
            theirs = parsedate_to_datetime(reply.headers.get("date", ""))
        except ValueError:
            raise unfinished(call) from None
        return (theirs.replace(tzinfo=theirs.tzinfo or dt.UTC) + dt.timedelta(seconds=0.5) - half_way).total_seconds()

    # How it is read

    def _organisation(self) -> Mapping[str, Any]:
        call = self._line.reading("/v1.0/organization", "reading the organisation", needs=TO_READ_USERS)
        found = next(self._line.pages(call), None)
        if found is None:
            raise unfinished(call)
        return found

    def _token(self) -> str:
        return self._line.tokens.token(self._line.tenant_id, self._line.cloud, self._line.access)

    def _service_principal(self, app_id: str) -> tuple[str, bool]:
        """(object id, enabled) of an app in this tenant; "" when it cannot be found."""
        path = asking("/v1.0/servicePrincipals", filter=f"appId eq {literal(app_id)}", select="id,accountEnabled")
        call = self._line.reading(path, "looking for our own app", needs=TO_READ_APPS)
        found = next(self._line.pages(call), {}) if app_id else {}
        return str(found.get("id") or ""), found.get("accountEnabled") is not False

    def _sign_in_calls(self, account: AccountRef, since: Cursor) -> tuple[Call, Call]:
        who = (
            f"userId eq {literal(account.object_id)}"
            if account.object_id
            else f"userPrincipalName eq {literal(account.user_principal_name.lower())}"
        )
        wanted = f"{who} and createdDateTime ge {filter_time(reads_from(since))}"
        beta, stable = (
            self._line.about(
                "GET", path, "reading the sign-ins of", account, stands="Nothing was changed.", needs=TO_READ_LOGS
            )
            for path in (
                asking("/beta/auditLogs/signIns", filter=f"{wanted} and {EVERY_SIGN_IN}"),
                asking("/v1.0/auditLogs/signIns", filter=wanted),
            )
        )
        return beta, stable

    def _sign_ins(self, call: Call) -> list[SignInEvent]:
        return [event for item in self._licensed_pages(call) if (event := sign_in_event(item))]

    def _licensed_pages(self, call: Call) -> Iterator[Mapping[str, Any]]:
        """Every element of a list that Microsoft gives to tenants with a licence. Its first page is read at once."""
        reply = self._line.send(call)
        fault = fault_in(reply)
        if reply.status == 403 and ABOUT_A_LICENCE.search(str(fault)):
            raise NeedsLicence(
                f"Microsoft did not allow {call.doing} (it answered 403 {fault}): the tenant has no licence for it. "
                f"{call.stands} It takes Entra ID P1 or P2 in this tenant; without it, this cannot be shown.",
                code=fault.code,
                request_id=reply.request_id,
            )
        return self._line.rest(body_of(reply, call, "value"), call)


# What Graph's elements mean


def _plans(organisation: Mapping[str, Any]) -> frozenset[str]:
    plans = [plan for plan in organisation.get("assignedPlans") or () if plan.get("capabilityStatus") in PLANS_IN_FORCE]
    services = {str(plan["service"]) for plan in plans if plan.get("service")}
    names = {PLAN_NAMES.get(str(plan.get("servicePlanId")).lower(), "") for plan in plans}
    return frozenset(services | names - {""})


def _verified_domains(organisation: Mapping[str, Any]) -> tuple[Domain, ...]:
    """Assumption: `type` of a verified domain says what `authenticationType` says of a domain."""
    return tuple(
        Domain(
            name=str(item.get("name") or ""),
            verified=True,
            federated=item.get("type") == "Federated",
            default=item.get("isDefault") is True,
        )
        for item in organisation.get("verifiedDomains") or ()
    )


def _domain(item: Mapping[str, Any]) -> Domain:
    return Domain(
        name=str(item.get("id") or ""),
        verified=item.get("isVerified") is True,
        federated=item.get("authenticationType") == "Federated",
        default=item.get("isDefault") is True,
    )


def _role(item: Mapping[str, Any]) -> Role:
    definition = item.get("roleDefinition") or {}
    return Role(
        template_id=str(definition.get("templateId") or item.get("roleDefinitionId") or ""),
        name=str(definition.get("displayName") or ""),
        scope=str(item.get("directoryScopeId") or "/"),
    )


def _found(item: Mapping[str, Any]) -> FoundAccount:
    return FoundAccount(
        object_id=str(item["id"]),
        user_principal_name=str(item.get("userPrincipalName") or ""),
        display_name=str(item.get("displayName") or ""),
    )


def _registration(item: Mapping[str, Any]) -> Registration:
    return Registration(
        object_id=str(item.get("id") or ""),
        user_principal_name=str(item.get("userPrincipalName") or ""),
        admin=item.get("isAdmin") is True,
        mfa_registered=item.get("isMfaRegistered") is True,
        kinds=tuple(str(kind) for kind in item.get("methodsRegistered") or ()),
        preferred=str(item.get("userPreferredMethodForSecondaryAuthentication") or ""),
        updated_at=moment(item.get("lastUpdatedDateTime")),
    )
