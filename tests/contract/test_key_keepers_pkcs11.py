"""The root key in a PKCS#11 token: a real SoftHSM, its PIN, its processes and its troubles."""

from __future__ import annotations

import multiprocessing
import secrets
from pathlib import Path
from typing import Any

import pkcs11
import pytest

from msp.errors import KeyTrouble
from msp.key_services.names import Pkcs11Key, key_named
from msp.key_services.pkcs11_token import Pkcs11Token
from msp.vault.keepers.chosen import ROOT_KEY, keeper_of
from msp.vault.keepers.port import KeyKeeper
from tests.support.key_services import SoftHsm, soft_hsm_needed

HERE = b"tenant contoso"
KEY = bytes(range(32))
FORK = multiprocessing.get_context("fork")

# python-pkcs11 ends a search in its destructor, and there is nothing to end in a session that is gone.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def opens_in_a_child(named: str, wrapped: bytes, root: str, answer: Any) -> None:
    keeper = keeper_of(named, directory=Path("/nowhere"))
    answer.put(keeper.unwrap(wrapped, root, HERE, what="It") == KEY and keeper.make_next())


class Token:
    """A keeper with a label of its own on the one token of this process."""

    @pytest.fixture(autouse=True)
    def _token(self) -> None:
        self.hsm: SoftHsm = soft_hsm_needed()
        self.label = f"root-{secrets.token_hex(4)}"
        self.named = self.hsm.key(self.label)
        self.keeper = self.other(self.named)
        self.keeper.make_unless_there()
        name = key_named(self.named, "LATCHKEY_KEYS", otherwise="file")
        assert isinstance(name, Pkcs11Key)
        self.token = Pkcs11Token(name, ROOT_KEY)

    def other(self, named: str) -> KeyKeeper:
        return keeper_of(named, directory=Path("/nowhere"))

    def keys(self, session: pkcs11.Session) -> list[Any]:
        return self.token.labelled(session, pkcs11.ObjectClass.SECRET_KEY, pkcs11.KeyType.AES)

    def generate(self, **attributes: Any) -> None:
        template = {getattr(pkcs11.Attribute, name.upper()): value for name, value in attributes.items()}
        self.token.use(
            lambda session: session.generate_key(
                pkcs11.KeyType.AES, 256, id=b"\x00\x00\x00\x01", label=self.label, store=True, template=template
            )
        )

    def trouble(self, named: str) -> str:
        with pytest.raises(KeyTrouble) as caught:
            self.other(named).current()
        assert self.hsm.pin not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert "Nothing was changed" in str(caught.value)
        return str(caught.value)


class ATokensRootKey(Token):
    def test_never_leaves_the_token(self) -> None:
        def read(session: pkcs11.Session) -> tuple[bool, bool]:
            (key,) = self.keys(session)
            with pytest.raises(pkcs11.AttributeSensitive):
                key[pkcs11.Attribute.VALUE]
            return key[pkcs11.Attribute.SENSITIVE], key[pkcs11.Attribute.EXTRACTABLE]

        assert self.token.use(read) == (True, False)

    def test_is_named_by_label_and_number(self) -> None:
        assert self.keeper.current() == f"pkcs11:{self.label}:1"
        assert self.keeper.make_next() == f"pkcs11:{self.label}:2"

    def test_that_could_leave_is_refused(self) -> None:
        self.generate(extractable=True, sensitive=False)
        assert "may leave the token" in self.trouble(self.named)

    def test_that_two_processes_made_at_once_opens_with_either(self) -> None:
        wrapped = [self.keeper.wrap(secrets.token_bytes(32), HERE) for _ in range(3)]
        self.generate(sensitive=True, extractable=False, encrypt=True, decrypt=True)
        wrapped += [self.keeper.wrap(secrets.token_bytes(32), HERE) for _ in range(3)]
        assert len({root for _, root in wrapped}) == 1
        assert all(self.keeper.unwrap(away, root, HERE, what="It") for away, root in wrapped)


class WhoeverForks(Token):
    def test_uses_the_token_in_parent_and_child(self) -> None:
        """Web servers and workers may load everything before they fork."""
        wrapped, root = self.keeper.wrap(KEY, HERE)
        answer = FORK.Queue()
        child = FORK.Process(target=opens_in_a_child, args=(self.named, wrapped, root, answer))
        child.start()
        assert answer.get(timeout=120) == f"pkcs11:{self.label}:2"
        child.join(120)
        assert child.exitcode == 0
        assert self.keeper.unwrap(wrapped, root, HERE, what="It") == KEY
        assert self.keeper.current() == f"pkcs11:{self.label}:2"


class WhenTheTokenWasAwayForAMoment(Token):
    def test_the_next_use_opens_it_anew(self) -> None:
        wrapped, root = self.keeper.wrap(KEY, HERE)
        self.token.use(lambda session: session.close())
        assert self.keeper.unwrap(wrapped, root, HERE, what="It") == KEY

    def test_so_does_a_library_that_was_begun_anew(self) -> None:
        wrapped, root = self.keeper.wrap(KEY, HERE)
        pkcs11.lib(self.hsm.module).reinitialize()
        assert self.keeper.unwrap(wrapped, root, HERE, what="It") == KEY


class WhenTheTokenIsNotOpened(Token):
    def test_a_token_that_is_not_there_is_told_with_its_library(self) -> None:
        said = self.trouble(self.named.replace("token=latchkey", "token=another"))
        assert "no such token" in said
        assert self.hsm.module in said

    def test_a_library_that_is_not_there_is_told(self) -> None:
        said = self.trouble(self.named.replace(self.hsm.module, "/nowhere/module.so"))
        assert "/nowhere/module.so cannot be loaded" in said

    def test_a_file_without_a_pin_is_told(self, tmp_path: Path) -> None:
        """Nobody is logged in yet: the library of a fresh process."""
        (tmp_path / "pin").write_text("")
        self.token.use(lambda session: session.close())
        assert str(tmp_path / "pin") in self.trouble(self.named.replace(str(self.hsm.pin_file), str(tmp_path / "pin")))

    def test_a_wrong_pin_is_told_with_its_file_and_tried_once(self, tmp_path: Path) -> None:
        """Tokens lock themselves after a few wrong tries. SoftHSM only raises a flag, until the right PIN is given."""
        (tmp_path / "pin").write_text("Planted-wrong")
        wrong = self.named.replace(str(self.hsm.pin_file), str(tmp_path / "pin"))
        self.token.use(lambda session: session.close())
        for was_tried in (True, False):
            said = self.trouble(wrong)
            assert "does not take the PIN" in said
            assert str(tmp_path / "pin") in said
            assert self.flag_is_up() is was_tried
            self.lower_the_flag()
        (tmp_path / "pin").write_text(self.hsm.pin)
        assert self.other(wrong).current() == f"pkcs11:{self.label}:1"

    def flag_is_up(self) -> bool:
        token = pkcs11.lib(self.hsm.module).get_token(token_label=self.hsm.token)
        return bool(token.flags & pkcs11.TokenFlag.USER_PIN_COUNT_LOW)

    def lower_the_flag(self) -> None:
        pkcs11.lib(self.hsm.module).get_token(token_label=self.hsm.token).open(user_pin=self.hsm.pin).close()

    def test_a_label_without_a_key_is_told(self) -> None:
        assert "no such key" in self.trouble(self.hsm.key(f"{self.label}-none"))
