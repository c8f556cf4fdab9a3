"""What the states of per-user MFA mean on a shared account.

Source: Microsoft's pages about per-user MFA states and app passwords, and `perUserMfaState` of Graph beta: ENABLED
turns into ENFORCED by itself when a method is registered.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from msp.microsoft.enrolment_ports import MfaState
from tenants.models.shared_account import MfaDemand

STATES: list[tuple[str, Any, Any]] = [
    (
        MfaState.DISABLED,
        MfaDemand.DISABLED.label,
        _(
            "Per-user MFA asks for nothing. Right where Conditional Access or the security defaults demand the second "
            "factor; without either the password alone signs in."
        ),
    ),
    (
        MfaState.ENABLED,
        MfaDemand.ENABLED.label,
        _(
            "Whoever signs in next is asked to register a method. Old programs still get in with the password alone. "
            "As soon as a method is registered, Microsoft turns it to enforced by itself."
        ),
    ),
    (
        MfaState.ENFORCED,
        MfaDemand.ENFORCED.label,
        _(
            "Every sign-in in a browser needs the second factor. Old programs that cannot ask for one need an app "
            "password, where the tenant allows those."
        ),
    ),
]
"""State, name, what it means."""


def title_of(state: MfaState) -> str:
    return str(MfaDemand(state).label)
