"""What Latchkey reads in the reseller's own partner tenant: whose customers there are, and until when.

Delegated administration exists in the global cloud only. `Partner` raises the errors of `Directory` that a read can
raise, and `NotInThisCloud`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Relationship:
    """One granular delegated admin relationship (GDAP). `status` is Microsoft's word; `roles` are role template ids.

    `auto_extends` tells whether it is prolonged by six months when it ends.
    """

    relationship_id: str
    display_name: str
    customer_tenant_id: str
    customer_name: str
    status: str
    ends_at: dt.datetime | None
    auto_extends: bool
    roles: frozenset[str]

    @property
    def active(self) -> bool:
        return self.status in ("active", "expiring")


@dataclass(frozen=True)
class Grant:
    """What one security group of the partner may do under a relationship."""

    grant_id: str
    group_id: str
    status: str
    roles: frozenset[str]


@dataclass(frozen=True)
class PartnerCustomer:
    """A customer of the partner, from relationships or from older contracts (`domain` is "" for the former)."""

    tenant_id: str
    display_name: str
    domain: str = ""


class Partner(Protocol):
    """Reads the partner's tenant."""

    def relationships(self) -> Iterator[Relationship]:
        """Every relationship, ended ones too."""
        ...

    def grants_of(self, relationship_id: str) -> tuple[Grant, ...]:
        """Which groups hold which roles under one relationship."""
        ...

    def customers(self) -> Iterator[PartnerCustomer]:
        """The customers of delegated administration."""
        ...

    def contracts(self) -> Iterator[PartnerCustomer]:
        """The customers of the older kind of contract, with their default domain."""
        ...
