"""`Directory` for Microsoft Graph.

Every request, with the least application permission that Microsoft's permissions.json names for what we do:

| Request                                                   | Permission                               |
|-----------------------------------------------------------|------------------------------------------|
| GET /users/{id}                                           | User.Read.All                            |
| GET /users/{id}/authentication/methods                    | UserAuthenticationMethod.Read.All        |
| PATCH /users/{id}                                         | User-PasswordProfile.ReadWrite.All       |
| POST /users/{id}/revokeSignInSessions                     | User.RevokeSessions.All                  |
| DELETE /users/{id}/authentication/{kind's collection}/... | UserAuthenticationMethod.ReadWrite.All   |
| PATCH /users/{id}/authentication/signInPreferences        | UserAuthenticationMethod.ReadWrite.All   |

GET /users/{id} would be served with User.ReadBasic.All, which hides the properties that prove a rotation.
Assumption: signInPreferences needs what its page's neighbours need; permissions.json has no entry for it.
A password of an administrator needs a directory role on the app's service principal as well (page "update
user"): Privileged Authentication Administrator covers every target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

from msp.errors import BadInput, CannotRemove, DefaultMethodRefused, PasswordRefused, Refused, Unreachable
from msp.microsoft.answers import Call, Reply, fault_in, no
from msp.microsoft.batch import envelope, opened
from msp.microsoft.clouds import Ability, Cloud, cloud_named
from msp.microsoft.connection import Connection
from msp.microsoft.methods import delete_path, moment, next_default, observed, user_path
from msp.microsoft.ports import (
    AccountRef,
    Answer,
    Directory,
    DirectoryFor,
    MethodKind,
    Observation,
    ObservedMethod,
    ProbeResult,
)
from msp.microsoft.tokens import TokenStore
from msp.microsoft.transport import Transport

USER_FACTS = (
    "id,userPrincipalName,displayName,accountEnabled,userType,onPremisesSyncEnabled,"
    "lastPasswordChangeDateTime,signInSessionsValidFromDateTime"
)
MOST_PAGES = 20

TO_READ = "User.Read.All and UserAuthenticationMethod.Read.All"
TO_CHANGE_METHODS = "UserAuthenticationMethod.ReadWrite.All"
TO_ROTATE = (
    "User-PasswordProfile.ReadWrite.All and, for an administrator's account, the directory role Privileged "
    "Authentication Administrator on its service principal"
)
TO_END_SESSIONS = "User.RevokeSessions.All"

# Microsoft gives no code of their own to these two refusals, so its words have to be read.
ABOUT_THE_DEFAULT = re.compile(r"default (authentication )?method", re.IGNORECASE)
ABOUT_THE_PASSWORD = re.compile(r"password", re.IGNORECASE)


def token_refused(reply: Reply) -> bool:
    return reply.status == 401


def any_token_refused(reply: Reply) -> bool:
    """The same for a batch, where the envelope may be welcome and a part of it not."""
    return token_refused(reply) or any(token_refused(part) for part in opened(reply).values())


class GraphDirectory:
    """One tenant's directory, spoken to through Microsoft Graph. Safe to use from any thread."""

    def __init__(
        self, tenant_id: str, cloud: Cloud, tokens: TokenStore, transport: Transport, *, may_probe: bool = False
    ) -> None:
        self._tenant_id = tenant_id
        self._cloud = cloud
        self._tokens = tokens
        self._transport = transport
        self._may_probe = may_probe

    def observe(self, account: AccountRef) -> Observation:
        """Read user and methods in one request.

        On beta, because v1.0 hides hardware OATH tokens and QR codes; and one list only, because calls to
        methods are throttled to about 5 in 10 seconds per tenant ("throttling limits").
        """
        call = self._call("POST", "/beta/$batch", "reading", account, stands="Nothing was changed.", needs=TO_READ)
        if Ability.AUTHENTICATION_METHODS in self._cloud.lacks:
            raise Refused(self._not_in_this_cloud(call), code="not_in_this_cloud")
        user_url = user_path(account.key)
        paths = {"user": f"{user_url}?$select={USER_FACTS}", "methods": f"{user_url}/authentication/methods"}
        reply = self._send(replace(call, body=envelope(paths)), refused=any_token_refused)
        if not reply.said_yes:
            raise no(reply, call)
        inner = opened(reply)
        user = _read(inner.get("user"), call, "id")
        methods = self._methods_of(inner.get("methods"), call)
        return Observation(
            object_id=str(user["id"]),
            user_principal_name=str(user.get("userPrincipalName") or account.user_principal_name),
            display_name=str(user.get("displayName") or ""),
            enabled=user.get("accountEnabled") is not False,
            synced=user.get("onPremisesSyncEnabled") is True,
            password_changed_at=moment(user.get("lastPasswordChangeDateTime")),
            sessions_valid_from=moment(user.get("signInSessionsValidFromDateTime")),
            methods=tuple(observed(item) for item in self._every_page(methods, call)),
            read_at=reply.answered_at,
            request_ids=_ids(reply, *inner.values()),
        )

    def set_password(self, account: AccountRef, password: str) -> Answer:
        """Replace the password; the user is not asked to change it at the next sign-in."""
        call = self._call(
            "PATCH",
            f"/v1.0{user_path(account.key)}",
            "changing the password of",
            account,
            stands="The old password still works.",
            needs=TO_ROTATE,
            changes=True,
            body={"passwordProfile": {"password": password, "forceChangePasswordNextSignIn": False}},
            secret=password,
        )
        reply = self._send(call)
        fault = fault_in(reply, password)
        if reply.status == 400 and ABOUT_THE_PASSWORD.search(fault.message):
            raise PasswordRefused(
                f"Microsoft refused the new password while {call.doing} ({fault}). The old one still works. "
                "Another password may do; raise its length or variety if this repeats.",
                code=fault.code,
                request_id=reply.request_id,
            )
        return _answer(reply, call)

    def remove(self, account: AccountRef, method: ObservedMethod) -> Answer:
        """Make sure that one method is gone. A 404 in Graph's own words is success: it was gone before us."""
        path = delete_path(account.key, method)
        doing = f"removing the method {method.label or method.directory_id} ({method.kind}) of"
        call = self._call(
            "DELETE", path or "", doing, account,
            stands="The method is still there.", needs=TO_CHANGE_METHODS, changes=True,
        )  # fmt: skip
        if self._lacks_api_for(method):
            raise CannotRemove(self._not_in_this_cloud(call), code="not_in_this_cloud")
        if path is None:
            raise CannotRemove(
                f"No application can do this: {call.doing} (Microsoft's type {method.raw_type or 'not named'}). "
                f"{call.stands} An administrator of the tenant must remove it in the Entra admin centre.",
                code="no_delete",
            )
        reply = self._send(call)
        fault = fault_in(reply)
        if reply.status == 404 and fault.known_path:
            return _answer(reply, call, already=True)
        if reply.status == 400 and ABOUT_THE_DEFAULT.search(fault.message):
            raise DefaultMethodRefused(
                f"Microsoft refused {call.doing}: it is the account's default while others exist ({fault}). "
                f"{call.stands} Move the default to a method that stays, then remove this one.",
                code=fault.code,
                request_id=reply.request_id,
            )
        return _answer(reply, call)

    def move_default(self, account: AccountRef, away_from: ObservedMethod, stays: tuple[ObservedMethod, ...]) -> Answer:
        """Choose the default among the kinds that stay; the API for it exists on beta only."""
        chosen = next_default(away_from, stays)
        call = self._call(
            "PATCH",
            f"/beta{user_path(account.key)}/authentication/signInPreferences",
            "moving the default method of",
            account,
            stands="The default is what it was.",
            needs=TO_CHANGE_METHODS,
            changes=True,
            body={"userPreferredMethodForSecondaryAuthentication": chosen},
        )
        if chosen is None:
            raise Refused(
                f"No method that stays can be the default, so nothing was sent for {call.doing}. {call.stands} "
                "Enrol a code generator, authenticator app or phone on the account first.",
                code="no_default_fits",
            )
        return _answer(self._send(call), call)

    def revoke_sessions(self, account: AccountRef) -> Answer:
        """Move the moment from which sessions count. Microsoft answers 200 with `true`, sometimes 204."""
        call = self._call(
            "POST",
            f"/v1.0{user_path(account.key)}/revokeSignInSessions",
            "ending the sessions of",
            account,
            stands="The sessions still live.",
            needs=TO_END_SESSIONS,
            changes=True,
        )
        reply = self._send(call)
        if reply.said_yes and reply.body is not None and reply.body.get("value") is False:
            raise Refused(
                f"Microsoft answered that it did nothing while {call.doing}. {call.stands} Try again.",
                code="value_false",
                request_id=reply.request_id,
            )
        return _answer(reply, call)

    def sign_in_probe(self, account: AccountRef, password: str) -> ProbeResult:
        """Try the password alone at the token endpoint, when the reseller allows that; else INCONCLUSIVE.

        The grant takes neither passwords with blanks at an end nor guests ("resource owner password
        credentials"), so those are not tried.
        """
        name = account.user_principal_name
        if not self._may_probe or not name or "#EXT#" in name or password != password.strip():
            return ProbeResult.INCONCLUSIVE
        return self._tokens.try_password(self._tenant_id, self._cloud, name, password)

    def _call(
        self, method: str, path: str, doing: str, account: AccountRef, *, stands: str, needs: str,
        changes: bool = False, body: Mapping[str, Any] | None = None, secret: str = "",
    ) -> Call:  # fmt: skip
        where = f"{account.user_principal_name or account.object_id} in tenant {self._tenant_id}"
        return Call(method, path, f"{doing} {where}", stands, needs, changes, body, secret)

    def _methods_of(self, reply: Reply | None, call: Call) -> Mapping[str, Any]:
        """The methods' part of a reading whose user was found, so that a 404 is not "no such user" here."""
        if reply is not None and reply.status == 404:
            raise Refused(
                f"Microsoft knows the user but not its methods while {call.doing} ({fault_in(reply)}). {call.stands} "
                "A new user may need some minutes; then look again.",
                code=fault_in(reply).code,
                request_id=reply.request_id,
            )
        return _read(reply, call, "value")

    def _lacks_api_for(self, method: ObservedMethod) -> bool:
        if Ability.AUTHENTICATION_METHODS in self._cloud.lacks:
            return True
        return method.kind is MethodKind.HARDWARE_OATH and Ability.HARDWARE_OATH in self._cloud.lacks

    def _not_in_this_cloud(self, call: Call) -> str:
        return (
            f"The cloud {self._cloud.name} has no API for this, so nothing was sent for {call.doing}. {call.stands} "
            "A person must do it in the Entra admin centre."
        )

    def _send(self, call: Call, refused: Callable[[Reply], bool] = token_refused) -> Reply:
        """Send with a token, and once more with a new one when Microsoft refuses it (a refusal has no effect)."""
        token = self._tokens.token(self._tenant_id, self._cloud)
        reply = self._transport.ask_graph(self._cloud.graph_url, call, token)
        if not refused(reply):
            return reply
        token = self._tokens.renewed(self._tenant_id, self._cloud, token)
        return self._transport.ask_graph(self._cloud.graph_url, call, token)

    def _every_page(self, body: Mapping[str, Any], call: Call) -> list[Mapping[str, Any]]:
        """All elements of a list. A link to another host is not followed: our token would go along."""
        items: list[Mapping[str, Any]] = []
        for _ in range(MOST_PAGES):
            page = body.get("value")
            if not isinstance(page, list):
                raise _unfinished(call)
            items += [item if isinstance(item, dict) else {} for item in page]
            link = body.get("@odata.nextLink")
            if not link:
                return items
            if not str(link).startswith(f"{self._cloud.graph_url}/"):
                raise _unfinished(call)
            path = str(link).removeprefix(self._cloud.graph_url)
            body = _read(self._send(replace(call, method="GET", path=path, body=None)), call, "value")
        raise _unfinished(call)


def graph_directories(connection: Connection, *, wire: httpx.BaseTransport | None = None) -> DirectoryFor:
    """The way to every tenant's Directory, sharing one set of connections and tokens for the whole process.

    Build it once per process, after forking. Raises BadInput when an address or the CA bundle cannot be used.
    `wire` replaces the network (for tests).
    """
    for setting, url in (("LATCHKEY_LOGIN_URL", connection.login_url), ("LATCHKEY_GRAPH_URL", connection.graph_url)):
        if url and not url.startswith("https://"):
            raise BadInput(f"{setting} must begin with https://, since tokens travel there. Nothing was sent.")
    transport = Transport(connection, wire=wire)
    tokens = TokenStore(connection, transport)

    def directory_for(tenant_id: str, cloud_name: str) -> Directory:
        cloud = cloud_named(cloud_name).elsewhere(login_url=connection.login_url, graph_url=connection.graph_url)
        return GraphDirectory(tenant_id, cloud, tokens, transport, may_probe=connection.sign_in_probe)

    return directory_for


def _read(reply: Reply | None, call: Call, wanted: str = "") -> Mapping[str, Any]:
    """The body of one read, judged by its own status."""
    if reply is None:
        raise _unfinished(call)
    if not reply.said_yes:
        raise no(reply, call)
    if reply.body is None or (wanted and wanted not in reply.body):
        raise _unfinished(call)
    return reply.body


def _answer(reply: Reply, call: Call, *, already: bool = False) -> Answer:
    if not (reply.said_yes or already):
        raise no(reply, call)
    return Answer(reply.request_id, reply.client_request_id, reply.answered_at, already=already)


def _unfinished(call: Call) -> Unreachable:
    return Unreachable(
        f"Microsoft's answer was not complete while {call.doing}. {call.stands} Reading is safe; it is tried again.",
        code="answer_incomplete",
    )


def _ids(*replies: Reply | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reply.request_id for reply in replies if reply and reply.request_id))
