"""Where the root key comes from, and what it does: it wraps data keys, and nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from pathlib import Path
from uuid import UUID

from msp.errors import KeyTrouble
from msp.vault import files
from msp.vault.envelope import KEY_BYTES, lock, side_by_side, unlock

_VERSION = bytes([1])


class RootKeys:
    """The root key in a file `root.key` (base64 of 32 bytes, mode 0600) in a directory with mode 0700.

    It is read for each use and never kept, so a file that was replaced or opened to others is noticed at once.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "root.key"

    def make_unless_there(self) -> None:
        """First use of an installation. Call it only when no data key exists that an older root key wrapped."""
        self._decoded(files.read_or_make_private(self.path, lambda: base64.b64encode(secrets.token_bytes(KEY_BYTES))))

    def is_there(self) -> bool:
        return files.read_private(self.path) is not None

    def wrap(self, data_key: bytes, reseller_id: UUID, tenant_id: UUID | None, key_id: UUID) -> tuple[bytes, str]:
        """The wrapped data key, and the id of the root key that wrapped it."""
        root = self._read()
        return _VERSION + lock(root, data_key, _bound(reseller_id, tenant_id, key_id)), root_key_id(root)

    def unwrap(self, wrapped: bytes, wrapped_by: str, reseller_id: UUID, tenant_id: UUID | None, key_id: UUID) -> bytes:
        """The data key. Raises KeyTrouble when the root key is missing or another one, or the row was tampered with."""
        root = self._read()
        if root_key_id(root) != wrapped_by:
            raise KeyTrouble(
                f"{self.path} is not the root key that this database was sealed with (its id is {root_key_id(root)}, "
                f"wanted is {wrapped_by}); nothing was changed. Put the right key file back."
            )
        if not wrapped.startswith(_VERSION):
            raise KeyTrouble(f"Data key {key_id} has a format that this version of Latchkey cannot read.")
        return unlock(root, wrapped[1:], _bound(reseller_id, tenant_id, key_id), what=f"Data key {key_id}")

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


def _bound(reseller_id: UUID, tenant_id: UUID | None, key_id: UUID) -> bytes:
    tenant = tenant_id.bytes if tenant_id else b""
    return side_by_side(b"latchkey data key", _VERSION, reseller_id.bytes, tenant, key_id.bytes)
