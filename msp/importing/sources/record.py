"""One entry of another product, in our words. Notes are not among them: nobody asked for what people wrote there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from msp.importing.sheet import Trouble

DOMAIN_OR_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z0-9-]+\.)+[a-z0-9-]{2,}", re.IGNORECASE)
NAMES_OF_TENANT = frozenset({"tenant", "tenantid", "tenantdomain", "domain", "domäne", "mandant", "directoryid"})
USER_NAME = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
TRUE = frozenset({"true", "1", "yes"})


class PassedOver(TextChoices):
    """Why an entry is nothing for us."""

    NOTE = "note", _("a note without a sign-in")
    OTHER_TYPE = "other_type", _("no sign-in (a card, an identity or the like)")
    BIN = "bin", _("in the recycle bin")
    ARCHIVED = "archived", _("archived")
    UNPROVEN = "unproven", _("a change that was not proven when the file was written")
    EMPTY = "empty", _("without password and seed")


@dataclass(frozen=True)
class Record:
    """`line` is the line of a table, or the number of the item in a list. Password and seed are as they stand.

    `tenant` is a domain or directory id that the entry names. `places` are the names of folders, groups and companies
    it lies in. `ask` is why only a person can say which account is meant.
    """

    line: int
    title: str = ""
    user_name: str = ""
    password: str = field(default="", repr=False)
    seed: str = field(default="", repr=False)
    urls: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    tenant: str = ""
    source_id: str = ""
    passed_over: PassedOver | None = None
    ask: str | Promise = ""


@dataclass(frozen=True)
class Found:
    """What a source makes of a file. `ignored` are headers that mean nothing here."""

    records: list[Record]
    broken: list[Trouble] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def best_user_name(*said: str) -> str:
    """The first that looks like one at Entra ID, else the first at all. Blanks around a user name mean nothing."""
    stripped = [name.strip() for name in said if name.strip()]
    return next((name for name in stripped if USER_NAME.fullmatch(name)), stripped[0] if stripped else "")


def parts_of(path: str, *, at: str = r"[/\\]") -> tuple[str, ...]:
    """The names in a path, and the path itself: a company may have a stroke in its name."""
    parts = [part.strip() for part in re.split(at, path) if part.strip()]
    return tuple(parts) if len(parts) < 2 else (*parts, path.strip())


def tenant_named_by(pairs: list[tuple[str, str]]) -> str:
    """The tenant that a field of the entry names. Only a domain or an id is taken: other fields may be secrets."""
    for name, value in pairs:
        if re.sub(r"[\s_-]", "", name).casefold() in NAMES_OF_TENANT and DOMAIN_OR_ID.fullmatch(value.strip()):
            return value.strip()
    return ""
