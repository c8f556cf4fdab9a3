"""The tenant itself: organisation, domains, policies, roles, reports, service principals."""

from __future__ import annotations

from .answers import Answer
from .graph import Call
from .state import SimTenant

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


def policy_allows(tenant: SimTenant, configuration_id: str) -> bool:
    """Whether this tenant lets its users have a kind of method ("SoftwareOath" ..., in any case of letters)."""
    wanted = configuration_id.lower()
    states = {name.lower(): state for name, state in (METHOD_STATES | tenant.policies.methods).items()}
    return states.get(wanted, "disabled") == "enabled"


def answer(call: Call) -> Answer | None:
    """None for a call that is not known here."""
    return None
