"""The `otpauth://` addresses that Latchkey itself writes. Pure: no Django, no clock.

What every known app understands alike: TOTP, SHA-1, six digits, 30 seconds, all of them left out because they are the
defaults; plain ASCII, `%20` for a space, one colon, the issuer equal to the label's prefix. Read in the apps' sources:
Aegis takes the whole label for the account unless it has exactly one colon; 2FAS decodes the whole address before it
parses it, so that an encoded `?`, `&`, `#` or `%` cuts it, and shows 30 characters of the issuer. Told by users: some
apps overwrite an entry that has the same label.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from urllib.parse import quote

LONGEST_LABEL = 30
LONGEST_CODE = 13
NAMELESS = "Tenant"
"""Stands for a name of which no letter can be written in ASCII."""
SPELLED_OUT = str.maketrans(
    {
        "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th",
        "ł": "l", "ı": "i", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ẞ": "SS", "Æ": "Ae", "Œ": "Oe", "Ø": "O", "Đ": "D",
        "Ð": "D", "Þ": "Th", "Ł": "L", "&": " and ", "+": " and ", "–": "-", "—": "-",
    }
)  # fmt: skip
"""Letters that lose their sense, or vanish, when only their accent is taken away."""
NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9 ._-]+")
NOT_IN_AN_ACCOUNT = re.compile(r"[^A-Za-z0-9.@_'!^~-]")
"""The rest is what Entra ID allows in a user principal name, and no more. `#` goes: it cuts the address in 2FAS."""
A_CODE = re.compile(rf"[A-Za-z0-9-]{{1,{LONGEST_CODE}}}")
A_LABEL = re.compile(rf"(?! )[A-Za-z0-9 ._()-]{{1,{LONGEST_LABEL}}}(?<! )")


def label_of(tenant: str, code: str) -> str:
    """What an app calls the entry, such as "Contoso (T07)": ASCII, at most 30 characters.

    `code` (1 to 13 letters, digits or hyphens) has to differ for each tenant and technician: the name may be cut, or
    another customer may have the same. Raises ValueError for a code that is none.
    """
    if not A_CODE.fullmatch(code):
        raise ValueError("A label's code has 1 to 13 letters, digits or hyphens.")
    tail = f" ({code})"
    name = " ".join(NOT_IN_A_LABEL.sub(" ", _ascii(tenant)).split())[: LONGEST_LABEL - len(tail)].strip()
    return (name or NAMELESS) + tail


def account_of(upn: str) -> str:
    """A user principal name as it stands in an address; what an app could stumble over becomes a hyphen."""
    return NOT_IN_AN_ACCOUNT.sub("-", upn.strip().translate(SPELLED_OUT))


def address_of(*, key: bytes, issuer: str, account: str) -> str:
    """The address of one time-based seed. `issuer` comes from `label_of`, `account` is a user principal name.

    Raises ValueError, without any of them, for an issuer that some app would read wrongly, and for an empty key.
    """
    if not A_LABEL.fullmatch(issuer) or not key:
        raise ValueError("An address has a key, and an issuer as label_of writes it.")
    secret = base64.b32encode(key).decode().rstrip("=")
    written = quote(issuer, safe="()")
    return f"otpauth://totp/{written}:{quote(account_of(account), safe='@')}?secret={secret}&issuer={written}"


def _ascii(text: str) -> str:
    # Composed first: an umlaut may come as a letter and its dots.
    spelled = unicodedata.normalize("NFC", text).translate(SPELLED_OUT)
    return unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
