"""What a person should look at before a password is taken. It is taken as it stands, byte for byte, all the same."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

SPREADSHEET_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?E[+-]?\d+", re.IGNORECASE)
SPREADSHEET_DATE = re.compile(r"\d{4}-\d{2}-\d{2}( 00:00:00)?")
ONLY_DIGITS = re.compile(r"[1-9][0-9]*")
HTML_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
LONGEST_PASSWORD = 256
"""Entra ID takes 8 to 256 characters (entra-docs concept-sspr-policy)."""


def oddities(password: str, *, guessed: bool) -> list[str]:
    """Sentences. `guessed` says that the encoding of the file was a guess."""
    found = []
    if password != password.strip():
        found.append(_("The password begins or ends with a blank; it is taken with it."))
    if rewritten(password):
        found.append(_("The password looks like a number that a spreadsheet rewrote; compare it."))
    if ONLY_DIGITS.fullmatch(password):
        found.append(_("The password has only digits. Did a spreadsheet drop a zero at its beginning? Compare it."))
    if HTML_ENTITY.search(password):
        found.append(
            _(
                "The password has something like &amp; in it. It is taken as it stands; if the product wrote a sign "
                "that way, the real password is another one. Try it."
            )
        )
    if len(password) > LONGEST_PASSWORD:
        found.append(_("The password is longer than Entra ID allows."))
    if guessed and not password.isascii():
        found.append(
            _("The file is not Unicode, and the password has letters beyond ASCII: they may have been read wrongly.")
        )
    return found


def rewritten(text: str) -> bool:
    """A number or a date in the way in which a spreadsheet writes them."""
    return bool(SPREADSHEET_NUMBER.fullmatch(text) or SPREADSHEET_DATE.fullmatch(text))


def cannot_be_a_password(password: str) -> str:
    """Why it cannot be taken at all, or ""."""
    if "\0" in password:
        return _("The password has a NUL character in it, which no sign-in takes.")
    try:
        password.encode()
    except UnicodeEncodeError:
        return _("The password has half a character in it, so it cannot be what it was.")
    return ""
