"""Passwords out of other products. A value goes to the shared account it belongs to, or it is asked whose it is."""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.importing.choices import Choices
from msp.importing.found_seeds import FoundSeeds
from msp.importing.known_passwords import KnownPasswords
from msp.importing.matching import Doubtful, Match, label_of
from msp.importing.oddities import cannot_be_a_password, oddities, rewritten
from msp.importing.preview import Effect, Kind, Plan, Question
from msp.importing.sheet import Column, Sheet
from msp.importing.sources.export import Export
from msp.importing.sources.known import read_export
from msp.importing.sources.mapped import FIELDS
from msp.importing.sources.record import PassedOver, Record
from tenants.actions.remember_seed import remember_seed
from tenants.actions.store_password import store_password
from tenants.models import SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

FILE_ID = 12
"""Hexadecimal digits of a file's SHA-256 by which a fingerprint names it."""


class Importer:
    """The records of one file on their way into a plan."""

    def __init__(
        self, plan: Plan, *, by: Technician, outside: Outside, choices: Choices, guessed: bool, found_in: str
    ) -> None:
        self.plan, self.by, self.outside = plan, by, outside
        self.choices, self.guessed, self.found_in = choices, guessed, found_in
        self.match = Match(by)
        self.seeds = FoundSeeds(plan, by=by, outside=outside, found_in=found_in)

    def take(self, records: list[Record]) -> None:
        of_account: dict[SharedAccount, list[Record]] = {}
        for record in records:
            if (account := self._account_of(record)) is not None:
                of_account.setdefault(account, []).append(record)
        self.known = KnownPasswords(of_account, self.outside)
        for account, its_records in of_account.items():
            self._account(account, its_records)
        self.plan.rows.sort(key=lambda row: row.line)
        self.plan.questions.sort(key=lambda question: question.line)
        self.seeds.note()
        self._count_what_is_passed_over()

    def _account_of(self, record: Record) -> SharedAccount | None:
        """The account of a record, or None with the reason in the plan."""
        why = record.passed_over or (PassedOver.EMPTY if not record.password and not record.seed else None)
        if why is not None:
            self.plan.skip(record.line, _name_of(record), str(PassedOver(why).label))
            return None
        if reason := cannot_be_a_password(record.password):
            self.plan.error(record.line, "password", reason)
            return None
        try:
            account = self.match.of(record, self.choices.accounts.get(record.line, ""))
        except Doubtful as doubt:
            self.plan.error(record.line, "upn", str(doubt))
            self.plan.questions.append(Question(record.line, _name_of(record), _places_of(record)))
            return None
        self._look_at(record)
        return account

    def _look_at(self, record: Record) -> None:
        if record.password:
            for message in oddities(record.password, guessed=self.guessed):
                self.plan.warn(record.line, "password", message)
        for column, text in (("id", record.source_id), ("upn", record.user_name), ("title", record.title)):
            if rewritten(text):
                self.plan.warn(record.line, column, _("This looks like a number or date that a spreadsheet rewrote."))

    def _account(self, account: SharedAccount, records: list[Record]) -> None:
        values = {record.password for record in records if record.password}
        winner = self._that_counts(records, values)
        if values and winner is None:
            self._ask_which_counts(account, records)
            return
        if values and self.known.changing(account):
            for record in records:
                self.plan.error(
                    record.line,
                    "password",
                    _("The password of this account is being changed right now. Wait for that run, then import again."),
                )
            return
        for record in records:
            password = record.password if record is winner else ""
            self._record(record, account, password, winner)

    def _that_counts(self, records: list[Record], values: set[str]) -> Record | None:
        """The record whose password is taken: there is only one value, or a person said which one counts."""
        bearing = [record for record in records if record.password]
        if len(values) > 1:
            bearing = [record for record in bearing if record.line in self.choices.counts]
        return bearing[0] if len({record.password for record in bearing}) == 1 else None

    def _ask_which_counts(self, account: SharedAccount, records: list[Record]) -> None:
        lines = ", ".join(str(record.line) for record in records if record.password)
        for record in records:
            self.plan.error(
                record.line,
                "password",
                _("Lines %(lines)s give different passwords for %(account)s. Say which one counts.")
                % {"lines": lines, "account": label_of(account)},
            )
            if record.password:
                self.plan.questions.append(
                    Question(record.line, _name_of(record), _places_of(record), label_of(account), which_counts=True)
                )

    def _record(self, record: Record, account: SharedAccount, password: str, winner: Record | None) -> None:
        what = label_of(account)
        effect, detail = self._effect(record, account, password, winner)
        taken = password if effect in (Effect.ADD, Effect.CHANGE) else ""
        seed = self.seeds.new(record, account)
        if not taken and not seed:
            if effect == Effect.SKIP:
                self.plan.skip(record.line, what, detail)
            else:
                self.plan.same(record.line, what, detail)
            return
        act = partial(self._carry_out, account, taken, seed)
        words = ", ".join(part for part in (detail, _("shared seed noticed") if seed else "") if part)
        if effect == Effect.ADD:
            self.plan.add(record.line, what, words, act)
        else:
            self.plan.change(record.line, what, words, act)

    def _effect(
        self, record: Record, account: SharedAccount, password: str, winner: Record | None
    ) -> tuple[Effect, str]:
        """What the password of a record does, and a word about it."""
        if not password:
            if not record.password or winner is None:
                return Effect.SAME, ""
            same = record.password == winner.password
            return (Effect.SAME, "") if same else (Effect.SKIP, _("another line counts"))
        in_force = self.known.in_force(account)
        if in_force is not None and self.known.is_in_force(account, password):
            return Effect.SAME, ""
        if (earlier := self.known.earlier(account, password)) is not None:
            told = _(
                "This is an earlier password of the account (%(version)s), so it is not taken. If it is in force "
                "again, enter it on the account's page."
            )
            self.plan.warn(record.line, "password", told % {"version": earlier})
            return Effect.SKIP, _("an earlier password")
        if in_force is None:
            return Effect.ADD, _("password")
        if in_force.source == SecretVersion.Source.GENERATED:
            told = _("This replaces a password that Latchkey made itself. Is the file younger than that?")
            self.plan.warn(record.line, "password", told)
        return Effect.CHANGE, _("password")

    @transaction.atomic
    def _carry_out(self, account: SharedAccount, password: str, seed: bytes) -> None:
        if password:
            store_password(account, password, by=self.by, outside=self.outside, source=SecretVersion.Source.IMPORTED)
        if seed:
            remember_seed(account, seed, by=self.by, outside=self.outside, found_in=self.found_in)

    def _count_what_is_passed_over(self) -> None:
        reasons = Counter(row.detail for row in self.plan.rows if row.effect == Effect.SKIP)
        if reasons:
            told = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
            self.plan.notes.append(_("Passed over: %(reasons)s.") % {"reasons": told})


def look(data: bytes, *, by: Technician, outside: Outside, choices: Choices) -> tuple[Sheet, Plan]:
    """Raises BadInput, AskForColumns, KeyTrouble."""
    export = Export(data)
    title, found = read_export(export, choices)
    plan = Plan(errors=list(found.broken), is_table=not export.is_json)
    plan.notes.append(_("Read as: %(source)s.") % {"source": title})
    if export.is_json:
        plan.notes.append(_("In this file, “line” means the number of the entry, counted from 1."))
    found_in = f"{title[:80]}, {hashlib.sha256(data).hexdigest()[:FILE_ID]}"
    importer = Importer(plan, by=by, outside=outside, choices=choices, guessed=export.guessed, found_in=found_in)
    importer.take(found.records)
    return Sheet([], [], found.ignored, export.encoding, export.guessed, ""), plan


def _name_of(record: Record) -> str:
    if record.title and record.user_name:
        return f"{record.title[:80]} ({record.user_name[:80]})"
    return (record.title or record.user_name or _("without a name"))[:160]


def _places_of(record: Record) -> str:
    return (record.places[-1] if record.places else record.tenant)[:160]


PASSWORDS = Kind(
    "passwords",
    gettext_lazy("Passwords from another product"),
    gettext_lazy(
        "An export of a password manager or of an MSP's documentation: Bitwarden, 1Password, KeePass, KeePassXC, "
        "Keeper, LastPass, Dashlane, Proton Pass, passbolt, IT Glue, Hudu, ITPortal, Passportal, ITBoost. Of any other "
        "table you say which column is which. Passwords go to shared accounts that are here already, by user name. "
        "Seeds are not stored."
    ),
    [Column(f.name, f.label, required=f.name == "upn") for f in FIELDS],
    look,
    of_products=True,
)
