"""Who acts when a command is run, and the links that commands print."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.urls import reverse

from msp import env
from msp.access.actions import make_link
from msp.ops.home import Home
from technicians.models import Role, Technician

DEFAULT_BASE = "http://127.0.0.1:8800"


def person_named(email: str) -> Technician:
    """The active person with this address. Raises CommandError."""
    person = Technician.objects.active().filter(email__iexact=email).first()
    if person is None:
        raise CommandError(f"Nobody active has the address {email}; nothing was done.")
    return person


def acting_person(email: str | None) -> Technician:
    """Whoever is named, else the only owner; the ledger names this person. Raises CommandError."""
    if email:
        return person_named(email)
    owners = list(Technician.objects.active().filter(role=Role.OWNER)[:2])
    if not owners:
        raise CommandError("There is no owner yet: python3 manage.py create_owner EMAIL makes one. Nothing was done.")
    if len(owners) > 1:
        raise CommandError("There are several owners: say with --as EMAIL who acts. Nothing was done.")
    return owners[0]


def acting_owner(email: str | None, what_stands: str) -> Technician:
    """Whoever is named, else the only owner; nobody but an owner. Raises CommandError, which says `what_stands`."""
    person = acting_person(email)
    if person.role != Role.OWNER:
        raise CommandError(f"{person.email} is no owner; {what_stands}. Ask an owner.")
    return person


def one_time_link(person: Technician | None, *, minutes: int, base: str) -> str:
    """A new link that works once; without a person it leads to the set-up page. Print it to standard output only."""
    return address_of_pages(base) + reverse("access:link", args=[make_link(person, minutes=minutes)])


def address_of_pages(base: str = "") -> str:
    """What links begin with: what was asked for, else LATCHKEY_URL, else where the pages were served last."""
    return (base or env.text("LATCHKEY_URL") or Home.here().address() or DEFAULT_BASE).rstrip("/")
