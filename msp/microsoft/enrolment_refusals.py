"""What a "no" to the making of a method means.

Assumption, all of it: Microsoft documents one of these texts (the one that names UserCredentialPolicy) and no code
of their own for any. A text that none of these knows stays a plain refusal in Microsoft's words.
"""

from __future__ import annotations

import re

from msp.errors import CodeRefused, DuplicateSerial, GuestRefused, NoFreeSlot, PolicyForbids, Refused
from msp.microsoft.answers import Call, Reply, fault_in

SAYS_NO = frozenset({400, 403, 409, 422})

ABOUT_A_POLICY = re.compile(r"UserCredentialPolicy|\bpolic(y|ies)\b|\b(not|isn't) (enabled|allowed)", re.IGNORECASE)
ABOUT_A_SERIAL = re.compile(r"serial", re.IGNORECASE)
ABOUT_ANOTHER = re.compile(r"already|exist|duplicate|in use|conflict|unique", re.IGNORECASE)
ABOUT_A_GUEST = re.compile(r"\bguest|external (user|identit)", re.IGNORECASE)
ABOUT_A_CODE = re.compile(
    r"verification ?code|\botp\b|passcode|one-time"
    r"|\b(invalid|incorrect|wrong|expired)\b.*\bcode\b|\bcode\b.*\b(invalid|incorrect|wrong|expired|match|used)",
    re.IGNORECASE,
)
ABOUT_SLOTS = re.compile(
    r"\b(maximum|limit|too many|more than|up to)\b.*\b(method|token|authenticator|device)s?\b"
    r"|\b(method|token|authenticator|device)s?\b.*\b(maximum|limit|too many)\b",
    re.IGNORECASE,
)


def policy_forbids(reply: Reply, call: Call, kinds: str) -> PolicyForbids | None:
    """The refusal of kinds that the tenant's policy of authentication methods does not allow."""
    fault = fault_in(reply, call.secret)
    if reply.status not in SAYS_NO or not ABOUT_A_POLICY.search(fault.message):
        return None
    return PolicyForbids(
        f"The tenant's policy does not allow {kinds}, so Microsoft refused {call.doing} (it answered {reply.status} "
        f"{fault}). {call.stands} Turn them on in the Entra admin centre under Authentication methods, Policies, then "
        "try again; a change there takes up to an hour.",
        code=fault.code,
        request_id=reply.request_id,
    )


def duplicate_serial(reply: Reply, call: Call, serial: str) -> DuplicateSerial | None:
    """The refusal of a serial number that the inventory holds already."""
    fault = fault_in(reply, call.secret)
    told = ABOUT_A_SERIAL.search(fault.message) and ABOUT_ANOTHER.search(f"{fault.code} {fault.message}")
    if reply.status != 409 and not (reply.status == 400 and told):
        return None
    return DuplicateSerial(
        f"The serial number {serial} is in the inventory already, so Microsoft refused {call.doing} (it answered "
        f"{reply.status} {fault}). {call.stands} Look for it there: it may be this very token after a lost answer.",
        code=fault.code,
        request_id=reply.request_id,
    )


def activation_refused(reply: Reply, call: Call) -> Refused | None:
    """What stands against the activation of a token, when it is one of the known reasons."""
    if reply.status not in SAYS_NO:
        return None
    fault = fault_in(reply, call.secret)
    marks = {"code": fault.code, "request_id": reply.request_id}
    refused = f"so Microsoft refused {call.doing} (it answered {reply.status} {fault}). {call.stands}"
    if ABOUT_A_GUEST.search(fault.message):
        return GuestRefused(
            f"The account is a guest, which cannot hold a token here, {refused} Use an account of this tenant.", **marks
        )
    if ABOUT_SLOTS.search(fault.message):
        return NoFreeSlot(
            f"All five authenticator places of the account are taken, {refused} Remove an authenticator that nobody "
            "uses, then try again.",
            **marks,
        )
    if ABOUT_A_CODE.search(fault.message):
        return CodeRefused(
            f"The code was not the token's at this moment, {refused} It may be assigned to the account all the same. "
            "Try again with the next code and check the clock, or unassign the token.",
            **marks,
        )
    return policy_forbids(reply, call, "hardware OATH tokens")
