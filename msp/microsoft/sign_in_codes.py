"""What the sign-in service's AADSTS numbers mean for us (meanings after "reference error codes").

Decisions are made on the numbers, never on the text that comes with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msp.errors import Busy, DirectoryError, NoConnection
from msp.microsoft.ports import ProbeResult, SignInAnswer

PLAIN_WORD = re.compile(r"[a-z_]{1,40}|[0-9a-f-]{36}")
TRANSIENT_SECONDS = 30.0

CONSENT = "Have an administrator of that tenant open the consent link of the app, then try again."
CREDENTIAL = "Compare the app's credential here with the one on its registration at Microsoft, then try again."
SIGN_IN_AGAIN = (
    "Sign in again as the partner's user, with a second factor, and store the new refresh token: "
    "python3 manage.py partner_token."
)
SECOND_FACTOR = f"The sign-in asks for a second factor, which only a person can give. {SIGN_IN_AGAIN}"


@dataclass(frozen=True)
class Meaning:
    """What one number tells: what to do when it came instead of a token, whether it passes by itself, and what it
    says about a password that was tried.
    """

    what_to_do: str
    passes: bool = False
    password: ProbeResult = ProbeResult.INCONCLUSIVE


def _accepted(what_to_do: str) -> Meaning:
    """A number that is only reached with the right password: something more is asked for.

    Assumption: the password is judged before the second factor is asked for; every published use reads them so.
    """
    return Meaning(what_to_do, password=ProbeResult.PASSWORD_ACCEPTED)


PASSES = Meaning("It passes by itself.", passes=True)

MEANINGS = {
    # The user and the password
    50126: Meaning(
        "User name or password is wrong. Store the account's password anew.", password=ProbeResult.PASSWORD_REFUSED
    ),
    50034: Meaning("There is no such user in that tenant. Compare user name and tenant with the customer's entry."),
    50053: Meaning("The account is locked after wrong passwords, or our address is blocked. Wait before trying again."),
    50055: _accepted("The password has expired. Change it at the sign-in page, then store the new one here."),
    50056: Meaning("The user has no password in that directory. Set one there, or look where it is kept."),
    50057: Meaning("The user is disabled. Have an administrator of that tenant enable it again."),
    50076: _accepted(SECOND_FACTOR),
    50079: _accepted(f"The user must register a second factor first. Do that at the sign-in page. {SIGN_IN_AGAIN}"),
    50074: _accepted(SECOND_FACTOR),
    50072: _accepted(f"The user must register a second factor first. Do that at the sign-in page. {SIGN_IN_AGAIN}"),
    50078: _accepted(f"The second factor was given too long ago. {SIGN_IN_AGAIN}"),
    50158: _accepted(
        f"Another provider's second factor is asked for, which only a person can give there. {SIGN_IN_AGAIN}"
    ),
    53003: Meaning("A Conditional Access policy of that tenant blocks the app. Have the app excluded from it."),
    530035: Meaning(
        "The tenant's security defaults block this way to sign in. Have the app come by certificate and consent, or "
        "replace the security defaults by a Conditional Access policy that lets it in."
    ),
    # The partner's sign-in
    50133: Meaning(f"The partner user's password was changed, which ended the sign-in. {SIGN_IN_AGAIN}"),
    50173: Meaning(f"The partner user's sign-in was revoked, or its password changed. {SIGN_IN_AGAIN}"),
    70008: Meaning(f"The partner's refresh token has expired. {SIGN_IN_AGAIN}"),
    700082: Meaning(f"The partner's refresh token was not used for too long and has expired. {SIGN_IN_AGAIN}"),
    65001: Meaning(
        f"Nobody has consented to the app there. {CONSENT} For access as the partner, have the app consented through "
        "Partner Center, and look whether the relationship (GDAP) still gives the partner user's group a role there."
    ),
    90099: Meaning(
        "The app is not authorised for delegated administration in that tenant. Have it consented through Partner "
        "Center, then try again."
    ),
    530034: Meaning(
        "Microsoft holds back the partner's own user for risk. Clear the risk in the partner's tenant first, then "
        "sign in again."
    ),
    # The app and its credential
    700016: Meaning(f"The app is not known in that tenant. {CONSENT}"),
    7000112: Meaning("The app is disabled in that tenant. Have its administrator enable it again."),
    7000215: Meaning(f"The client secret is wrong. {CREDENTIAL}"),
    7000222: Meaning("The client secret has expired. Make a new one, or better a certificate, and store it here."),
    700027: Meaning(f"The certificate is not one that Microsoft knows for the app. {CREDENTIAL}"),
    7000218: Meaning(
        "The app came without a credential, and is no public client. Set LATCHKEY_CLIENT_CERTIFICATE, or allow public "
        "client flows on its registration."
    ),
    700025: Meaning("The app is registered as a public client. Register it as a web application with a certificate."),
    # The request
    90002: Meaning("There is no such tenant in this cloud. Compare its id and its cloud with the customer's entry."),
    9001023: Meaning(
        "This can only be asked at the tenant's own address. Give the customer's entry a tenant id instead of common, "
        "organizations or consumers."
    ),
    900144: Meaning(
        "Our request lacked a part, which is a fault of Latchkey. Check LATCHKEY_CLIENT_ID, then report it with the "
        "request id."
    ),
    # The service
    90055: PASSES,
    90033: PASSES,
    90024: PASSES,
    50196: PASSES,
}

ENDED_SESSIONS = {
    50133: "The session is not valid any more: the password was changed or has expired.",
    50173: "The session was ended: it was revoked, or the password was changed.",
}
"""What a session that was ended on purpose is told, in our words."""

UNKNOWN = Meaning("Look the code up at Microsoft, mend the app or its consent, then try again.")


def codes_in(body: Mapping[str, Any]) -> list[int]:
    found = body.get("error_codes")
    return [code for code in found if isinstance(code, int)] if isinstance(found, list) else []


def _plain(word: object) -> str:
    """A word of the protocol, or "" for anything else: what is not one might be somebody's secret."""
    return word if isinstance(word, str) and PLAIN_WORD.fullmatch(word) else ""


def no_token(body: Mapping[str, Any], tenant_id: str) -> DirectoryError:
    """The error for an answer of the token endpoint that holds no token: Busy when it passes, else NoConnection."""
    codes = codes_in(body)
    code = next((known for known in codes if known in MEANINGS), codes[0] if codes else 0)
    name = f"AADSTS{code}" if code else _plain(body.get("error")) or "no code"
    request_id = _plain(body.get("trace_id"))
    meaning = MEANINGS.get(code, UNKNOWN)
    if meaning.passes or (not code and body.get("error") == "temporarily_unavailable"):
        return Busy(
            f"Microsoft's sign-in service cannot serve tenant {tenant_id} right now ({name}). Nothing was changed "
            f"there. It is tried again in {TRANSIENT_SECONDS:.0f} s.",
            retry_after=TRANSIENT_SECONDS,
            code=name,
            request_id=request_id,
        )
    return NoConnection(
        f"Tenant {tenant_id} does not let us in ({name}). Nothing was changed there. {meaning.what_to_do}",
        code=name,
        request_id=request_id,
    )


def judged(status: int, body: Mapping[str, Any]) -> SignInAnswer:
    """What the answer to a sign-in with a password alone says about that password."""
    if status == 200 and body.get("access_token"):
        return _with_a_token(body)
    known = {MEANINGS[code].password: code for code in reversed(codes_in(body)) if code in MEANINGS}
    for result in (ProbeResult.PASSWORD_REFUSED, ProbeResult.PASSWORD_ACCEPTED):
        if result in known:
            return _told(result, known[result], body)
    return _told(ProbeResult.INCONCLUSIVE, _first_code(body), body)


def judged_session(status: int, body: Mapping[str, Any]) -> SignInAnswer:
    """What the answer to a refresh token says about the session that it stands for.

    Only the two numbers that name a revocation or a change of the password count as refused for that reason.
    """
    if status == 200 and body.get("access_token"):
        return _with_a_token(body)
    ended = next((code for code in codes_in(body) if code in ENDED_SESSIONS), 0)
    if ended:
        return _told(ProbeResult.PASSWORD_REFUSED, ended, body)
    return _told(ProbeResult.INCONCLUSIVE, _first_code(body), body)


def _with_a_token(body: Mapping[str, Any]) -> SignInAnswer:
    session = body.get("refresh_token")
    return SignInAnswer(ProbeResult.PASSWORD_ACCEPTED, session=session if isinstance(session, str) else "")


def _told(result: ProbeResult, code: int, body: Mapping[str, Any]) -> SignInAnswer:
    name = f"AADSTS{code}" if code else _plain(body.get("error")) or "no code"
    meaning = ENDED_SESSIONS.get(code) or MEANINGS.get(code, UNKNOWN).what_to_do
    return SignInAnswer(result, name, meaning, _plain(body.get("trace_id")))


def _first_code(body: Mapping[str, Any]) -> int:
    codes = codes_in(body)
    return next((code for code in codes if code in MEANINGS), codes[0] if codes else 0)
