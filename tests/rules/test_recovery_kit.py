"""The recovery kit: which shares bring the root key back, which do not, and what is said of each mistake."""

from __future__ import annotations

import io
import itertools
import random
import re
import secrets
import sys
import uuid
from collections.abc import Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from shamir_mnemonic import generate_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from msp.errors import BadInput, LedgerClosed
from msp.ledger.models import Entry
from msp.ops.management.commands import recovery_kit
from msp.outside import outside
from msp.vault.database import Vault
from msp.vault.envelope import Place
from msp.vault.keepers.environment import EnvironmentKeeper
from msp.vault.keepers.file import FileKeeper, root_key_id
from msp.vault.models import DataKey
from msp.vault.recovery import WORDS, Share, combine, read_share, split
from technicians.actions.create_technician import create_technician
from technicians.models import Role
from tests.support.world import found_reseller

ROOT = bytes(range(32))


def text_of(share: Share) -> str:
    return " ".join(share.words)


def with_another_word(share: Share, place: int) -> str:
    words = list(share.words)
    words[place - 1] = next(word for word in WORDLIST if word != words[place - 1])
    return " ".join(words)


class AKit:
    @pytest.mark.parametrize(("threshold", "shares"), [(2, 2), (2, 3), (3, 5), (4, 6)])
    def test_gives_the_key_back_from_every_choice_of_enough_shares(self, threshold: int, shares: int):
        root = secrets.token_bytes(32)
        kit = split(root, shares=shares, threshold=threshold)
        for chosen in itertools.permutations(kit.shares, threshold):
            assert combine(chosen) == root
        assert combine(kit.shares) == root

    def test_says_how_many_are_needed_when_there_are_fewer(self):
        kit = split(ROOT, shares=5, threshold=3)
        for few in itertools.combinations(kit.shares, 2):
            with pytest.raises(BadInput, match="needs 3 different shares, and there are 2"):
                combine(few)

    def test_does_not_count_the_same_share_twice(self):
        kit = split(ROOT, shares=3, threshold=2)
        with pytest.raises(BadInput, match="there are 1"):
            combine([kit.shares[0], kit.shares[0]])

    @pytest.mark.parametrize(("threshold", "shares"), [(1, 1), (1, 3), (0, 3), (4, 3), (3, 17)])
    def test_of_a_senseless_size_is_not_made(self, threshold: int, shares: int):
        with pytest.raises(BadInput, match="no kit was made"):
            split(ROOT, shares=shares, threshold=threshold)

    def test_shows_no_word_when_it_is_printed_by_a_program(self):
        kit = split(ROOT, shares=3, threshold=2)
        assert kit.shares[0].words[10] not in repr(kit)


class WhenAShareIsTyped:
    @pytest.fixture
    def share(self) -> Share:
        return split(ROOT, shares=5, threshold=3).shares[1]

    def test_numbers_capitals_and_lines_do_not_matter(self, share: Share):
        lines = (f"{number}. {word.upper()}" for number, word in enumerate(share.words, start=1))
        assert read_share("\n".join(lines)) == share

    def test_a_word_that_is_none_is_named_with_what_it_may_be(self, share: Share):
        words = [*share.words]
        words[6] = "academik"
        with pytest.raises(BadInput, match=r"Word 7 \(academik\) is not in the list.*academic"):
            read_share(" ".join(words))

    def test_a_word_of_the_list_in_the_wrong_place_is_found(self, share: Share):
        for place in range(1, WORDS + 1):
            with pytest.raises(BadInput, match=f"Look at word {place} first"):
                read_share(with_another_word(share, place))

    def test_several_wrong_words_are_refused(self, share: Share):
        dice = random.Random(5)
        for _ in range(50):
            words = [*share.words]
            for place in dice.sample(range(WORDS), 3):
                words[place] = dice.choice([word for word in WORDLIST if word != words[place]])
            with pytest.raises(BadInput, match="checksum"):
                read_share(" ".join(words))

    def test_too_few_or_too_many_words_are_counted(self, share: Share):
        for text, found in ((" ".join(share.words[:-1]), 32), (text_of(share) + " acid", 34), ("", 0)):
            with pytest.raises(BadInput, match=f"33 words, and here are {found}"):
                read_share(text)

    def test_two_words_that_changed_places_are_noticed(self, share: Share):
        words = [*share.words]
        words[9], words[20] = words[20], words[9]
        if words[9] != words[20]:
            with pytest.raises(BadInput):
                read_share(" ".join(words))

    def test_a_share_of_another_kit_is_refused_with_both_numbers(self, share: Share):
        kits = (split(ROOT, shares=5, threshold=3) for _ in range(100))
        other = next(kit for kit in kits if kit.number != share.kit)
        with pytest.raises(BadInput, match=f"kit {other.number}, the first one is of kit {share.kit}"):
            combine([share, *other.shares[2:4]])

    def test_a_share_of_something_else_is_refused(self):
        [[wallet, _other]] = generate_mnemonics(1, [(2, 2)], secrets.token_bytes(16))
        with pytest.raises(BadInput, match="33 words, and here are 20"):
            read_share(wallet)
        [grouped, *_] = generate_mnemonics(1, [(2, 2), (2, 2)], secrets.token_bytes(32))
        with pytest.raises(BadInput, match="something else than a root key"):
            read_share(grouped[0])


class Office:
    """An installation with one sealed secret."""

    @pytest.fixture(autouse=True)
    def _office(self, db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        settings.KEY_DIRECTORY = self.keys = tmp_path / "keys"
        self.settings, self.monkeypatch, self.paper = settings, monkeypatch, tmp_path / "paper"
        outside.cache_clear()
        self.reseller, self.owner = found_reseller("Northwind <IT>", "olga@reseller.example")
        self.place = Place(str(self.reseller.pk), str(uuid.uuid4()), "secret_version", "1", 1)
        with transaction.atomic():
            self.sealed = Vault(FileKeeper(self.keys)).seal(b"Sommer2026!", self.place)
        yield
        outside.cache_clear()

    @property
    def file(self) -> Path:
        return self.keys / "root.key"

    def run(self, *arguments: str, typed: str = "") -> str:
        out, err = io.StringIO(), io.StringIO()
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        call_command("recovery_kit", *arguments, stdout=out, stderr=err)
        return out.getvalue()

    def refused(self, *arguments: str, typed: str = "") -> str:
        with pytest.raises(CommandError) as caught:
            self.run(*arguments, typed=typed)
        return str(caught.value)

    def sheets(self) -> list[Path]:
        return sorted(self.paper.glob("*.html"))

    def make(self) -> list[str]:
        """What stands on each sheet, as a person types it."""
        self.run("make", "--shares", "5", "--threshold", "3", "--to", str(self.paper))
        return [" ".join(re.findall(r"<li>([a-z]+)</li>", path.read_text())) for path in self.sheets()]

    def opens(self) -> bool:
        return Vault(FileKeeper(self.keys)).open(self.sealed, self.place) == b"Sommer2026!"

    def another_root_key(self) -> None:
        self.file.unlink()
        FileKeeper(self.keys).make_unless_there()


class WhenAKitIsMade(Office):
    def test_each_share_is_a_sheet_of_its_own_that_only_its_owner_reads(self):
        self.make()
        assert len(self.sheets()) == 5
        assert {path.stat().st_mode & 0o777 for path in self.sheets()} == {0o600}
        assert self.paper.stat().st_mode & 0o777 == 0o700

    def test_a_sheet_says_what_it_is_and_what_to_do(self):
        self.make()
        text = unescape(self.sheets()[1].read_text())
        for said in (
            "share 2 of 5",
            "Northwind <IT>",
            root_id(self.keys),
            "any 3 of the 5",
            "recovery_kit restore",
            "UTC",
        ):
            assert said in text
        assert len(re.findall(r"<li>[a-z]+</li>", text)) == WORDS
        assert "<script" not in text
        assert "size: A4" in text

    def test_no_word_is_shown_unless_it_was_asked_for(self):
        said = self.run("make", "--to", str(self.paper))
        words = re.findall(r"<li>([a-z]+)</li>", self.sheets()[0].read_text())
        assert not any(f". {word}" in said for word in words)
        shown = self.run("make", "--print", "--shares", "3", "--threshold", "2")
        assert len(re.findall(r"\d+\. [a-z]+", shown)) == 3 * WORDS

    def test_it_must_be_said_where_it_goes(self):
        assert "--to DIRECTORY" in self.refused("make")

    def test_nothing_is_written_over(self):
        self.make()
        before = [path.read_text() for path in self.sheets()]
        self.make_the_same_number_again()
        assert [path.read_text() for path in self.sheets()] == before

    def make_the_same_number_again(self) -> None:
        kit = split(ROOT, shares=5, threshold=3)
        for path, share in zip(self.sheets(), kit.shares, strict=True):
            path.rename(path.with_name(f"recovery-kit-{kit.number}-share-{share.number}-of-5.html"))
        self.monkeypatch.setattr(recovery_kit, "split", lambda *_, **__: kit)
        assert "cannot be written (File exists)" in self.refused("make", "--to", str(self.paper))

    def test_it_is_written_down_without_a_word_of_it(self):
        self.make()
        entry = Entry.objects.get(verb="recovery_kit.made")
        assert entry.actor == self.owner.email
        kit = int(self.sheets()[0].name.split("-")[2])
        assert entry.facts == {"kit": kit, "root_key_id": root_id(self.keys), "shares": 5, "threshold": 3}

    def test_without_a_record_there_is_no_sheet(self):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger is closed.")

        self.monkeypatch.setattr(recovery_kit, "record", closed)
        assert "ledger is closed" in self.refused("make", "--to", str(self.paper))
        assert self.sheets() == []

    def test_nobody_but_an_owner_may(self):
        manager = create_technician(
            reseller=self.reseller, email="mia@reseller.example", name="Mia", role=Role.MANAGER, by=self.owner
        )
        assert "is no owner" in self.refused("make", "--to", str(self.paper), "--as", manager.email)
        assert self.sheets() == []

    def test_a_keeper_that_keeps_its_key_says_that_it_has_a_backup_of_its_own(self):
        self.settings.KEYS = self.settings.KEYS | {"named": "pkcs11:vendor.so/token/root"}
        assert "never gives it away" in self.refused("make", "--to", str(self.paper))


class WhenTheRootKeyIsLost(Office):
    def test_three_sheets_bring_it_back_and_the_secret_opens_again(self):
        sheets, before = self.make(), self.file.read_bytes()
        self.file.unlink()
        said = self.run("restore", typed="\n".join((sheets[4], sheets[0], sheets[2])))
        assert "opens every data key" in said
        assert self.file.read_bytes().strip() == before.strip()
        assert self.file.stat().st_mode & 0o777 == 0o600
        assert self.opens()
        assert Entry.objects.get(verb="recovery_kit.restored").actor == self.owner.email

    def test_every_three_sheets_do(self):
        sheets = self.make()
        for three in itertools.combinations(sheets, 3):
            self.file.unlink()
            self.run("restore", typed="\n".join(three))
            assert self.opens()

    def test_the_whole_directory_may_be_gone(self):
        sheets = self.make()
        self.file.unlink()
        self.keys.rmdir()
        self.run("restore", typed="\n".join(sheets[:3]))
        assert self.opens()
        assert self.keys.stat().st_mode & 0o777 == 0o700

    def test_the_words_may_come_from_files(self, tmp_path: Path):
        files = [str(path) for path in texts(tmp_path, self.make()[1:4])]
        self.file.unlink()
        self.run("restore", "--from", *files)
        assert self.opens()

    def test_a_mistake_in_a_file_names_the_file_and_the_word(self, tmp_path: Path):
        files = texts(tmp_path, self.make()[1:4])
        files[1].write_text(files[1].read_text().replace(" ", " acadmic ", 1))
        self.file.unlink()
        said = self.refused("restore", "--from", *(str(path) for path in files))
        assert str(files[1]) in said
        assert "Word 2 (acadmic)" in said
        assert not self.file.exists()

    def test_two_sheets_do_not_and_that_is_said(self):
        sheets = self.make()
        self.file.unlink()
        assert "Only 2 shares were typed, and 3 are needed" in self.refused(
            "restore", typed="\n".join(sheets[:2]) + "\n"
        )
        assert not self.file.exists()

    def test_at_a_terminal_a_mistake_is_said_and_asked_for_again(self):
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        sheets = self.make()
        self.file.unlink()
        wrong = sheets[1].replace(sheets[1].split()[4], "acadmic", 1)
        typed = Terminal("\n".join((sheets[0], wrong, sheets[0], sheets[1], sheets[2])) + "\n")
        err = io.StringIO()
        self.monkeypatch.setattr(sys, "stdin", typed)
        call_command("recovery_kit", "restore", stdout=io.StringIO(), stderr=err)
        assert "Word 5 (acadmic)" in err.getvalue()
        assert "Share 1 was there already" in err.getvalue()
        assert self.opens()

    def test_shares_of_another_key_do_not_and_nothing_is_written(self):
        foreign = split(ROOT, shares=3, threshold=2)
        needed = root_id(self.keys)
        self.file.unlink()
        said = self.refused("restore", typed="\n".join(text_of(share) for share in foreign.shares))
        assert (root_key_id(ROOT) in said, needed in said) == (True, True)
        assert not self.file.exists()
        assert not Entry.objects.filter(verb="recovery_kit.restored").exists()

    def test_a_wrong_key_in_its_place_is_set_aside_and_kept(self):
        sheets = self.make()
        self.another_root_key()
        wrong, wrong_id = self.file.read_bytes(), root_id(self.keys)
        self.run("restore", typed="\n".join(sheets[:3]))
        assert self.opens()
        assert (self.keys / f"root.{wrong_id}.key").read_bytes() == wrong

    def test_a_damaged_file_in_its_place_is_set_aside_and_kept(self):
        sheets = self.make()
        self.file.write_bytes(b"rubbish")
        self.run("restore", typed="\n".join(sheets[:3]))
        assert self.opens()
        assert (self.keys / "root.key.damaged").read_bytes() == b"rubbish"

    def test_a_key_that_works_is_never_written_over(self):
        sheets, before = self.make(), self.file.read_bytes()
        assert "it stays" in self.refused("restore", typed="\n".join(sheets[:3]))
        assert self.file.read_bytes() == before

    def test_one_damaged_data_key_stops_it(self):
        sheets = self.make()
        with transaction.atomic():
            Vault(FileKeeper(self.keys)).seal(b"x", Place(str(self.reseller.pk), "", "a", "1", 1))
        damaged = DataKey.objects.get(tenant_id=None)
        DataKey.objects.filter(pk=damaged.pk).update(wrapped=bytes(damaged.wrapped)[:-1] + b"?")
        self.file.unlink()
        assert str(damaged.pk) in self.refused("restore", typed="\n".join(sheets[:3]))
        assert not self.file.exists()

    def test_without_anything_sealed_nothing_tells_whether_it_is_the_right_one(self):
        sheets = self.make()
        self.file.unlink()
        DataKey.objects.all().delete()
        assert "Restore the database first" in self.refused("restore", typed="\n".join(sheets[:3]))
        assert not self.file.exists()

    def test_in_the_middle_of_a_turnover_the_older_key_comes_back_beside_the_newer_one(self):
        sheets, older = self.make(), root_id(self.keys)
        FileKeeper(self.keys).make_next()
        with transaction.atomic():
            Vault(FileKeeper(self.keys)).seal(b"x", Place(str(self.reseller.pk), "", "a", "1", 1))
        newer = self.file.read_bytes()
        (self.keys / f"root.{older}.key").unlink()
        self.run("restore", typed="\n".join(sheets[:3]))
        assert self.file.read_bytes() == newer
        assert self.opens()


class WhenTheEnvironmentKeptTheLostKey(Office):
    def test_it_is_written_to_a_new_file_and_the_setting_is_named(self, tmp_path: Path):
        root = self.file.read_text()
        self.settings.KEYS = self.settings.KEYS | {"named": "environment", "root_key": lambda: root}
        sheets = self.make()
        self.file.unlink()
        assert "--to FILE" in self.refused("restore", typed="\n".join(sheets[:3]))
        place = tmp_path / "back" / "root"
        said = self.run("restore", "--to", str(place), typed="\n".join(sheets[:3]))
        assert f"LATCHKEY_ROOT_KEY_FILE={place}" in said
        assert root.strip() not in said
        assert place.stat().st_mode & 0o777 == 0o600
        restored = Vault(EnvironmentKeeper(lambda: place.read_text().strip(), str))
        assert restored.open(self.sealed, self.place) == b"Sommer2026!"


class WhenAKitIsChecked(Office):
    def test_it_is_said_that_it_gives_the_present_key_and_nothing_is_written(self):
        sheets = self.make()
        before, entries = self.file.read_bytes(), Entry.objects.count()
        assert "give the present root key" in self.run("check", typed="\n".join(sheets[1:4]))
        assert (self.file.read_bytes(), Entry.objects.count()) == (before, entries)
        assert sorted(path.name for path in self.keys.iterdir()) == ["root.key"]

    def test_a_kit_of_an_older_key_is_named_as_such(self):
        sheets, older = self.make(), root_id(self.keys)
        FileKeeper(self.keys).make_next()
        said = self.refused("check", typed="\n".join(sheets[1:4]))
        assert (older in said, root_id(self.keys) in said) == (True, True)


def root_id(keys: Path) -> str:
    return FileKeeper(keys).current()


def texts(directory: Path, sheets: Sequence[str]) -> list[Path]:
    paths = [directory / f"share-{number}.txt" for number in range(len(sheets))]
    for path, words in zip(paths, sheets, strict=True):
        path.write_text(words)
    return paths
