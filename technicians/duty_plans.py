"""Whose name stands in a text, and the text with a successor's instead. No database, no network, no clock."""

from __future__ import annotations

import re


def names(text: str, name: str, email: str) -> bool:
    """Does this text, typed by somebody as an owner, mean the person? The whole name, or the address in any company.

    A part of a longer name is somebody else's: Ana does not own what Ana Maria owns.
    """
    return _same(text, name) or bool(_address(email).search(text))


def name_in_place_of(text: str, name: str, email: str, *, new_name: str, new_email: str) -> str:
    """The same text about the successor: a name for a name, an address for an address."""
    if _same(text, name):
        return new_name
    if _same(text, email):
        return new_email
    return f"{new_name} <{new_email}>"


def _same(text: str, other: str) -> bool:
    return bool(other.strip()) and " ".join(text.split()).casefold() == " ".join(other.split()).casefold()


def _address(email: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.+-]){re.escape(email)}(?![\w-]|\.\w)", re.IGNORECASE)
