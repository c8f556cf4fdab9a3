"""The root key in a file: the default, which needs nothing but a private directory."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from pathlib import Path

from msp.errors import KeyTrouble
from msp.vault import files
from msp.vault.envelope import KEY_BYTES, lock, unlock

_VERSION = bytes([1])
_ID = re.compile(r"[0-9a-f]{16}")


class FileKeeper:
    """The root key in a file `root.key` (base64 of 32 bytes, mode 0600) in a directory with mode 0700.

    Older root keys lie beside it as `root.<id>.key` until nothing is wrapped with them any more. The files are read
    for each use and never kept, so one that was replaced or opened to others is noticed at once.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.path = directory / "root.key"

    def describe(self) -> str:
        return str(self.path)

    def make_unless_there(self) -> None:
        self._decoded(files.read_or_make_private(self.path, lambda: base64.b64encode(secrets.token_bytes(KEY_BYTES))))

    def is_there(self) -> bool:
        return files.read_private(self.path) is not None

    def current(self) -> str:
        return root_key_id(self._read())

    def wrap(self, data_key: bytes, bound: bytes) -> tuple[bytes, str]:
        root = self._read()
        return _VERSION + lock(root, data_key, bound), root_key_id(root)

    def unwrap(self, wrapped: bytes, wrapped_by: str, bound: bytes, *, what: str) -> bytes:
        root = self._root_key(wrapped_by)
        if not wrapped.startswith(_VERSION):
            raise KeyTrouble(f"{what} has a format that this version of Latchkey cannot read.")
        return unlock(root, wrapped[1:], bound, what=what)

    def make_next(self) -> str:
        old, new = self._read(), secrets.token_bytes(KEY_BYTES)
        # The old key gets its second name first: whatever happens in between, every wrapped key still opens.
        files.read_or_make_private(self._older(root_key_id(old)), lambda: base64.b64encode(old))
        files.replace_private(self.path, base64.b64encode(new))
        return root_key_id(new)

    def retire(self, root_key_id: str) -> None:
        if root_key_id == self.current():
            raise KeyTrouble(f"{self.path} holds the root key in use; it stays.")
        if _ID.fullmatch(root_key_id):
            files.forget(self._older(root_key_id))

    def _older(self, root_key_id: str) -> Path:
        return self._directory / f"root.{root_key_id}.key"

    def _root_key(self, wanted: str) -> bytes:
        root = self._read()
        if root_key_id(root) == wanted:
            return root
        older = files.read_private(self._older(wanted)) if _ID.fullmatch(wanted) else None
        if older is not None:
            root = self._decoded(older)
        if root_key_id(root) != wanted:
            raise KeyTrouble(
                f"{self.path} is not the root key that this database was sealed with (its id is {root_key_id(root)}, "
                f"wanted is {wanted}); nothing was changed. Put the right key file back."
            )
        return root

    def _read(self) -> bytes:
        found = files.read_private(self.path)
        if found is None:
            raise KeyTrouble(
                f"{self.path} is missing, but secrets in this database were sealed with it; nothing was changed. "
                "Put the key file back from its backup: no other key can open them."
            )
        return self._decoded(found)

    def _decoded(self, content: bytes) -> bytes:
        try:
            root = base64.b64decode(content.strip(), validate=True)
        except binascii.Error:
            root = b""
        if len(root) != KEY_BYTES:
            raise KeyTrouble(
                f"{self.path} does not hold a root key (base64 of {KEY_BYTES} bytes); nothing was changed. "
                "Put the key file back from its backup."
            )
        return root


def root_key_id(root: bytes) -> str:
    """A name for the key that tells nothing about it: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(root).hexdigest()[:16]
