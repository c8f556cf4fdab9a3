"""The ledger: no record, no act; what was written stays as it was written."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from dataclasses import dataclass, field

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.dateparse import parse_datetime

from msp.errors import LedgerClosed
from msp.ledger.canonical import canonical
from msp.ledger.models import Entry
from msp.ledger.record import record
from msp.vault.models import DataKey

RESELLER, CONTOSO, ACCOUNT, RUN = (uuid.uuid4() for _ in range(4))


@dataclass
class Person:
    email: str
    pk: uuid.UUID = field(default_factory=uuid.uuid4)


MIA = Person("mia@northwind.example")


def an_act() -> DataKey:
    """Any change in the database will do."""
    return DataKey.objects.create(reseller_id=RESELLER, wrapped=b"wrapped", root_key_id="0")


def acts() -> int:
    return DataKey.objects.count()


@pytest.mark.django_db
class WhenAFactIsRecorded:
    def test_the_entry_says_who_what_when_and_about_what(self) -> None:
        entry = record(
            "secret.revealed",
            reseller_id=RESELLER,
            actor=MIA,
            tenant_id=CONTOSO,
            account_id=ACCOUNT,
            reason="Mailbox rule",
            version=3,
        )
        said = json.loads(bytes(Entry.objects.get(pk=entry.pk).body))
        assert said == {
            "schema": 1,
            "entry": str(entry.uuid),
            "at": said["at"],
            "verb": "secret.revealed",
            "actor": "mia@northwind.example",
            "actor_id": str(MIA.pk),
            "reseller_id": str(RESELLER),
            "tenant_id": str(CONTOSO),
            "account_id": str(ACCOUNT),
            "run_id": None,
            "technician_id": None,
            "facts": {"reason": "Mailbox rule", "version": 3},
        }

    def test_the_columns_agree_with_the_hashed_bytes(self) -> None:
        record("run.opened", reseller_id=RESELLER, actor=MIA, run_id=RUN, technician_id=MIA.pk)
        entry = Entry.objects.get()
        said = json.loads(bytes(entry.body))
        for name in ("actor_id", "reseller_id", "tenant_id", "account_id", "run_id", "technician_id"):
            assert (str(getattr(entry, name)) if getattr(entry, name) else None) == said[name]
        assert (entry.verb, entry.actor, str(entry.uuid)) == (said["verb"], said["actor"], said["entry"])
        assert parse_datetime(said["at"]) == entry.at

    def test_the_bytes_are_canonical_and_the_hash_is_that_of_a_merkle_leaf(self) -> None:
        record("run.opened", reseller_id=RESELLER, actor=None, zebra="é", ape=[True, None])
        entry = Entry.objects.get()
        assert entry.body == canonical(json.loads(bytes(entry.body)))
        assert entry.leaf_hash == hashlib.sha256(b"\x00" + entry.body).digest()

    def test_its_facts_come_back(self) -> None:
        at = dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC)
        record("step.sent", reseller_id=RESELLER, actor=None, method={"id": ACCOUNT, "seen": [at]}, tries=2)
        assert Entry.objects.get().facts == {
            "method": {"id": str(ACCOUNT), "seen": ["2026-11-25T09:00:00.000000Z"]},
            "tries": 2,
        }

    def test_without_a_person_it_was_latchkey_itself(self) -> None:
        entry = record("sweep.found", reseller_id=RESELLER, actor=None)
        assert (entry.actor, entry.actor_id) == ("latchkey", None)

    def test_a_fact_may_be_named_like_a_part_of_the_entry(self) -> None:
        entry = record("x", reseller_id=RESELLER, actor=None, at="noon", entry="hall", schema="old")
        assert json.loads(bytes(entry.body))["schema"] == 1
        assert entry.facts == {"at": "noon", "entry": "hall", "schema": "old"}

    def test_only_its_own_reseller_finds_it(self) -> None:
        entry = record("x", reseller_id=RESELLER, actor=None)
        record("x", reseller_id=uuid.uuid4(), actor=None)
        assert list(Entry.objects.of_reseller(RESELLER)) == [entry]


@pytest.mark.django_db(transaction=True)
class WhenThereIsNoTransaction:
    def test_nothing_is_recorded(self) -> None:
        with pytest.raises(LedgerClosed, match="transaction"):
            record("secret.revealed", reseller_id=RESELLER, actor=MIA)
        assert not Entry.objects.exists()

    def test_an_act_that_fails_later_takes_its_entry_with_it(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            an_act()
            record("key.made", reseller_id=RESELLER, actor=MIA)
            _ = 1 / 0
        assert (acts(), Entry.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
class IfTheEntryCannotBeWritten:
    """Its verb is longer than its column, so the database says no; or a fact has no canonical form."""

    @pytest.mark.parametrize("verb", ["v" * 101, "nul\0"])
    def test_the_act_is_undone(self, verb: str) -> None:
        with pytest.raises(LedgerClosed), transaction.atomic():
            an_act()
            record(verb, reseller_id=RESELLER, actor=MIA)
        assert (acts(), Entry.objects.count()) == (0, 0)

    @pytest.mark.parametrize(("verb", "fact"), [("v" * 101, "fine"), ("fine", 1.5)])
    def test_the_act_is_undone_even_if_somebody_swallows_the_error(self, verb: str, fact: object) -> None:
        with transaction.atomic():
            an_act()
            with pytest.raises(LedgerClosed):
                record(verb, reseller_id=RESELLER, actor=MIA, fact=fact)
        assert (acts(), Entry.objects.count()) == (0, 0)

    def test_the_message_names_the_spot_and_never_a_value(self) -> None:
        with pytest.raises(LedgerClosed) as refusal, transaction.atomic():
            record("secret.stored", reseller_id=RESELLER, actor=MIA, fine="Sommer2026!", wrong={"deep": b"Winter2026!"})
        assert "facts.wrong.deep is bytes" in str(refusal.value)
        assert_nothing_is_quoted(refusal.value)

    def test_what_the_database_says_about_the_row_is_not_passed_on(self) -> None:
        with pytest.raises(LedgerClosed, match="SQLSTATE 22001") as refusal, transaction.atomic():
            record("v" * 101, reseller_id=RESELLER, actor=MIA, fine="Sommer2026!")
        assert_nothing_is_quoted(refusal.value)

    def test_a_database_that_has_gone_away_closes_the_ledger(self) -> None:
        with pytest.raises(LedgerClosed, match="it did not happen"), transaction.atomic():
            an_act()
            with connection.cursor() as cursor, pytest.raises(OperationalError):
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            record("key.made", reseller_id=RESELLER, actor=MIA)
        connection.close()
        assert (acts(), Entry.objects.count()) == (0, 0)


def assert_nothing_is_quoted(error: BaseException | None) -> None:
    while error:
        assert "2026!" not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.django_db
class EveryEntry:
    """Whoever is connected to the database, with the application's own rights."""

    @pytest.fixture(autouse=True)
    def one_entry(self) -> None:
        record("run.opened", reseller_id=RESELLER, actor=MIA, reason="She leaves")

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            Entry.objects.update(actor="nobody")
        assert Entry.objects.get().actor == MIA.email

    def test_cannot_be_saved_again(self) -> None:
        entry = Entry.objects.get()
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            entry.save()

    def test_cannot_be_deleted(self) -> None:
        with pytest.raises(IntegrityError, match=r"append-only: DELETE of entry \d+ is refused"), transaction.atomic():
            Entry.objects.all().delete()
        assert Entry.objects.count() == 1

    def test_cannot_come_in_with_the_hash_of_something_else(self) -> None:
        entry = Entry.objects.get()
        with pytest.raises(IntegrityError, match="ledger_entry_hash_of_body"), transaction.atomic():
            Entry.objects.create(
                reseller_id=RESELLER, at=entry.at, verb="x", actor="x", body=b"{}", leaf_hash=entry.leaf_hash
            )
