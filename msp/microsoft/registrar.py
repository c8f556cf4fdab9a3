"""`Registrar` for Microsoft Graph: passes, hardware tokens, per-user MFA and the preferred method.

Every request, with the least application permission for it:

| Request                                                                | Permission                             |
|------------------------------------------------------------------------|----------------------------------------|
| POST /users/{id}/authentication/temporaryAccessPassMethods             | UserAuthenticationMethod.ReadWrite.All |
| GET /users/{id}/authentication/requirements                            | Policy.Read.All                        |
| PATCH /users/{id}/authentication/requirements                          | Policy.ReadWrite.AuthenticationMethod  |
| GET /users/{id}/authentication/signInPreferences                       | UserAuthenticationMethod.Read.All      |
| PATCH /users/{id}/authentication/signInPreferences                     | UserAuthenticationMethod.ReadWrite.All |
| GET /directory/authenticationMethodDevices/hardwareOathDevices         | Policy.Read.All                        |
| POST /directory/authenticationMethodDevices/hardwareOathDevices        | Policy.ReadWrite.AuthenticationMethod  |
| DELETE /directory/authenticationMethodDevices/hardwareOathDevices/{id} | Policy.ReadWrite.AuthenticationMethod  |
| POST /users/{id}/authentication/hardwareOathMethods/assignAndActivate  | UserAuthenticationMethod.ReadWrite.All |
| POST /users/{id}/authentication/hardwareOathMethods/{id}/deactivate    | UserAuthenticationMethod.ReadWrite.All |
| DELETE /users/{id}/authentication/hardwareOathMethods/{id}             | UserAuthenticationMethod.ReadWrite.All |

Microsoft's permissions.json has no entry for the inventory of devices, whose pages name what changes it, nor for
signInPreferences. Assumption: Policy.Read.All is enough to list devices, and signInPreferences needs what its page's
neighbours need. Hardware tokens exist on beta and in the global cloud only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from msp.errors import AccountMissing, AnswerLost, BadInput, GuestRefused, Refused
from msp.microsoft.answers import Call, Reply, fault_in
from msp.microsoft.clouds import Ability
from msp.microsoft.enrolment_ports import HardwareToken, IssuedPass, MfaState, NewToken, TokenStatus
from msp.microsoft.enrolment_refusals import activation_refused, duplicate_serial, policy_forbids
from msp.microsoft.line import Line, answer_of, unfinished
from msp.microsoft.methods import moment, user_path
from msp.microsoft.odata import asking, literal
from msp.microsoft.ports import AccountRef, Answer

INVENTORY = "/beta/directory/authenticationMethodDevices/hardwareOathDevices"

TO_CHANGE_METHODS = "UserAuthenticationMethod.ReadWrite.All"
TO_READ_METHODS = "UserAuthenticationMethod.Read.All"
TO_READ_POLICIES = "Policy.Read.All"
TO_CHANGE_POLICIES = "Policy.ReadWrite.AuthenticationMethod"

SHORTEST_PASS, LONGEST_PASS = 10, 43_200
"""Minutes ("create temporaryAccessPassMethod")."""
WORDS_OF_PREFERENCE = ("push", "oath", "voiceMobile", "voiceAlternateMobile", "voiceOffice", "sms")
HASH_FUNCTIONS = {"sha1": "hmacsha1", "sha256": "hmacsha256"}
INTERVALS = (30, 60)

# entra-docs how-to-mfa-upload-oath-tokens. Assumption: padding and lower case are not taken.
SEED = re.compile(r"[A-Z2-7]{1,128}")
# Assumption: Microsoft names no rule for serial numbers; what fits into a filter and on a label is taken.
SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CODE = re.compile(r"[0-9]{6}")


class GraphRegistrar:
    """Makes methods and demands on a tenant's accounts, through Microsoft Graph. Safe to use from any thread."""

    def __init__(self, line: Line) -> None:
        self._line = line

    # Passes

    def issue_pass(self, account: AccountRef, *, minutes: int, once: bool = True) -> IssuedPass:
        """Give a Temporary Access Pass; a former one is replaced. Raises PolicyForbids, GuestRefused, BadInput.

        AnswerLost also when Microsoft said yes and the pass itself did not arrive.
        """
        if not SHORTEST_PASS <= minutes <= LONGEST_PASS:
            raise BadInput(
                f"A Temporary Access Pass lives {SHORTEST_PASS} to {LONGEST_PASS:,} minutes, not {minutes:,}. Nothing "
                "was sent. Choose a time in between."
            )
        call = self._line.about(
            "POST", f"{_methods('v1.0', account)}/temporaryAccessPassMethods", "issuing a Temporary Access Pass for",
            account, stands="No pass was made; a former one is what it was.", needs=TO_CHANGE_METHODS, changes=True,
            body={"lifetimeInMinutes": minutes, "isUsableOnce": once},
        )  # fmt: skip
        self._line.demand(Ability.AUTHENTICATION_METHODS, call)
        _refuse_guest(account, call)
        reply = self._line.send(call)
        if refusal := policy_forbids(reply, call, "Temporary Access Passes"):
            raise refusal
        answer_of(reply, call)
        return _pass(reply, call, minutes=minutes, once=once)

    # Per-user MFA and the preferred method

    def mfa_state(self, account: AccountRef) -> MfaState:
        """What per-user MFA demands of this account."""
        call = self._line.about(
            "GET", f"{_methods('beta', account)}/requirements", "reading the MFA state of", account,
            stands="Nothing was changed.", needs=TO_READ_POLICIES,
        )  # fmt: skip
        found = self._line.read(call, "perUserMfaState")["perUserMfaState"]
        if found not in set(MfaState):
            raise unfinished(call)
        return MfaState(found)

    def set_mfa_state(self, account: AccountRef, state: MfaState) -> Answer:
        """Demand more or less of this account."""
        call = self._line.about(
            "PATCH", f"{_methods('beta', account)}/requirements", "changing the MFA state of", account,
            stands="The state is what it was.", needs=TO_CHANGE_POLICIES, changes=True,
            body={"perUserMfaState": str(state)},
        )  # fmt: skip
        return answer_of(self._line.send(call), call)

    def preferred_method(self, account: AccountRef) -> str:
        """The kind that is asked for first, in Microsoft's word, or ""."""
        call = self._line.about(
            "GET", f"{_methods('beta', account)}/signInPreferences", "reading the preferred method of", account,
            stands="Nothing was changed.", needs=TO_READ_METHODS,
        )  # fmt: skip
        return str(self._line.read(call).get("userPreferredMethodForSecondaryAuthentication") or "")

    def set_preferred_method(self, account: AccountRef, word: str) -> Answer:
        """Ask for another kind first. Raises Refused when no method of that kind is registered, BadInput."""
        if word not in WORDS_OF_PREFERENCE:
            raise BadInput(
                f"{word!r} is not a kind of method that can be preferred; nothing was sent. Choose one of: "
                f"{', '.join(WORDS_OF_PREFERENCE)}."
            )
        call = self._line.about(
            "PATCH", f"{_methods('beta', account)}/signInPreferences", "changing the preferred method of", account,
            stands="The preferred method is what it was.", needs=TO_CHANGE_METHODS, changes=True,
            body={"userPreferredMethodForSecondaryAuthentication": word},
        )  # fmt: skip
        return answer_of(self._line.send(call), call)

    # Hardware tokens

    def tokens(self, *, serial: str = "") -> Iterator[HardwareToken]:
        """The hardware tokens in the tenant's inventory, all or those of one serial. Raises NotInThisCloud."""
        path = asking(INVENTORY, filter=f"serialNumber eq {literal(serial)}") if serial else INVENTORY
        call = self._line.reading(path, "reading the inventory of hardware tokens", needs=TO_READ_POLICIES)
        self._line.demand(Ability.HARDWARE_OATH, call)
        return (_token(item) for item in self._line.pages(call))

    def create_token(self, token: NewToken) -> HardwareToken:
        """Put a token into the inventory. Raises DuplicateSerial, NotInThisCloud, AnswerLost, BadInput.

        A serial number that is there already may be our own after a lost answer: look for it with `tokens`.
        """
        _demand_usable(token)
        call = Call(
            "POST", INVENTORY, f"putting the token {token.serial} into the inventory of tenant {self._line.tenant_id}",
            stands="The inventory is what it was.", needs=TO_CHANGE_POLICIES, changes=True, secret=token.seed,
            body={
                "serialNumber": token.serial,
                "manufacturer": token.manufacturer,
                "model": token.model,
                "secretKey": token.seed,
                "timeIntervalInSeconds": token.interval,
                "hashFunction": HASH_FUNCTIONS[token.digest],
                "displayName": token.display_name or token.serial,
            },
        )  # fmt: skip
        self._line.demand(Ability.HARDWARE_OATH, call)
        reply = self._line.send(call)
        if refusal := duplicate_serial(reply, call, token.serial):
            raise refusal
        answer_of(reply, call)
        if not (reply.body and reply.body.get("id")):
            raise AnswerLost(
                f"Microsoft said yes and nothing else while {call.doing}, so the token's id is not known. Look for its "
                "serial number in the inventory before trying again.",
                code="answer_incomplete",
                request_id=reply.request_id,
            )
        return _token(reply.body)

    def activate_token(self, account: AccountRef, device_id: str, code: str, *, display_name: str = "") -> Answer:
        """Assign a token and activate it with a code of its own, in one call.

        Raises CodeRefused, NoFreeSlot, PolicyForbids, NotInThisCloud, GuestRefused, BadInput.
        """
        if not CODE.fullmatch(code):
            raise BadInput("A code of a token has six digits. Nothing was sent. Type the one that it shows now.")
        body: dict[str, Any] = {"device": {"id": device_id}, "verificationCode": code}
        if display_name:
            body["displayName"] = display_name
        call = self._about_token(
            "POST", "/assignAndActivate", f"activating the token {device_id} for", account,
            stands="The token is not active.", body=body, secret=code,
        )  # fmt: skip
        _refuse_guest(account, call)
        reply = self._line.send(call)
        if refusal := activation_refused(reply, call):
            raise refusal
        return self._answer_about_token(reply, call, account)

    def deactivate_token(self, account: AccountRef, device_id: str) -> Answer:
        """Stop accepting a token's codes; it stays assigned."""
        call = self._about_token(
            "POST", f"/{quote(device_id, safe='')}/deactivate", f"deactivating the token {device_id} of", account,
            stands="Its codes are still accepted.",
        )  # fmt: skip
        return self._answer_about_token(self._line.send(call), call, account)

    def unassign_token(self, account: AccountRef, device_id: str) -> Answer:
        """Take a token from the account. A 404 is success: whatever is missing, it is not assigned."""
        call = self._about_token(
            "DELETE", f"/{quote(device_id, safe='')}", f"taking the token {device_id} from", account,
            stands="The token is still assigned.",
        )  # fmt: skip
        reply = self._line.send(call)
        return answer_of(reply, call, already=_not_there(reply))

    def delete_token(self, device_id: str) -> Answer:
        """Take an unassigned token out of the inventory. A 404 is success. Raises Refused when it is assigned."""
        call = Call(
            "DELETE", f"{INVENTORY}/{quote(device_id, safe='')}",
            f"taking the token {device_id} out of the inventory of tenant {self._line.tenant_id}",
            stands="The token is still there.", needs=TO_CHANGE_POLICIES, changes=True,
        )  # fmt: skip
        self._line.demand(Ability.HARDWARE_OATH, call)
        reply = self._line.send(call)
        return answer_of(reply, call, already=_not_there(reply))

    # How it is asked

    def _about_token(
        self, method: str, tail: str, doing: str, account: AccountRef, *,
        stands: str, body: Mapping[str, Any] | None = None, secret: str = "",
    ) -> Call:  # fmt: skip
        call = self._line.about(
            method, f"{_methods('beta', account)}/hardwareOathMethods{tail}", doing, account,
            stands=stands, needs=TO_CHANGE_METHODS, changes=True, body=body, secret=secret,
        )  # fmt: skip
        self._line.demand(Ability.HARDWARE_OATH, call)
        return call

    def _answer_about_token(self, reply: Reply, call: Call, account: AccountRef) -> Answer:
        """The yes. A 404 may be about the user or about the token; only one that names the user is AccountMissing."""
        try:
            return answer_of(reply, call)
        except AccountMissing as missing:
            if account.key.lower() in fault_in(reply, call.secret).message.lower():
                raise
            raise Refused(
                f"Microsoft found no such token while {call.doing} (it answered 404 {fault_in(reply, call.secret)}). "
                f"{call.stands} Look for its serial number in the inventory; it may have been deleted or unassigned.",
                code=missing.code,
                request_id=missing.request_id,
            ) from None


def _methods(version: str, account: AccountRef) -> str:
    return f"/{version}{user_path(account.key)}/authentication"


def _not_there(reply: Reply) -> bool:
    return reply.status == 404 and fault_in(reply).known_path


def _refuse_guest(account: AccountRef, call: Call) -> None:
    # entra-docs concept-authentication-oath-tokens. Assumption: the same holds for passes.
    if account.guest:
        raise GuestRefused(
            f"The account is a guest, which signs in with the methods of its home directory, so nothing was sent for "
            f"{call.doing}. {call.stands} Use an account of this tenant, or ask the guest's own administrator.",
            code="guest",
        )


def _demand_usable(token: NewToken) -> None:
    """Raises BadInput, which never holds the seed."""
    wrong = ""
    if not SERIAL.fullmatch(token.serial):
        wrong = "its serial number must have 1 to 64 letters, digits, dots, dashes or underscores"
    elif not SEED.fullmatch(token.seed):
        wrong = "its seed must have 1 to 128 characters, A to Z and 2 to 7, without padding"
    elif token.interval not in INTERVALS:
        wrong = f"its codes must change every 30 or 60 seconds, not every {token.interval}"
    elif token.digest not in HASH_FUNCTIONS:
        wrong = f"its digest must be one of {', '.join(HASH_FUNCTIONS)}, not {token.digest!r}"
    elif not token.manufacturer or not token.model:
        wrong = "its manufacturer and model must be named"
    if wrong:
        raise BadInput(f"The token {token.serial!r} cannot be used: {wrong}. Nothing was sent. Correct it, try again.")


def _pass(reply: Reply, call: Call, *, minutes: int, once: bool) -> IssuedPass:
    body = reply.body or {}
    if not body.get("temporaryAccessPass") or not body.get("id"):
        raise AnswerLost(
            f"Microsoft said yes while {call.doing}, and the pass did not arrive. It exists, and nobody knows it. "
            "Issue another one: it replaces this one.",
            code="answer_incomplete",
            request_id=reply.request_id,
        )
    return IssuedPass(
        method_id=str(body["id"]),
        code=str(body["temporaryAccessPass"]),
        starts_at=moment(body.get("startDateTime")),
        minutes=int(body.get("lifetimeInMinutes") or minutes),
        once=body["isUsableOnce"] is True if "isUsableOnce" in body else once,
        request_id=reply.request_id,
    )


def _token(item: Mapping[str, Any]) -> HardwareToken:
    """One element of the inventory. One page of Microsoft's nests it in `device`, another shows it flat."""
    device = item.get("device") or item
    status = str(device.get("status") or "")
    return HardwareToken(
        device_id=str(device.get("id") or ""),
        serial=str(device.get("serialNumber") or ""),
        display_name=str(device.get("displayName") or ""),
        status=TokenStatus(status) if status in set(TokenStatus) else TokenStatus.UNKNOWN,
        assigned_to=str((device.get("assignedTo") or {}).get("id") or ""),
    )
