"""Many seeds in a few QR codes: `otpauth-migration://`, the format of Google Authenticator's export. Pure: no Django.

A protobuf message in base64, written and read by hand: six kinds of field are all that it has. Field numbers and their
values as read in Aegis' source: payload 1 accounts, 2 version, 3 size of the set, 4 index of this code from zero, 5 id
of the set (a random int32, whose negative values take ten bytes); account 1 key (raw bytes), 2 name, 3 issuer,
4 algorithm, 5 digits, 6 type, where zero or nothing stands for SHA-1, six digits, time-based. It has no period: always
30 seconds. Told by users: Google Authenticator shows ten accounts in a code; weak cameras fail above five.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote

from msp.access.seeds import Seed, read_seed

SCHEME = "otpauth-migration:"
ADDRESS = re.compile(r"otpauth-migration://offline/?\?data=([^&#]+)", re.IGNORECASE)
LONGEST_TEXT = 8_000
"""Characters of one code. The largest QR code holds 4,296."""
LARGEST_SET = 200
VERSION = 1
SHA1, SIX_DIGITS, TIME_BASED = 1, 1, 2
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
"""Wire types of protobuf."""
INT32 = range(-(2**31), 2**31)


@dataclass(frozen=True)
class MigrationAccount:
    """One time-based seed of the usual kind: SHA-1, six digits, 30 seconds."""

    key: bytes = field(repr=False)
    issuer: str
    name: str


class NotTaken(StrEnum):
    """Why one account of an export cannot be used at Entra ID."""

    NO_KEY = "no_key"
    COUNTS = "counts"
    ALGORITHM = "algorithm"
    DIGITS = "digits"


class Trouble(StrEnum):
    """What is wrong with a set of codes as a whole. What could be read of it is there all the same."""

    NOTHING = "nothing"
    NOT_A_MIGRATION = "not_a_migration"
    MALFORMED = "malformed"
    PARTS_MISSING = "parts_missing"
    OTHER_SET = "other_set"
    PART_TWICE = "part_twice"


@dataclass(frozen=True)
class AccountNotTaken:
    issuer: str
    name: str
    reason: NotTaken


@dataclass(frozen=True)
class MigrationSet:
    """What was read of a set of codes. `missing` counts from one, as apps show it to people."""

    accounts: tuple[MigrationAccount, ...] = ()
    not_taken: tuple[AccountNotTaken, ...] = ()
    troubles: frozenset[Trouble] = frozenset()
    missing: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Every code of the set was read, and nothing was left out of it."""
        return not self.not_taken and self.troubles <= {Trouble.PART_TWICE}


def codes_of(accounts: Sequence[MigrationAccount], *, per_code: int, batch_id: int) -> list[str]:
    """The texts of the QR codes that carry these accounts, in their order. `batch_id` is a random int32.

    Raises ValueError for no accounts, fewer than one per code, or a batch id that is no int32.
    """
    if not accounts or per_code < 1 or batch_id not in INT32:
        raise ValueError("A set has accounts, at least one of them per code, and an int32 for its id.")
    parts = [accounts[at : at + per_code] for at in range(0, len(accounts), per_code)]
    return [_code(part, index=index, size=len(parts), batch_id=batch_id) for index, part in enumerate(parts)]


def read_codes(texts: Iterable[str]) -> MigrationSet:
    """The accounts of one set of codes, read in any order; the first readable code says which set it is."""
    parts: dict[int, _Part] = {}
    troubles: set[Trouble] = set()
    first: _Part | None = None
    for text in texts:
        try:
            part = _part(text)
        except _Unreadable as unreadable:
            troubles.add(unreadable.trouble)
            continue
        first = first or part
        if part.set != first.set:
            troubles.add(Trouble.OTHER_SET)
        elif part.index in parts:
            troubles.add(Trouble.PART_TWICE)
        else:
            parts[part.index] = part
    if first is None:
        return MigrationSet(troubles=frozenset(troubles or {Trouble.NOTHING}))
    missing = tuple(index + 1 for index in range(first.size) if index not in parts)
    if missing:
        troubles.add(Trouble.PARTS_MISSING)
    found = [account for index in sorted(parts) for account in parts[index].accounts]
    return MigrationSet(
        accounts=tuple(account for account in found if isinstance(account, MigrationAccount)),
        not_taken=tuple(account for account in found if isinstance(account, AccountNotTaken)),
        troubles=frozenset(troubles),
        missing=missing,
    )


def read_anything(text: str) -> Seed | MigrationSet:
    """What one code holds: a single seed, or (a part of) a set. Raises SeedRefused for everything else."""
    return read_codes([text]) if is_migration(text) else read_seed(text)


def is_migration(text: str) -> bool:
    return text.strip().lower().startswith(SCHEME)


# --- writing -----------------------------------------------------------------------------------------------------


def _code(accounts: Sequence[MigrationAccount], *, index: int, size: int, batch_id: int) -> str:
    payload = b"".join(_bytes(1, _account(account)) for account in accounts)
    payload += _number(2, VERSION) + _number(3, size) + _number(4, index) + _number(5, batch_id)
    return f"{SCHEME}//offline?data={quote(base64.b64encode(payload), safe='')}"


def _account(account: MigrationAccount) -> bytes:
    texts = _bytes(1, account.key) + _bytes(2, account.name.encode()) + _bytes(3, account.issuer.encode())
    return texts + _number(4, SHA1) + _number(5, SIX_DIGITS) + _number(6, TIME_BASED)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | VARINT) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits in a byte, the lowest first; a negative number as 64 bits."""
    value %= 2**64
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


# --- reading -----------------------------------------------------------------------------------------------------


class _Unreadable(ValueError):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


@dataclass(frozen=True)
class _Part:
    set: tuple[int, int]
    index: int
    accounts: tuple[MigrationAccount | AccountNotTaken, ...]

    @property
    def size(self) -> int:
        return self.set[1]


def _part(text: str) -> _Part:
    if not is_migration(text):
        raise _Unreadable(Trouble.NOT_A_MIGRATION)
    found = ADDRESS.match(text.strip())
    if found is None or len(text) > LONGEST_TEXT:
        raise _Unreadable(Trouble.MALFORMED)
    try:
        return _payload(_decoded(found[1]))
    except ValueError:
        raise _Unreadable(Trouble.MALFORMED) from None


def _decoded(data: str) -> bytes:
    """Base64 in either alphabet, padded or not. A plus that nobody encoded may have become a space."""
    plain = re.sub(r"[\r\n\t]", "", unquote(data, errors="strict")).strip().replace(" ", "+").rstrip("=")
    return base64.b64decode(plain.translate(str.maketrans("-_", "+/")) + "=" * (-len(plain) % 4), validate=True)


def _payload(data: bytes) -> _Part:
    accounts: list[MigrationAccount | AccountNotTaken] = []
    numbers = {3: 1, 4: 0, 5: 0}
    for number, value in _fields(data):
        if number == 1:
            accounts.append(_read_account(_as_bytes(value)))
        elif number in numbers:
            numbers[number] = _as_int32(value)
    size, index, batch_id = numbers[3] or 1, numbers[4], numbers[5]
    if not accounts or not 0 <= index < size <= LARGEST_SET:
        raise ValueError("no such part")
    return _Part((batch_id, size), index, tuple(accounts))


def _read_account(data: bytes) -> MigrationAccount | AccountNotTaken:
    texts, numbers = {1: b"", 2: b"", 3: b""}, {4: 0, 5: 0, 6: 0}
    for number, value in _fields(data):
        if number in texts:
            texts[number] = _as_bytes(value)
        elif number in numbers:
            numbers[number] = _as_int32(value)
    key, name, issuer = texts[1], texts[2].decode(), texts[3].decode()
    if not issuer and ":" in name:
        issuer, name = (side.strip() for side in name.split(":", 1))
    if (reason := _reason(key, *numbers.values())) is not None:
        return AccountNotTaken(issuer, name, reason)
    return MigrationAccount(key, issuer, name)


def _reason(key: bytes, algorithm: int, digits: int, kind: int) -> NotTaken | None:
    if kind not in (0, TIME_BASED):
        return NotTaken.COUNTS
    if algorithm not in (0, SHA1):
        return NotTaken.ALGORITHM
    if digits not in (0, SIX_DIGITS):
        return NotTaken.DIGITS
    return None if key else NotTaken.NO_KEY


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field. Raises ValueError for what is no message."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _read_varint(data, at)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            length, at = _read_varint(data, at)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if kind == EIGHT_BYTES else 4
        else:
            raise ValueError("no such wire type")
        if length > len(data) - at:
            raise ValueError("cut off")
        yield tag >> 3, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value % 2**64, at + count + 1
    raise ValueError("an endless number")


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number in the place of a text")
    return value


def _as_int32(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a text in the place of a number")
    return (value + 2**31) % 2**32 - 2**31
