"""Any table, when a person says which column is which; and what a person needs to see in order to say it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.errors import BadInput
from msp.importing.choices import MAPPED, AskForColumns, Choices
from msp.importing.reader import fold
from msp.importing.sources.columns import Cells, rows_to_records
from msp.importing.sources.export import Export
from msp.importing.sources.record import DOMAIN_OR_ID, Found, Record, parts_of

SAMPLE = 5
MASK = "••••••"
EMAIL = re.compile(r"[^\s@]{1,64}@([a-z0-9-]+\.)+[a-z0-9-]{2,}", re.IGNORECASE)


@dataclass(frozen=True)
class Field:
    """One thing that a column may hold. `words` are folded headers by which it is guessed."""

    name: str
    label: str | Promise
    words: frozenset[str]
    secret: bool = False


def _field(name: str, label: str | Promise, words: str, *, secret: bool = False) -> Field:
    return Field(name, label, frozenset(words.split()), secret)


FIELDS = (
    _field(
        "upn",
        gettext_lazy("User name"),
        "username user login loginname loginusername upn userprincipalname account accountname email mail "
        "benutzername benutzer konto anmeldename",
    ),
    _field(
        "password",
        gettext_lazy("Password"),
        "password pass pwd passwd loginpassword passwort kennwort motdepasse contraseña wachtwoord",
        secret=True,
    ),
    _field(
        "seed",
        gettext_lazy("Seed of an authenticator"),
        "totp otp otpauth otpsecret otpsecretkey totpsecret 2fasecret mfasecret logintotp seed authenticatorkey",
        secret=True,
    ),
    _field("title", gettext_lazy("Title"), "title name titel bezeichnung description itemname"),
    _field(
        "client",
        gettext_lazy("Customer"),
        "client clientname customer customername company companyname organization organisation organizationname "
        "kunde kundenname firma",
    ),
    _field(
        "tenant",
        gettext_lazy("Tenant (domain or id)"),
        "tenant tenantid tenantdomain domain domäne mandant directoryid defaultdomain primarydomainname",
    ),
    _field("folder", gettext_lazy("Folder or group"), "folder group grouping category vault ordner gruppe"),
    _field("id", gettext_lazy("The product's own id"), "id recordid itemid uuid"),
)
BY_NAME = {field.name: field for field in FIELDS}
ALIASES = {
    "username": "upn",
    "user_name": "upn",
    "login": "upn",
    "account": "upn",
    "customer": "client",
    "totp": "seed",
}


@dataclass(frozen=True)
class ShownColumn:
    """One column as a person sees it. `header` is "" where the first row may be data; secrets are masked."""

    place: int
    header: str
    sample: list[str]

    @property
    def label(self) -> str:
        number = _("Column %(number)d") % {"number": self.place + 1}
        return f"{number}: {self.header}" if self.header else number


@dataclass(frozen=True)
class ShownTable:
    """`guess` is the place of a column by the name of our field; what is doubtful is not guessed."""

    columns: list[ShownColumn]
    guess: Mapping[str, int]
    header: bool
    doubles: list[str] = field(default_factory=list)


def shown(export: Export) -> ShownTable:
    """Raises BadInput when it is no table."""
    if export.is_json:
        raise BadInput(_("This file is no table, so no column of it can be chosen. Nothing was imported."))
    rows = [row for _line, row in export.table().rows]
    if not rows:
        raise BadInput(_("No row of this file can be read. Nothing was imported."))
    first, guess = rows[0], guessed(rows[0])
    header = bool(guess) or bool(_doubles(first))
    sample = [row for row in rows[1 if header else 0 :] if len(row) == len(first)][:SAMPLE]
    meaning = {place: BY_NAME[name] for name, place in guess.items()}
    columns = [
        ShownColumn(place, name.strip()[:100] if header else "", masked(cells, meaning.get(place)))
        for place, name, cells in ((place, name, [row[place] for row in sample]) for place, name in enumerate(first))
    ]
    return ShownTable(columns, guess, header, _doubles(first))


def masked(cells: list[str], meaning: Field | None) -> list[str]:
    """The cells of one column for the eye. What nobody said to be harmless shows only that it is not empty."""
    texts = [cell.strip() for cell in cells]
    harmless = not meaning.secret if meaning else all(EMAIL.fullmatch(text) for text in texts if text)
    return [text[:80] if harmless or not text else MASK for text in texts]


def guessed(header: list[str]) -> dict[str, int]:
    """Where each of our fields probably stands. A header that is there twice is nobody's guess."""
    folded = [fold(name) for name in header]
    many = {name for name, times in Counter(folded).items() if times > 1}
    found: dict[str, int] = {}
    for wanted in FIELDS:
        place = next((at for at, name in enumerate(folded) if name in wanted.words and name not in many), None)
        if place is not None and place not in found.values():
            found[wanted.name] = place
    return found


def _doubles(header: list[str]) -> list[str]:
    """Headers we know the meaning of that are there twice."""
    times = Counter(fold(name) for name in header)
    known = frozenset().union(*(wanted.words for wanted in FIELDS))
    return [name.strip() for name in header if fold(name) in known and times[fold(name)] > 1]


def read_mapped(export: Export, choices: Choices) -> Found:
    """Raises AskForColumns when the columns do not suffice, BadInput when it is no table."""
    table = export.table()
    if not table.rows:
        raise BadInput(_("No row of this file can be read. Nothing was imported."))
    width = len(table.rows[0][1])
    places = check_columns(choices.columns, width)
    names = [str(place) for place in range(width)]

    def make(line: int, cells: Cells) -> Record:
        said = {name: cells.exact(str(place)) for name, place in places.items()}
        folders = (*parts_of(said.get("client", "")), *parts_of(said.get("folder", "")))
        tenant = said.get("tenant", "").strip()
        return Record(
            line,
            title=said.get("title", "").strip(),
            user_name=said.get("upn", "").strip(),
            password=said.get("password", ""),
            seed=said.get("seed", ""),
            places=folders if DOMAIN_OR_ID.fullmatch(tenant) else (*folders, *parts_of(tenant)),
            tenant=tenant if DOMAIN_OR_ID.fullmatch(tenant) else "",
            source_id=said.get("id", "").strip(),
        )

    ignored = [
        name.strip()[:100]
        for place, name in enumerate(table.rows[0][1])
        if choices.header and name.strip() and place not in places.values()
    ]
    return rows_to_records(table, make, names, ignored, header=choices.header)


def check_columns(columns: Mapping[str, int], width: int) -> Mapping[str, int]:
    """Raises AskForColumns."""
    if "upn" not in columns or not {"password", "seed"} & set(columns):
        raise AskForColumns(_("Say which column holds the user name, and which one the password."))
    if len(set(columns.values())) != len(columns):
        raise AskForColumns(_("One column cannot hold two things. Choose another one for one of them."))
    if set(columns) - set(BY_NAME) or not all(0 <= place < width for place in columns.values()):
        raise AskForColumns(_("There is no such column in this file. Say which column is which."))
    return columns


def columns_by_words(export: Export, pairs: Mapping[str, str], *, header: bool) -> Choices:
    """The columns that a command line names: our field = a header or the number of a column. Raises BadInput."""
    first = export.header
    names = [fold(name) for name in first] if header else []
    columns: dict[str, int] = {}
    for said, wanted in pairs.items():
        name = ALIASES.get(said, said)
        if name not in BY_NAME:
            raise BadInput(
                _("%(field)s is no field; fields are: %(fields)s.") % {"field": said, "fields": ", ".join(BY_NAME)}
            )
        times = names.count(fold(wanted))
        if times > 1:
            raise BadInput(
                _("The header names %(name)s %(times)d times; give the number of the column instead.")
                % {"name": wanted, "times": times}
            )
        if times == 1:
            columns[name] = names.index(fold(wanted))
        elif wanted.isascii() and wanted.isdigit() and 0 < int(wanted[:4]) <= len(first):
            columns[name] = int(wanted) - 1
        else:
            raise BadInput(_("This file has no column %(name)s.") % {"name": wanted})
    return Choices(source=MAPPED, columns=columns, header=header)
