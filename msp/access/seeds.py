"""The seed of an authenticator, read from what a person pastes or another product exports. Pure: no Django, no clock.

A parser of our own, because the known libraries refuse the codes that Entra ID itself shows: there the organisation in
the label is not the issuer, and the key has 80 bits. Shapes as issuers write them and as readers disagree on them:
otpauth issue threads and sources (Google's "Key URI Format" wiki page, Aegis, 2FAS, Ente).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote, unquote_plus, urlsplit

ALGORITHMS = ("SHA1", "SHA256", "SHA512")
DIGITS = (6, 8)
SHORTEST_PERIOD, LONGEST_PERIOD = 15, 300
SHORTEST_BARE = 16
"""Letters of a bare key. What is shorter is a word or a code rather than a key."""
IMPOSSIBLE_LENGTHS = (1, 3, 6)
"""Base32 letters modulo 8 that no number of bytes comes to (RFC 4648 section 6)."""
BASE32 = re.compile(r"[A-Z2-7]+")
BETWEEN_LETTERS = re.compile(r"[\s\u00ad\u200b-\u200d\u2010-\u2015\u2060\ufeff-]")
"""Spaces and hyphens, also those that nobody sees: keys are shown in groups on web pages, and copied from there."""
PUSH_PATHS = re.compile(r"/activatev2/|/authenticatorapp/activateaccount|/mfawsmobile/", re.IGNORECASE)
PUSH_HOST = "mobileappcommunicator.auth.microsoft.com"


class NoSeed(StrEnum):
    """Why a text holds no seed that an authenticator of Entra ID could use."""

    EMPTY = "empty"
    NO_SECRET = "no_secret"
    BAD_SECRET = "bad_secret"
    BAD_PARAMETER = "bad_parameter"
    UNSUPPORTED_TYPE = "unsupported_type"
    MICROSOFT_PUSH = "microsoft_push"
    PUSH_CODE = "microsoft_push_code_or_otp"
    ONE_TIME_CODE = "one_time_code"
    MIGRATION_EXPORT = "migration_export"
    PASSKEY = "passkey_qr"
    OTHER_URL = "other_url"


class Oddity(StrEnum):
    """What is unusual in a text that was understood all the same."""

    BARE = "bare_secret"
    ISSUER_MISSING = "issuer_missing"
    ISSUER_PARAMETER_MISSING = "issuer_parameter_missing"
    LABEL_DIFFERS = "label_issuer_differs"
    PLUS_IN_LABEL = "plus_in_label"
    PLUS_IN_ISSUER = "plus_in_issuer"
    COLON_IN_ISSUER = "colon_in_issuer"
    CASE = "nonstandard_case"
    REFORMATTED = "secret_reformatted"
    ALGORITHM_SPELLING = "nonstandard_algorithm_spelling"
    NOT_DEFAULT = "nondefault_parameters"


class SeedRefused(ValueError):
    """The text holds no seed that can be used. It never holds the text: that may be a live activation."""

    def __init__(self, reason: NoSeed) -> None:
        super().__init__(f"This is no seed: {reason}.")
        self.reason = reason


@dataclass(frozen=True)
class Seed:
    """One time-based seed. `period` is in seconds.

    `issuer` is the parameter, or the label's prefix without one. `label_issuer` is that prefix as it stands: a plus
    there means a space at Entra ID and a plus elsewhere.
    """

    key: bytes = field(repr=False)
    issuer: str = ""
    account: str = ""
    label_issuer: str = ""
    algorithm: str = "SHA1"
    digits: int = 6
    period: int = 30
    oddities: frozenset[Oddity] = frozenset()

    @property
    def base32(self) -> str:
        """Upper case, without padding."""
        return base64.b32encode(self.key).decode().rstrip("=")


def read_seed(text: str) -> Seed:
    """A pasted key or an `otpauth://totp/` address. Raises SeedRefused."""
    text = text.strip()
    if not text:
        raise SeedRefused(NoSeed.EMPTY)
    if text.lower().startswith("otpauth://"):
        return _of_address(text)
    if (reason := _other_kind(text)) is not None:
        raise SeedRefused(reason)
    key = _key(text, shortest=SHORTEST_BARE)
    return Seed(key, oddities=frozenset({Oddity.BARE, Oddity.ISSUER_MISSING}))


def _other_kind(text: str) -> NoSeed | None:
    """What people paste in the place of a seed."""
    lower = text.lower()
    digits = BETWEEN_LETTERS.sub("", text)
    if re.fullmatch(r"[0-9]{9}", digits):
        return NoSeed.PUSH_CODE
    if re.fullmatch(r"[0-9]{6,8}", digits):
        return NoSeed.ONE_TIME_CODE
    if lower.startswith("phonefactor:"):
        return NoSeed.MICROSOFT_PUSH
    if lower.startswith("otpauth-migration:"):
        return NoSeed.MIGRATION_EXPORT
    if lower.startswith("fido:"):
        return NoSeed.PASSKEY
    if lower.startswith(("steam:", "motp:", "otpauth:")):
        return NoSeed.UNSUPPORTED_TYPE
    if lower.startswith(("http:", "https:")):
        push = PUSH_PATHS.search(text) or PUSH_HOST in lower
        return NoSeed.MICROSOFT_PUSH if push else NoSeed.OTHER_URL
    return None


def _of_address(text: str) -> Seed:
    # Nothing follows a fragment here: an unescaped # belongs to the account's name.
    try:
        address = urlsplit(text.replace("#", "%23"))
    except ValueError:
        raise SeedRefused(NoSeed.BAD_PARAMETER) from None
    if address.netloc.lower() != "totp":
        raise SeedRefused(NoSeed.UNSUPPORTED_TYPE)
    given = _parameters(address.query)
    oddities = _oddities_of_case(text, address.query)
    key = _key(given.get("secret", ""), shortest=1, missing=NoSeed.NO_SECRET)
    if "=" in given["secret"] or BETWEEN_LETTERS.search(given["secret"]):
        oddities.add(Oddity.REFORMATTED)
    algorithm = _algorithm(given.get("algorithm", "SHA1"))
    if given.get("algorithm", "SHA1") not in ALGORITHMS:
        oddities.add(Oddity.ALGORITHM_SPELLING)
    digits = _number(given.get("digits", "6"), DIGITS)
    period = _number(given.get("period", "30"), range(SHORTEST_PERIOD, LONGEST_PERIOD + 1))
    if (algorithm, digits, period) != ("SHA1", 6, 30):
        oddities.add(Oddity.NOT_DEFAULT)
    prefix, account = _label(address.path.removeprefix("/"))
    issuer = given.get("issuer", "").strip()
    oddities |= _oddities_of_names(address.path, _raw(address.query, "issuer"), prefix, issuer)
    return Seed(key, issuer or prefix, account, prefix, algorithm, digits, period, frozenset(oddities))


def _parameters(query: str) -> dict[str, str]:
    """By name in lower case. One that is given twice leaves open which counts."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name = unquote(name).strip().lower()
        if name in found and name in ("secret", "algorithm", "digits", "period"):
            raise SeedRefused(NoSeed.BAD_PARAMETER)
        if name:
            found[name] = unquote_plus(value)
    return found


def _raw(query: str, wanted: str) -> str:
    pairs = (part.partition("=") for part in query.split("&"))
    return next((value for name, _, value in pairs if name.lower() == wanted), "")


def _label(encoded: str) -> tuple[str, str]:
    """Issuer prefix and account: parted at the first colon as written, or else at the first encoded one."""
    for separator in (":", "%3a"):
        at = encoded.lower().find(separator)
        if at >= 0:
            return unquote(encoded[:at]).strip(), unquote(encoded[at + len(separator) :]).strip()
    return "", unquote(encoded).strip()


def _key(text: str, *, shortest: int, missing: NoSeed = NoSeed.BAD_SECRET) -> bytes:
    letters = BETWEEN_LETTERS.sub("", text).rstrip("=")
    if not letters:
        raise SeedRefused(missing)
    # Looked at before they are made large: some letters of other alphabets become ASCII ones by that.
    possible = letters.isascii() and BASE32.fullmatch(letters.upper()) and len(letters) % 8 not in IMPOSSIBLE_LENGTHS
    if not possible or len(letters) < shortest:
        raise SeedRefused(NoSeed.BAD_SECRET)
    return base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))


def _algorithm(spelled: str) -> str:
    plain = re.sub(r"[\s_-]", "", spelled).upper().removeprefix("HMAC")
    if plain not in ALGORITHMS:
        raise SeedRefused(NoSeed.BAD_PARAMETER)
    return plain


def _number(text: str, allowed: tuple[int, ...] | range) -> int:
    text = text.strip()
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) not in allowed:
        raise SeedRefused(NoSeed.BAD_PARAMETER)
    return int(text)


def _oddities_of_case(text: str, query: str) -> set[Oddity]:
    names = [part.partition("=")[0] for part in query.split("&")]
    usual = text.startswith("otpauth://totp/") and all(name == name.lower() for name in names)
    return set() if usual else {Oddity.CASE}


def _oddities_of_names(path: str, raw_issuer: str, prefix: str, issuer: str) -> set[Oddity]:
    found = {
        Oddity.PLUS_IN_LABEL: "+" in path,
        Oddity.PLUS_IN_ISSUER: "+" in raw_issuer,
        Oddity.COLON_IN_ISSUER: ":" in (issuer or prefix),
        Oddity.LABEL_DIFFERS: bool(prefix and issuer and prefix != issuer),
        Oddity.ISSUER_PARAMETER_MISSING: bool(prefix and not issuer),
        Oddity.ISSUER_MISSING: not prefix and not issuer,
    }
    return {oddity for oddity, true in found.items() if true}
