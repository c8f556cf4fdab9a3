"""What every keeper of the root key promises, whoever it is.

No OpenBao, HashiCorp Vault or Azure could be reached where this was built: those two are doubles that really encrypt
(tests/support/key_services.py). File, environment and SoftHSM are the real ones.
"""

from __future__ import annotations

import base64
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from msp.errors import KeyTrouble
from tests.support.root_keys import SITUATIONS, Situation

HERE, ELSEWHERE = b"tenant contoso, key 1", b"tenant fabrikam, key 1"


@pytest.fixture(params=[*SITUATIONS])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Situation:
    situation = SITUATIONS[request.param](tmp_path)
    situation.begin()
    return situation


@pytest.fixture
def data_key() -> bytes:
    return secrets.token_bytes(32)


class EveryKeeper:
    def test_opens_what_it_wrapped_in_every_process(self, at: Situation, data_key: bytes) -> None:
        wrapped, root = at.keeper().wrap(data_key, HERE)
        assert at.keeper().unwrap(wrapped, root, HERE, what="It") == data_key
        assert data_key not in wrapped

    def test_names_the_root_key_that_wrapped(self, at: Situation, data_key: bytes) -> None:
        _, root = at.keeper().wrap(data_key, HERE)
        assert root == at.keeper().current()
        assert 0 < len(root) <= 200

    def test_never_wraps_the_same_key_alike_twice(self, at: Situation, data_key: bytes) -> None:
        keeper = at.keeper()
        assert len({keeper.wrap(data_key, HERE)[0] for _ in range(5)}) == 5

    def test_opens_nothing_for_another_place(self, at: Situation, data_key: bytes) -> None:
        wrapped, root = at.keeper().wrap(data_key, HERE)
        for place in (ELSEWHERE, b"", HERE[:-1], HERE + b"0"):
            with pytest.raises(KeyTrouble, match="Data key 7 does not open"):
                at.keeper().unwrap(wrapped, root, place, what="Data key 7")

    def test_opens_nothing_that_was_changed(self, at: Situation, data_key: bytes) -> None:
        wrapped, root = at.keeper().wrap(data_key, HERE)
        for position in {0, 1, 2, len(wrapped) // 2, len(wrapped) - 20, len(wrapped) - 1}:
            # The second-lowest bit: the lowest ones of the last letter of base64 may stand for nothing.
            changed = wrapped[:position] + bytes([wrapped[position] ^ 2]) + wrapped[position + 1 :]
            with pytest.raises(KeyTrouble):
                at.keeper().unwrap(changed, root, HERE, what="It")

    @pytest.mark.parametrize("kept", [0, 1, 2, 13, 40, -1])
    def test_opens_nothing_that_was_cut_off(self, at: Situation, data_key: bytes, kept: int) -> None:
        wrapped, root = at.keeper().wrap(data_key, HERE)
        with pytest.raises(KeyTrouble):
            at.keeper().unwrap(wrapped[:kept], root, HERE, what="It")

    def test_opens_nothing_with_another_root_key(self, at: Situation, data_key: bytes) -> None:
        wrapped, _ = at.keeper().wrap(data_key, HERE)
        with pytest.raises(KeyTrouble):
            at.keeper().unwrap(wrapped, at.move_on(), HERE, what="It")

    @pytest.mark.parametrize("stranger", ["0123456789abcdef", "transit:other/root:v1", "azure:other/1", "pkcs11:x:1"])
    def test_names_a_root_key_that_it_does_not_have(self, at: Situation, data_key: bytes, stranger: str) -> None:
        wrapped, _ = at.keeper().wrap(data_key, HERE)
        with pytest.raises(KeyTrouble, match=stranger):
            at.keeper().unwrap(wrapped, stranger, HERE, what="It")


class WhenThereIsARootKeyAlready:
    """The first use of an installation may be tried by two processes."""

    def test_making_it_again_changes_nothing(self, at: Situation) -> None:
        before = at.root_keys()
        at.keeper().make_unless_there()
        assert at.keeper().is_there()
        assert at.root_keys() == before


class WhenARootKeyFollowsAnother:
    def test_it_wraps_from_now_on_and_the_older_ones_still_open(self, at: Situation) -> None:
        wrapped = []
        for _ in range(3):
            key = secrets.token_bytes(32)
            wrapped.append((key, *at.keeper().wrap(key, HERE)))
            assert at.move_on() == at.keeper().current()
        assert len({root for _, _, root in wrapped} | {at.keeper().current()}) == 4
        assert [at.keeper().unwrap(away, root, HERE, what="It") for _, away, root in wrapped] == [
            key for key, _, _ in wrapped
        ]

    def test_a_process_that_was_there_before_opens_what_it_wraps(self, at: Situation, data_key: bytes) -> None:
        before = at.keeper()
        before.wrap(data_key, HERE)
        at.move_on()
        wrapped, root = at.keeper().wrap(data_key, HERE)
        assert before.unwrap(wrapped, root, HERE, what="It") == data_key
        assert before.wrap(data_key, HERE)[1] == root

    def test_the_older_one_opens_nothing_once_it_is_retired(self, at: Situation, data_key: bytes) -> None:
        wrapped, root = at.keeper().wrap(data_key, HERE)
        at.move_on()
        at.retire(root)
        with pytest.raises(KeyTrouble):
            at.keeper().unwrap(wrapped, root, HERE, what="It")

    def test_retiring_again_is_no_error(self, at: Situation) -> None:
        root = at.keeper().current()
        at.move_on()
        at.retire(root)
        at.retire(root)

    def test_retiring_one_leaves_the_others(self, at: Situation, data_key: bytes) -> None:
        first = at.keeper().current()
        at.move_on()
        wrapped, root = at.keeper().wrap(data_key, HERE)
        at.keeper().retire(first)
        assert at.keeper().unwrap(wrapped, root, HERE, what="It") == data_key

    def test_the_current_one_is_never_retired(self, at: Situation, data_key: bytes) -> None:
        at.move_on()
        wrapped, root = at.keeper().wrap(data_key, HERE)
        with pytest.raises(KeyTrouble, match="it stays"):
            at.keeper().retire(root)
        assert at.keeper().unwrap(wrapped, root, HERE, what="It") == data_key

    def test_one_that_was_never_there_is_retired_without_a_word(self, at: Situation) -> None:
        before = at.root_keys()
        at.keeper().retire("somebody:elses/root:v1")
        assert at.root_keys() == before


class WhenTheRootKeyIsGone:
    def test_everything_says_so_and_nothing_is_made(self, at: Situation, data_key: bytes) -> None:
        wrapped, root = at.keeper().wrap(data_key, HERE)
        at.lose_every_root_key()
        before, keeper = at.root_keys(), at.keeper()
        assert not keeper.is_there()
        for act in (
            keeper.current,
            keeper.make_next,
            lambda: keeper.wrap(data_key, HERE),
            lambda: keeper.unwrap(wrapped, root, HERE, what="It"),
        ):
            with pytest.raises(KeyTrouble):
                act()
        assert at.root_keys() == before


class WhoeverUsesItFromManyThreads:
    def test_gets_what_was_theirs_while_the_root_key_moves_on(self, at: Situation) -> None:
        keeper, ready = at.keeper(), threading.Barrier(9, timeout=60)

        def wrap_and_unwrap(number: int) -> bool:
            ready.wait()
            for turn in range(6):
                key, place = secrets.token_bytes(32), f"{number}/{turn}".encode()
                wrapped, root = keeper.wrap(key, place)
                if keeper.unwrap(wrapped, root, place, what="It") != key:
                    return False
            return True

        def move_on() -> bool:
            ready.wait()
            return bool(at.move_on())

        with ThreadPoolExecutor(9) as threads:
            done = [threads.submit(wrap_and_unwrap, number) for number in range(8)] + [threads.submit(move_on)]
            assert all(one.result(timeout=120) for one in done)


class WhatAKeeperSays:
    def test_holds_no_secret(self, at: Situation, data_key: bytes) -> None:
        keeper = at.keeper()
        wrapped, root = keeper.wrap(data_key, HERE)
        said = [repr(keeper), str(keeper), keeper.describe(), root]
        for act in (
            lambda: keeper.unwrap(wrapped, root, ELSEWHERE, what="It"),
            lambda: keeper.unwrap(wrapped[:-1], root, HERE, what="It"),
            lambda: keeper.unwrap(wrapped, "another", HERE, what="It"),
            lambda: keeper.retire(root),
        ):
            with pytest.raises(KeyTrouble) as caught:
                act()
            said += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
        text = "\n".join(said).encode()
        for secret in [*at.planted(), data_key]:
            for form in (secret, base64.b64encode(secret), secret.hex().encode()):
                assert form not in text

    def test_says_where_the_root_key_is(self, at: Situation) -> None:
        assert at.keeper().describe().strip()
