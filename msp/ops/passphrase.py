"""A passphrase from the keyboard or from a file; never from an argument or the environment, which others can read."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from django.core.management.base import CommandError


def ask_passphrase(file: Path | None, *, twice: bool, what_stands: str) -> str:
    """Raises CommandError, which says `what_stands`."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise CommandError(f"The passphrase cannot be read from {file}; {what_stands}.") from None
    if not sys.stdin.isatty():
        raise CommandError(f"There is nobody to ask for the passphrase: use --passphrase-file; {what_stands}.")
    said = getpass.getpass("Passphrase: ")
    if twice and getpass.getpass("The same again: ") != said:
        raise CommandError(f"The two passphrases differ; {what_stands}.")
    return said
