"""Key files: made once, whole or not at all, and refused when anybody else on the machine could read them."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from msp.errors import KeyTrouble


def read_private(path: Path) -> bytes | None:
    """The content, or None when there is no such file. Raises KeyTrouble when it is unreadable or open to others."""
    try:
        _refuse_open_door(path.parent, "0700")
        _refuse_open_door(path, "0600")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise KeyTrouble(f"{path} cannot be read ({wrong.strerror}); nothing was changed.") from None


def read_or_make_private(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content; on first use `make()` fills it (mode 0600). Of two processes at once, one wins and both read it."""
    found = read_private(path)
    if found is not None:
        return found
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put_down(path, make(), 0o600)
    except OSError as wrong:
        raise KeyTrouble(f"{path} cannot be made ({wrong.strerror}); nothing was changed.") from None
    made = read_private(path)
    if made is None:
        raise KeyTrouble(f"{path} vanished while it was being made; nothing was changed. Try again.")
    return made


def replace_private(path: Path, content: bytes) -> None:
    """Put other content (mode 0600) in the place of a key file: at every moment there is the old one or the new one."""
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            _fill(handle, content, 0o600)
            Path(beside).replace(path)
            _remember_names_in(path.parent)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as wrong:
        raise KeyTrouble(
            f"{path} cannot be replaced ({wrong.strerror}); the key that was there still stands."
        ) from None


def forget(path: Path) -> None:
    """Delete a key file for good. One that is gone already is no error."""
    try:
        path.unlink(missing_ok=True)
        _remember_names_in(path.parent)
    except OSError as wrong:
        raise KeyTrouble(f"{path} cannot be deleted ({wrong.strerror}); delete it by hand.") from None


def put_public(path: Path, content: bytes) -> None:
    """Lay a file that is no secret beside the keys; one with other content is replaced."""
    try:
        if not path.exists() or path.read_bytes() != content:
            path.unlink(missing_ok=True)
            _put_down(path, content, 0o644)
    except OSError as wrong:
        raise KeyTrouble(f"{path} cannot be written ({wrong.strerror}); the private keys still stand.") from None


def _put_down(path: Path, content: bytes, mode: int) -> None:
    """Write beside, then link: the name appears only with the whole content behind it, and never over another."""
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        _fill(handle, content, mode)
        try:
            os.link(beside, path)
        except FileExistsError:
            return
        _remember_names_in(path.parent)
    finally:
        Path(beside).unlink(missing_ok=True)


def _fill(handle: int, content: bytes, mode: int) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _remember_names_in(directory: Path) -> None:
    """Without this a power cut could forget the name of a key that already sealed something."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_open_door(path: Path, wanted: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyTrouble(
            f"{path} may be used by others on this machine (mode {mode:04o}); nothing was read or changed. "
            f"Make sure that nobody else has the key, then run: chmod {wanted} {path}"
        )
