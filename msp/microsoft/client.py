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

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from msp.errors import (
    AccountMissing,
    AnswerLost,
    CannotRemove,
    DifferentObject,
    DirectoryError,
    GuestRefused,
    NoConnection,
    NotInThisCloud,
    NotSent,
    NotTried,
    Refused,
)
from msp.microsoft.answers import Call, Reply, fault_in, no
from msp.microsoft.batch import MOST, envelope, in_turn, opened
from msp.microsoft.clouds import Ability
from msp.microsoft.line import Line, answer_of, any_token_refused, body_of, token_refused
from msp.microsoft.methods import delete_path, moment, next_default, observed, user_path
from msp.microsoft.ports import (
    AccountRef,
    Act,
    Answer,
    EndSessions,
    MethodKind,
    Observation,
    ObservedMethod,
    ProbeResult,
    RemoveMethod,
    SetPassword,
    SignInAnswer,
)
from msp.microsoft.refusals import default_method_refused, password_refused

USER_FACTS = (
    "id,userPrincipalName,displayName,accountEnabled,userType,onPremisesSyncEnabled,"
    "lastPasswordChangeDateTime,signInSessionsValidFromDateTime"
)

TO_READ = "User.Read.All and UserAuthenticationMethod.Read.All"
TO_CHANGE_METHODS = "UserAuthenticationMethod.ReadWrite.All"
TO_SET_PASSWORDS = "User-PasswordProfile.ReadWrite.All"
TO_ROTATE = (
    f"{TO_SET_PASSWORDS} and, for an administrator's account, the directory role Privileged "
    "Authentication Administrator on its service principal"
)
TO_END_SESSIONS = "User.RevokeSessions.All"
NO_TRIES = SignInAnswer(
    ProbeResult.INCONCLUSIVE,
    "not_allowed_here",
    "This installation does not try sign-ins. Whoever runs it can allow them with LATCHKEY_SIGN_IN_PROBE.",
)


class GraphDirectory:
    """One tenant's directory, spoken to through Microsoft Graph. Safe to use from any thread."""

    def __init__(self, line: Line, *, may_probe: bool = False) -> None:
        self._line = line
        self._may_probe = may_probe

    def observe(self, account: AccountRef) -> Observation:
        """Read user and methods in one request.

        On beta, because v1.0 hides hardware OATH tokens and QR codes; and one list only, because calls to
        methods are throttled to about 5 in 10 seconds per tenant ("throttling limits").
        Raises DifferentObject when the id is gone and another user bears the name.
        """
        call = self._line.about(
            "POST", "/beta/$batch", "reading", account, stands="Nothing was changed.", needs=TO_READ
        )
        self._line.demand(Ability.AUTHENTICATION_METHODS, call)
        user_url = user_path(account.key)
        paths = {"user": f"{user_url}?$select={USER_FACTS}", "methods": f"{user_url}/authentication/methods"}
        reply = self._line.send(replace(call, body=envelope(paths)), refused=any_token_refused)
        if not reply.said_yes:
            raise no(reply, call)
        inner = opened(reply)
        try:
            user = body_of(inner.get("user"), call, "id")
        except AccountMissing as missing:
            raise self._replaced(account, missing) from None
        methods = self._methods_of(inner.get("methods"), call)
        return Observation(
            object_id=str(user["id"]),
            user_principal_name=str(user.get("userPrincipalName") or account.user_principal_name),
            display_name=str(user.get("displayName") or ""),
            enabled=user.get("accountEnabled") is not False,
            synced=user.get("onPremisesSyncEnabled") is True,
            password_changed_at=moment(user.get("lastPasswordChangeDateTime")),
            sessions_valid_from=moment(user.get("signInSessionsValidFromDateTime")),
            methods=tuple(observed(item) for item in self._line.rest(methods, call)),
            read_at=reply.answered_at,
            request_ids=_ids(reply, *inner.values()),
        )

    def act(self, account: AccountRef, acts: tuple[Act, ...]) -> tuple[Answer | DirectoryError, ...]:
        """Do the acts one after another in one `$batch`, each waiting for the one before it (`dependsOn`).

        An act that no application can do is answered by its error and left out. More than 20 acts take several
        batches; when one of those is lost, the acts of the later ones are not tried.
        """
        outcomes: dict[int, Answer | DirectoryError] = {}
        calls: dict[int, Call] = {}
        for number, act in enumerate(acts):
            try:
                calls[number] = self._call_of(account, act)
            except Refused as impossible:
                outcomes[number] = impossible
        left = list(calls)
        while left:
            now, left = left[:MOST], left[MOST:]
            replies = self._in_turn({number: calls[number] for number in now}, account)
            if isinstance(replies, DirectoryError):
                outcomes |= dict.fromkeys(now, replies) | {number: _not_tried(calls[number]) for number in left}
                break
            outcomes |= {number: self._outcome(acts[number], calls[number], replies.get(number)) for number in now}
        return tuple(outcomes[number] for number in range(len(acts)))

    def set_password(self, account: AccountRef, password: str) -> Answer:
        """Replace the password; the user is not asked to change it at the next sign-in."""
        return self._alone(account, SetPassword(password))

    def remove(self, account: AccountRef, method: ObservedMethod) -> Answer:
        """Make sure that one method is gone. A 404 in Graph's own words is success: it was gone before us."""
        return self._alone(account, RemoveMethod(method))

    def revoke_sessions(self, account: AccountRef) -> Answer:
        """Move the moment from which sessions count. Microsoft answers 200 with `true`, sometimes 204."""
        return self._alone(account, EndSessions())

    def move_default(self, account: AccountRef, away_from: ObservedMethod, stays: tuple[ObservedMethod, ...]) -> Answer:
        """Choose the default among the kinds that stay; the API for it exists on beta only."""
        chosen = next_default(away_from, stays)
        call = self._line.about(
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
        return answer_of(self._line.send(call), call)

    def sign_in_probe(self, account: AccountRef, password: str) -> ProbeResult:
        """Try the password alone at the token endpoint, when the reseller allows that; else INCONCLUSIVE."""
        return self.try_sign_in(account, password).result

    def try_sign_in(self, account: AccountRef, password: str, *, keep_session: bool = False) -> SignInAnswer:
        """The grant takes neither passwords with blanks at an end nor guests ("resource owner password
        credentials"), so those are not tried.
        """
        name = account.user_principal_name
        if not self._may_probe:
            return NO_TRIES
        if not name or account.guest:
            return SignInAnswer(ProbeResult.INCONCLUSIVE, "not_signed_in_here", "A guest signs in at its home alone.")
        if password != password.strip():
            return SignInAnswer(
                ProbeResult.INCONCLUSIVE, "blank_at_an_end", "A password with a blank at an end cannot be tried."
            )
        line = self._line
        return line.tokens.sign_in(line.tenant_id, line.cloud, name, password, keep_session=keep_session)

    def try_session(self, account: AccountRef, session: str) -> SignInAnswer:
        """Redeem the session's refresh token at the token endpoint, when the reseller allows tries."""
        if not self._may_probe:
            return NO_TRIES
        return self._line.tokens.go_on(self._line.tenant_id, self._line.cloud, session)

    # One act: its call, and what its reply means

    def _call_of(self, account: AccountRef, act: Act) -> Call:
        match act:
            case SetPassword(password):
                call = self._line.about(
                    "PATCH", f"/v1.0{user_path(account.key)}", "changing the password of", account,
                    stands="The old password still works.", needs=TO_ROTATE, changes=True,
                    body={"passwordProfile": {"password": password, "forceChangePasswordNextSignIn": False}},
                    secret=password,
                )  # fmt: skip
                if account.guest:
                    raise GuestRefused(
                        f"Nothing was sent for {call.doing}: the account is a guest, whose password belongs to its "
                        f"home directory. {call.stands} Make a member account for shared use.",
                        code="guest",
                    )
                return call
            case RemoveMethod(method):
                return self._removal(account, method)
            case EndSessions():
                return self._line.about(
                    "POST", f"/v1.0{user_path(account.key)}/revokeSignInSessions", "ending the sessions of", account,
                    stands="The sessions still live.", needs=TO_END_SESSIONS, changes=True,
                )  # fmt: skip

    def _removal(self, account: AccountRef, method: ObservedMethod) -> Call:
        path = delete_path(account.key, method)
        doing = f"removing the method {method.label or method.directory_id} ({method.kind}) of"
        call = self._line.about(
            "DELETE", path or "", doing, account,
            stands="The method is still there.", needs=TO_CHANGE_METHODS, changes=True,
        )  # fmt: skip
        try:
            self._line.demand(Ability.AUTHENTICATION_METHODS, call)
            if method.kind is MethodKind.HARDWARE_OATH:
                self._line.demand(Ability.HARDWARE_OATH, call)
        except NotInThisCloud as lacking:
            raise CannotRemove(str(lacking), code=lacking.code) from None
        if path is None:
            raise CannotRemove(
                f"No application can do this: {call.doing} (Microsoft's type {method.raw_type or 'not named'}). "
                f"{call.stands} An administrator of the tenant must remove it in the Entra admin centre.",
                code="no_delete",
            )
        return call

    def _judged(self, act: Act, call: Call, reply: Reply) -> Answer:
        """The yes to one act, or what its status and words mean."""
        fault = fault_in(reply, call.secret)
        match act:
            case SetPassword():
                if refusal := password_refused(reply, call, may_set=self._line.may(TO_SET_PASSWORDS)):
                    raise refusal
            case RemoveMethod():
                if reply.status == 404 and fault.known_path:
                    return answer_of(reply, call, already=True)
                if refusal := default_method_refused(reply, call):
                    raise refusal
            case EndSessions():
                if reply.said_yes and reply.body is not None and reply.body.get("value") is False:
                    raise Refused(
                        f"Microsoft answered that it did nothing while {call.doing}. {call.stands} Try again.",
                        code="value_false",
                        request_id=reply.request_id,
                    )
        return answer_of(reply, call)

    def _alone(self, account: AccountRef, act: Act) -> Answer:
        call = self._call_of(account, act)
        return self._judged(act, call, self._line.send(call))

    # Several acts in one request

    def _in_turn(self, calls: Mapping[int, Call], account: AccountRef) -> dict[int, Reply] | DirectoryError:
        """The inner replies by number, or the one error that befell the whole request."""
        try:
            replies = self._ask_in_turn(calls, account)
            if any(token_refused(reply) for reply in replies.values()):
                # A refused token has no effect, and what waited for it was not tried: both can be sent once more.
                self._line.renew_token()
                again = {n: c for n, c in calls.items() if n in replies and replies[n].status in (401, 424)}
                replies |= self._ask_in_turn(again, account)
        except DirectoryError as trouble:
            return trouble
        return replies

    def _ask_in_turn(self, calls: Mapping[int, Call], account: AccountRef) -> dict[int, Reply]:
        version, body = in_turn({str(number): call for number, call in calls.items()})
        outer = self._line.about(
            "POST", f"/{version}/$batch", f"doing {len(calls)} things to", account,
            stands="None of them happened.", needs="what each of them needs", changes=True, body=body,
        )  # fmt: skip
        reply = self._line.send(outer)
        if not reply.said_yes:
            raise no(reply, outer)
        return {int(name): inner for name, inner in opened(reply).items() if name.isdigit()}

    def _outcome(self, act: Act, call: Call, reply: Reply | None) -> Answer | DirectoryError:
        if reply is None:
            return AnswerLost(
                f"Microsoft answered the batch and said nothing of {call.doing}. It may have happened. "
                "The account is read back before anything is tried again.",
                code="answer_missing",
            )
        if reply.status == 424:
            return _not_tried(call)
        try:
            return self._judged(act, call, reply)
        except DirectoryError as trouble:
            return trouble

    # Readings

    def _methods_of(self, reply: Reply | None, call: Call) -> Mapping[str, Any]:
        """The methods' part of a reading whose user was found, so that a 404 is not "no such user" here."""
        if reply is not None and reply.status == 404:
            raise Refused(
                f"Microsoft knows the user but not its methods while {call.doing} ({fault_in(reply)}). {call.stands} "
                "A new user may need some minutes; then look again.",
                code=fault_in(reply).code,
                request_id=reply.request_id,
            )
        return body_of(reply, call, "value")

    def _replaced(self, account: AccountRef, missing: AccountMissing) -> AccountMissing:
        """The error for a known id that is gone: somebody else may bear its name by now."""
        if not account.object_id or not account.user_principal_name:
            return missing
        path = f"/v1.0{user_path(account.user_principal_name)}?$select=id"
        call = self._line.about(
            "GET", path, "looking for the name of", account, stands="Nothing was changed.", needs=TO_READ
        )
        try:
            found = str(self._line.read(call, "id")["id"])
        except (NoConnection, NotSent, Refused):
            return missing
        if found == account.object_id:
            return missing
        return DifferentObject(
            f"The user {account.user_principal_name} in tenant {self._line.tenant_id} is a different object now: it "
            f"was deleted and made anew (id {found} instead of {account.object_id}). Nothing was changed on the new "
            "one, whose methods and password are not the ones known here. If it is meant, put the account in anew.",
            code="different_object",
            request_id=missing.request_id,
        )


def _not_tried(call: Call) -> NotTried:
    return NotTried(
        f"Not tried, because something before it failed: {call.doing}. {call.stands}",
        code="not_tried",
    )


def _ids(*replies: Reply | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reply.request_id for reply in replies if reply and reply.request_id))
