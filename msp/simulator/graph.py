"""Microsoft Graph: one call, what is asked of every call before a room of Graph answers it, and the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from . import events, hosts, permissions, rules
from .answers import Answer, Ids, Refusal, graph_error, methods_error
from .cloud import Cloud
from .grants import Grant
from .state import Consent, SimTenant, SimUser

DENIED = ("Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
METHODS_DENIED = ("accessDenied", "Request Authorization failed")
NOT_PREMIUM = (
    "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
    "Neither tenant is B2C or tenant doesn't have premium license",
)


@dataclass(frozen=True)
class Call:
    """One Graph call with everything that judging it needs. `parts` are the path's pieces after the version.

    Names in `headers` are in lower case; those of a batch item are its own.
    """

    cloud: Cloud
    tenant: SimTenant
    grant: Grant
    consent: Consent
    ids: Ids
    method: str
    version: str
    parts: tuple[str, ...]
    query: dict[str, str]
    body: Any
    base: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def lies(self) -> bool:
        return self.cloud.knobs.of(self.tenant.id).lies

    @property
    def lower(self) -> list[str]:
        """The path's pieces in lower case: names of resources mean the same in any case of letters."""
        return [part.lower() for part in self.parts]

    @property
    def asks_methods_service(self) -> bool:
        return self.lower[:1] == ["users"] and self.lower[2:3] == ["authentication"]

    @property
    def is_delegated(self) -> bool:
        """Whether a person stands behind the token, and not the application alone."""
        return bool(self.grant.user_id)

    @property
    def held(self) -> frozenset[str]:
        """The permissions that the token carries."""
        return self.grant.scopes if self.is_delegated else self.grant.permissions

    @property
    def roles(self) -> tuple[str, ...]:
        """The directory roles that count here: the person's, or those of the application's service principal."""
        return tuple(self.grant.directory_roles) if self.is_delegated else self.consent.roles

    @property
    def is_eventual(self) -> bool:
        """Whether the caller agreed to advanced queries over an index that lags."""
        return self.headers.get("consistencylevel", "").lower() == "eventual"

    @property
    def _target(self) -> SimUser | None:
        """The user that the path names, if it names one."""
        return self.tenant.user(self.parts[1]) if self.lower[:1] == ["users"] and len(self.parts) > 1 else None

    @property
    def _is_about_own_account(self) -> bool:
        return self.is_delegated and self._target is not None and self._target.id == self.grant.user_id

    def _holds(self, wanted: frozenset[str]) -> bool:
        return bool(self.held & (permissions.with_own(wanted) if self._is_about_own_account else wanted))

    def context(self, what: str) -> str:
        return f"{self.base}/{self.version}/$metadata#{what}"

    def chosen(self, body: dict[str, Any]) -> dict[str, Any]:
        """An object with what $select asks for, its id and its annotations; all of it without a $select."""
        wanted = {name.strip().lower() for name in self.query.get("$select", "").split(",") if name.strip()}
        if not wanted:
            return body
        return {n: value for n, value in body.items() if n.lower() in wanted or n == "id" or n.startswith("@odata.")}

    def error(self, status: int, code: str, message: str) -> Refusal:
        return Refusal(graph_error(self.ids, status, code, message))

    def methods_error(self, status: int, code: str, message: str) -> Refusal:
        return Refusal(methods_error(self.ids, status, code, message))

    def denied(self) -> Refusal:
        """403 in the dialect of the service that is asked."""
        if self.asks_methods_service:
            return self.methods_error(403, *METHODS_DENIED)
        return self.error(403, *DENIED)

    def need(self, wanted: frozenset[str]) -> None:
        """403 in the directory's dialect unless the token carries one of these."""
        if not self._holds(wanted):
            raise self.error(403, *DENIED)

    def need_for_methods(self, wanted: frozenset[str]) -> None:
        """403 in the methods service's dialect unless the token carries one of these."""
        if not self._holds(wanted):
            raise self.methods_error(403, *METHODS_DENIED)

    def need_premium(self) -> None:
        """403 unless the tenant has Entra ID P1 or better."""
        if not rules.is_premium(self.tenant):
            raise self.error(403, *NOT_PREMIUM)

    def need_published(self) -> None:
        """403 unless the table of permissions, and for a person also the table of roles, opens this call.

        A call without a row is left to its room, which refuses it or does not know it.
        """
        row = permissions.row_of(self.method, self.parts)
        if row is None:
            return
        if not self.is_delegated:
            if not row.application & self.held:
                raise self.denied()
            return
        target, own = self._target, self._is_about_own_account
        reaching = self.held if own else frozenset(name for name in self.held if rules.reaches_others(name))
        if not row.delegated & reaching:
            raise self.denied()
        if not own and not rules.person_may(self.roles, self.method, self.lower, target.roles if target else ()):
            raise self.denied()

    def user(self, key: str) -> SimUser:
        found = self.tenant.user(key)
        if found is None:
            raise self.absent(key)
        return found

    def absent(self, key: str) -> Refusal:
        return self.error(
            404,
            "Request_ResourceNotFound",
            f"Resource '{key}' does not exist or one of its queried reference-property objects are not present.",
        )

    def only(self, *methods: str) -> None:
        if self.method not in methods:
            raise self.error(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")

    def unknown_segment(self, segment: str) -> Refusal:
        return self.error(400, "BadRequest", f"Resource not found for the segment '{segment}'.")

    def unsupported(self, message: str = "Unsupported or invalid query filter clause specified.") -> Refusal:
        return self.error(400, "Request_UnsupportedQuery", message)


def split_path(path: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in path.split("/") if part)


Room = Callable[[Call], Answer | None]
"""A part of Graph that answers the calls it knows; None for any other. Raises Refusal."""


def answer(call: Call, rooms: tuple[Room, ...]) -> Answer:
    """Judge one call under its tenant's lock, in the first of the rooms that knows it."""
    principal, person = call.consent.service_principal_id, call.grant.user_id
    acting = events.initiated_by(client_id=call.grant.client_id, principal_id=principal, user_id=person)
    with call.tenant.lock, acting:
        try:
            if hosts.cloud_has(call.tenant.cloud, call.parts):
                call.need_published()
                for room in rooms:
                    if (found := room(call)) is not None:
                        return found
            raise call.unknown_segment(call.parts[-1] if call.parts else "")
        except Refusal as refusal:
            return refusal.answer
