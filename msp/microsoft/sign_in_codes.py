"""What the sign-in service's AADSTS numbers mean for us (meanings after "reference error codes").

Decisions are made on the numbers, never on the text that comes with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msp.errors import Busy, DirectoryError, NoConnection
from msp.microsoft.ports import ProbeResult

PLAIN_WORD = re.compile(r"[a-z_]{1,40}|[0-9a-f-]{36}")
TRANSIENT_SECONDS = 30.0
TRANSIENT = frozenset({90055, 90033, 90024, 50196})

CONSENT = "Have an administrator of that tenant open the consent link of the app, then try again."
CREDENTIAL = "Compare the app's credential here with the one on its registration at Microsoft, then try again."

WHAT_TO_DO = {
    90002: "There is no such tenant in this cloud. Compare its id and its cloud with the customer's entry.",
    700016: f"The app is not known in that tenant. {CONSENT}",
    65001: f"Nobody has consented to the app there. {CONSENT}",
    7000112: "The app is disabled in that tenant. Have its administrator enable it again.",
    7000215: f"The client secret is wrong. {CREDENTIAL}",
    7000222: "The client secret has expired. Make a new one, or better a certificate, and store it here.",
    700027: f"The certificate is not one that Microsoft knows for the app. {CREDENTIAL}",
    7000218: "The app has no credential here. Set LATCHKEY_CLIENT_CERTIFICATE.",
    700025: "The app is registered as a public client. Register it as a web application with a certificate.",
    90099: "The app is not authorised for delegated administration. Have it consented through Partner Center.",
    530034: "Microsoft holds back the partner's own account for risk. Clear the risk in the partner's tenant first.",
    53003: "A Conditional Access policy of that tenant blocks the app. Have the app excluded from it.",
}

PASSWORD_ACCEPTED = frozenset({50076, 50079, 50074, 50072, 50158, 50055})
"""Codes that are only reached with the right password: a second factor, an enrolment or a new password is asked.

Assumption: the password is judged before the second factor is asked for; every published use reads them so.
"""
PASSWORD_REFUSED = frozenset({50126})


def codes_in(body: Mapping[str, Any]) -> list[int]:
    found = body.get("error_codes")
    return [code for code in found if isinstance(code, int)] if isinstance(found, list) else []


def _plain(word: object) -> str:
    """A word of the protocol, or "" for anything else: what is not one might be somebody's secret."""
    return word if isinstance(word, str) and PLAIN_WORD.fullmatch(word) else ""


def no_token(body: Mapping[str, Any], tenant_id: str) -> DirectoryError:
    """The error for an answer of the token endpoint that holds no token."""
    codes = codes_in(body)
    code = next((known for known in codes if known in WHAT_TO_DO or known in TRANSIENT), codes[0] if codes else None)
    name = f"AADSTS{code}" if code else _plain(body.get("error")) or "no code"
    request_id = _plain(body.get("trace_id"))
    if code in TRANSIENT or (code is None and body.get("error") == "temporarily_unavailable"):
        return Busy(
            f"Microsoft's sign-in service cannot serve tenant {tenant_id} right now ({name}). Nothing was changed "
            f"there. It is tried again in {TRANSIENT_SECONDS:.0f} s.",
            retry_after=TRANSIENT_SECONDS,
            code=name,
            request_id=request_id,
        )
    advice = WHAT_TO_DO.get(code or 0, "Look the code up at Microsoft, mend the app or its consent, then try again.")
    return NoConnection(
        f"Tenant {tenant_id} does not let the app in ({name}). Nothing was changed there. {advice}",
        code=name,
        request_id=request_id,
    )


def judged(status: int, body: Mapping[str, Any]) -> ProbeResult:
    """What the answer to a sign-in with a password alone says about that password."""
    if status == 200 and body.get("access_token"):
        return ProbeResult.PASSWORD_ACCEPTED
    codes = set(codes_in(body))
    if codes & PASSWORD_REFUSED:
        return ProbeResult.PASSWORD_REFUSED
    if codes & PASSWORD_ACCEPTED:
        return ProbeResult.PASSWORD_ACCEPTED
    return ProbeResult.INCONCLUSIVE
