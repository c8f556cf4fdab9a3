"""What a tenant check reads, and what it concludes: the shapes of both. Plain data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from msp.errors import DirectoryError
from msp.microsoft.clouds import Cloud
from msp.microsoft.partner_ports import Relationship
from msp.microsoft.ports import FoundAccount
from msp.microsoft.tenant_ports import AccessPolicy, Domain, MethodPolicy, Organisation, OwnAccess, Role


class CheckState(TextChoices):
    """How one item stands. UNKNOWN could not be read, so it is neither good nor bad news."""

    WRONG = "wrong", _("Wrong")
    UNKNOWN = "unknown", _("Not known")
    WARNING = "warning", _("Worth a look")
    OK = "ok", _("In order")


WORST_FIRST = (CheckState.WRONG, CheckState.UNKNOWN, CheckState.WARNING, CheckState.OK)


@dataclass(frozen=True)
class CheckItem:
    """One thing that was looked at. `remedy` says what to do and where; it is "" when nothing is to be done.

    `account_id` is our id of the shared account that it is about, "" for the tenant as a whole. `consent` tells that
    an administrator's consent is (part of) the remedy, so that whoever shows the item adds the link.
    """

    key: str
    state: CheckState
    sentence: str
    remedy: str = ""
    account_id: str = ""
    consent: bool = False

    @property
    def group(self) -> str:
        """The first part of the key: which of GROUPS it belongs to."""
        return self.key.partition(".")[0]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"state": str(self.state)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(**{**kept, "state": CheckState(kept["state"])})

    def about(self, account_id: str) -> CheckItem:
        return replace(self, account_id=account_id)


GROUPS = {
    "credential": _("The app's own credential"),
    "tenant": _("The tenant"),
    "consent": _("Consent"),
    "permission": _("What the app may do"),
    "excess": _("More than Latchkey needs"),
    "role": _("Directory roles of the app"),
    "account": _("Shared accounts"),
    "licence": _("Licences"),
    "policy": _("Policies of the tenant"),
    "gdap": _("Delegated administration"),
    "clock": _("Clock"),
}
"""The groups in the order in which a person would mend things."""


def ok(key: str, sentence: str) -> CheckItem:
    return CheckItem(key, CheckState.OK, sentence)


def warning(key: str, sentence: str, remedy: str) -> CheckItem:
    return CheckItem(key, CheckState.WARNING, sentence, remedy)


def wrong(key: str, sentence: str, remedy: str) -> CheckItem:
    return CheckItem(key, CheckState.WRONG, sentence, remedy)


def unknown(key: str, sentence: str, remedy: str = "") -> CheckItem:
    return CheckItem(key, CheckState.UNKNOWN, sentence, remedy)


def worst_of(items: Iterable[CheckItem]) -> CheckState:
    """The state of them all: that of the worst one. Nothing looked at is not known."""
    states = {item.state for item in items}
    return next((state for state in WORST_FIRST if state in states), CheckState.UNKNOWN)


@dataclass(frozen=True)
class Credential:
    """The app's own credential as it lies here.

    `kind` is "certificate", "secret" or "". It is good from `begins_at` to `ends_at`, None where only Microsoft knows.
    `trouble` says in a sentence why it cannot be used.
    """

    kind: str
    ends_at: dt.datetime | None = None
    trouble: str = ""
    begins_at: dt.datetime | None = None


@dataclass(frozen=True)
class AccountFacts:
    """One shared account: what we know of it, and what the directory says.

    `found` is who has its object id (or its name, while no id is known); None when nobody has. `namesake` is who bears
    its name when nobody has its id. `properties` are those of `TenantReader.raw_properties`. An error stands in the
    place of what could not be read; None was not asked.
    """

    account_id: str
    name: str
    object_id: str
    break_glass: bool
    found: FoundAccount | DirectoryError | None
    namesake: FoundAccount | DirectoryError | None = None
    properties: Mapping[str, Any] | DirectoryError | None = None
    roles: tuple[Role, ...] | DirectoryError | None = None

    def but(self, **read: Any) -> AccountFacts:
        """The same account, with what was read of it."""
        return replace(self, **read)

    @property
    def domain(self) -> str:
        return self.name.rpartition("@")[2].lower()


@dataclass(frozen=True)
class TenantFacts:
    """What was read of one tenant at `at` (UTC), each thing or the error that stood in its place.

    `relationships` is None for a reseller that does not come by delegated administration. `access_policies` is None
    when it was of no interest. `clock_difference` is Microsoft's clock minus ours, in seconds. `hardware_tokens` tells
    whether a shared account of the tenant has one. `as_partner` tells that we come as the partner's user.
    `broke_off` is what ended the reading before everything was asked.
    """

    at: dt.datetime
    tenant_id: str
    cloud: Cloud
    credential: Credential
    own_access: OwnAccess | DirectoryError
    organisation: Organisation | DirectoryError
    domains: tuple[Domain, ...] | DirectoryError
    security_defaults: bool | DirectoryError
    method_policy: MethodPolicy | DirectoryError
    access_policies: tuple[AccessPolicy, ...] | DirectoryError | None
    clock_difference: float | DirectoryError
    accounts: tuple[AccountFacts, ...] = ()
    relationships: tuple[Relationship, ...] | DirectoryError | None = None
    hardware_tokens: bool = False
    as_partner: bool = False
    broke_off: DirectoryError | None = None

    @property
    def lasting_relationships(self) -> tuple[Relationship, ...]:
        """The delegated admin relationships with this tenant that are in force, as far as they are known."""
        if self.relationships is None or isinstance(self.relationships, DirectoryError):
            return ()
        ours = (r for r in self.relationships if r.customer_tenant_id.lower() == self.tenant_id.lower())
        return tuple(r for r in ours if r.active and (r.ends_at is None or r.ends_at > self.at))
