"""The root key in the environment: for containers that get their secrets from an orchestrator."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from msp.errors import KeyTrouble
from msp.vault.envelope import KEY_BYTES, lock, unlock
from msp.vault.keepers.file import root_key_id

_VERSION = bytes([1])
HOW_TO_MAKE = "make one by `openssl rand -base64 32`, set it as LATCHKEY_ROOT_KEY, and restart everything"


class EnvironmentKeeper:
    """The root key is LATCHKEY_ROOT_KEY, base64 of 32 bytes; older ones are in LATCHKEY_OLDER_ROOT_KEYS.

    Several older ones stand with commas or line ends between them. Both are asked for at each use and never kept.
    The ids and wrapped keys are those of the file keeper, so a root key may move from one to the other.
    """

    def __init__(self, current: Callable[[], str], older: Callable[[], str]) -> None:
        """Functions that give the two settings as they are at that moment, "" for none."""
        self._current = current
        self._older = older

    def describe(self) -> str:
        return "LATCHKEY_ROOT_KEY"

    def is_there(self) -> bool:
        return bool(self._current().strip()) and bool(self._keys())

    def make_unless_there(self) -> None:
        if not self.is_there():
            raise KeyTrouble(f"There is no root key yet, and nobody can write one there for you: {HOW_TO_MAKE}.")

    def current(self) -> str:
        return root_key_id(self._keys()[0])

    def wrap(self, data_key: bytes, bound: bytes) -> tuple[bytes, str]:
        root = self._keys()[0]
        return _VERSION + lock(root, data_key, bound), root_key_id(root)

    def unwrap(self, wrapped: bytes, wrapped_by: str, bound: bytes, *, what: str) -> bytes:
        roots = {root_key_id(root): root for root in self._keys()}
        if wrapped_by not in roots:
            raise KeyTrouble(
                f"Neither LATCHKEY_ROOT_KEY (its id is {self.current()}) nor LATCHKEY_OLDER_ROOT_KEYS holds the root "
                f"key that {what} was wrapped with ({wrapped_by}); nothing was changed. Put it back there and restart."
            )
        if not wrapped.startswith(_VERSION):
            raise KeyTrouble(f"{what} has a format that this version of Latchkey cannot read.")
        return unlock(roots[wrapped_by], wrapped[1:], bound, what=what)

    def make_next(self) -> str:
        raise KeyTrouble(
            "No process can change its own environment, so the root key stays. Put the present key first in "
            "LATCHKEY_OLDER_ROOT_KEYS, set a new one, made by `openssl rand -base64 32`, as LATCHKEY_ROOT_KEY, restart "
            "everything, and run rotate_keys again."
        )

    def retire(self, root_key_id: str) -> None:
        """Nothing to do here: the operator takes the key out of LATCHKEY_OLDER_ROOT_KEYS."""
        if root_key_id == self.current():
            raise KeyTrouble("LATCHKEY_ROOT_KEY is the root key in use; it stays.")

    def _keys(self) -> list[bytes]:
        """The current one first."""
        current = self._current().strip()
        if not current:
            raise KeyTrouble(
                "LATCHKEY_ROOT_KEY is not set, so no secret can be sealed or opened; nothing was changed. Set the root "
                f"key that this database was sealed with. Only for a new installation: {HOW_TO_MAKE}."
            )
        older = [part for part in re.split(r"[,\s]+", self._older()) if part]
        return [
            _decoded(current, "LATCHKEY_ROOT_KEY"),
            *(_decoded(text, "LATCHKEY_OLDER_ROOT_KEYS") for text in older),
        ]


def _decoded(text: str, setting: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        root = b""
    if len(root) != KEY_BYTES:
        raise KeyTrouble(
            f"{setting} holds something that is no root key (base64 of {KEY_BYTES} bytes); nothing was changed. "
            "Correct it and restart."
        )
    return root
