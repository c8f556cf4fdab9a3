"""The root key in our own hands: out into a recovery kit, and back. Only some keepers ever give theirs away."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from pathlib import Path

from msp.errors import BadInput, KeyTrouble
from msp.vault import files
from msp.vault.database import Vault
from msp.vault.envelope import KEY_BYTES
from msp.vault.keepers.environment import EnvironmentKeeper
from msp.vault.keepers.file import FileKeeper, root_key_id
from msp.vault.models import DataKey

GIVEN_AWAY_BY = ("file", "environment")


def require_in_our_hands(named: str) -> None:
    """Raises BadInput when this keeper (LATCHKEY_KEYS) keeps its key to itself, and so its backup, too."""
    if named not in GIVEN_AWAY_BY:
        raise BadInput(
            f"The root key is kept by {named}, which never gives it away: back it up there, by the means of that "
            "keeper. Recovery kits are for root keys in a file or in the environment. Nothing was changed."
        )


def present_root_key(named: str, *, directory: Path, given: Callable[[], str]) -> bytes:
    """The root key in use: of the file keeper in `directory`, or of the environment. Raises BadInput, KeyTrouble."""
    require_in_our_hands(named)
    content = files.read_private(directory / "root.key") if named == "file" else given().encode()
    root = _decoded(content or b"")
    if root is None:
        raise KeyTrouble("There is no root key, or it is damaged, so no kit was made. `manage.py doctor` says more.")
    return root


def require_that_it_opens(root: bytes, others: dict[str, bytes]) -> None:
    """Raises KeyTrouble unless the key, with the help of `others` (by their ids), opens every data key there is."""
    needed, found = _needed(), root_key_id(root)
    if not needed:
        raise KeyTrouble(
            f"This is root key {found}, but nothing in this database was sealed yet, so nothing can tell whether it is "
            "the right one; nothing was written. Restore the database first."
        )
    if found not in needed:
        raise KeyTrouble(
            f"This is root key {found}, and this database needs {', '.join(sorted(needed))}; nothing was written. "
            "Bring the shares of that kit, or the database that belongs to this one."
        )
    if lacking := needed - {found} - set(others):
        raise KeyTrouble(
            f"Root key {found} opens a part of this database only; the rest needs {', '.join(sorted(lacking))}, too. "
            "Nothing was written. Put that key file into the key directory, and try again."
        )
    older = ",".join(_text(key) for key in others.values())
    Vault(EnvironmentKeeper(lambda: _text(root), lambda: older)).check_root_key()


def bring_back_file(root: bytes, directory: Path) -> Path:
    """Write the key where the file keeper looks for it. Raises KeyTrouble, and then nothing was written.

    Never over a key that works; one that opens nothing here is set aside under another name.
    """
    place = directory / "root.key"
    there = files.read_private(place)
    if there is not None and _works(directory):
        raise KeyTrouble(f"{place} opens every data key, so it stays; nothing was written.")
    present, others = _decoded(there or b""), _older_in(directory)
    if present is not None:
        others[root_key_id(present)] = present
    require_that_it_opens(root, others)
    if present is not None and root_key_id(present) in _needed():
        # In the middle of a turnover it is an older one that was lost.
        place = directory / f"root.{root_key_id(root)}.key"
    elif there is not None:
        aside = f"root.{root_key_id(present)}.key" if present is not None else "root.key.damaged"
        files.read_or_make_private(directory / aside, lambda: there)
        files.replace_private(place, _text(root).encode())
    files.read_or_make_private(place, lambda: _text(root).encode())
    return place


def write_for_environment(root: bytes, path: Path) -> None:
    """A new file (mode 0600) that LATCHKEY_ROOT_KEY_FILE can name. Raises KeyTrouble, and then nothing was written."""
    require_that_it_opens(root, {})
    write_new(path, _text(root) + "\n")


def write_new(path: Path, text: str) -> None:
    """A file that was not there before, for its owner alone (mode 0600). Raises KeyTrouble."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fsync(file.fileno())
    except OSError as wrong:
        raise KeyTrouble(f"{path} cannot be written ({wrong.strerror}); nothing that was there was changed.") from None


def _works(directory: Path) -> bool:
    try:
        Vault(FileKeeper(directory)).check_root_key()
    except KeyTrouble:
        return False
    return True


def _older_in(directory: Path) -> dict[str, bytes]:
    """The keys that lie beside `root.key` under names of their own (FileKeeper), by their ids."""
    read = (_decoded(files.read_private(path) or b"") for path in sorted(directory.glob("root.*.key")))
    return {root_key_id(key): key for key in read if key is not None}


def _needed() -> set[str]:
    return set(DataKey.objects.that_open().values_list("root_key_id", flat=True).distinct())


def _text(root: bytes) -> str:
    return base64.b64encode(root).decode("ascii")


def _decoded(content: bytes) -> bytes | None:
    try:
        root = base64.b64decode(content.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return root if len(root) == KEY_BYTES else None
