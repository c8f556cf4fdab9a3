"""Looks for planted secrets, in every spelling that a program gives a value on its way somewhere else.

It never says a secret: a finding names which one, where, and in what spelling. A thousand secrets cost hardly more
than one: every eight bytes of a medium are looked up in one table of how the secrets begin.
"""

from __future__ import annotations

import base64
import html
import io
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import redis
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import connection

SHORTEST = 12
"""Bytes. A shorter value would be found by chance."""
FRAGMENT = 8
"""Bytes of a secret that are a leak by themselves."""
WINDOW = 8
"""Bytes that one look compares: a machine word."""
CHUNK = 2**20
LONGEST = 4096
"""Bytes of the longest spelling that can be looked for."""
CODE = re.compile(rb"(?<![0-9A-Za-z.:+-])[0-9]{6}(?![0-9A-Za-z.])")
BY_CHANCE = 3
"""So many of the codes may stand somewhere as other numbers do; what gives codes away shows more of them."""


def spellings(value: bytes) -> dict[str, bytes]:
    """How this value may stand in a page, a log, a dump or a message; each spelling once."""
    found: dict[str, bytes] = {"raw": value, "hex": value.hex().encode(), "HEX": value.hex().upper().encode()}
    for name, spelt in _in_base64(value).items():
        found[name] = spelt
    found["base32"] = base64.b32encode(value).rstrip(b"=")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return _distinct(found)
    found["HTML"] = html.escape(text).encode()
    found["JSON"] = json.dumps(text)[1:-1].encode()
    found["JSON in Unicode"] = json.dumps(text, ensure_ascii=False)[1:-1].encode()
    found["JSON in JSON"] = json.dumps(json.dumps(text))[3:-3].encode()
    found["URL"], found["form"] = quote(text, safe="").encode(), quote_plus(text).encode()
    found["Python"] = repr(text)[1:-1].encode()
    found["COPY"] = text.replace("\\", "\\\\").encode()
    found["UTF-16"] = text.encode("utf-16-le")
    return _distinct(found)


def fragments(value: bytes) -> Iterator[tuple[str, bytes]]:
    """Every eight bytes of a value, in the spellings that leave them together; (spelling, bytes)."""
    for start in range(len(value) - FRAGMENT + 1):
        part = value[start : start + FRAGMENT]
        yield "a part", part
        yield "a part in hex", part.hex().encode()
        yield "a part in HEX", part.hex().upper().encode()
        for name, spelt in _in_base64(part).items():
            yield f"a part in {name}", spelt
        with suppress(UnicodeDecodeError):
            yield "a part in UTF-16", part.decode().encode("utf-16-le")


def _in_base64(value: bytes) -> dict[str, bytes]:
    found = {}
    for shift in range(3):
        # Inside longer text the value may begin at any of three places of a Base64 group: drop what depends on it.
        for name, encode in (("base64", base64.b64encode), ("base64 for URLs", base64.urlsafe_b64encode)):
            whole = encode(b"\0" * shift + value)
            first, last = -(-shift * 8 // 6), (shift + len(value)) * 8 // 6
            found[f"{name}, {shift} off"] = whole[first:last]
    return found


def _distinct(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: spelt for spelt, name in {spelt: name for name, spelt in reversed(found.items())}.items()}


class Scan:
    """Secrets that must be nowhere, and canaries that must be found where they were put."""

    def __init__(self) -> None:
        self.names: dict[bytes, str] = {}
        self.codes: set[bytes] = set()
        self._needles: dict[int, dict[bytes, tuple[str, str]]] = {}
        self._beginnings: set[int] = set()

    def plant(self, name: str, value: bytes | str, *, parts: bool = True) -> None:
        """With `parts` eight bytes of it are looked for, too: not for what has words or hexadecimal digits in it."""
        value = value.encode() if isinstance(value, str) else value
        assert len(value) >= SHORTEST, f"{name} is too short to be looked for"
        if value in self.names:
            return
        self.names[value] = name
        for spelling, needle in spellings(value).items():
            self._look_for(needle, name, spelling)
        for spelling, needle in fragments(value) if parts else ():
            self._look_for(needle, name, spelling)

    def plant_code(self, code: str) -> None:
        """A code of six digits. Chance finds one among other numbers, so only several of them are a finding."""
        self.codes.add(code.encode())

    def plant_word(self, name: str, word: str) -> None:
        """A short one, that is looked for as it stands."""
        self.names[word.encode()] = name
        self._look_for(word.encode(), name, "raw")

    def _look_for(self, needle: bytes, name: str, spelling: str) -> None:
        assert WINDOW <= len(needle) <= LONGEST, f"{name} cannot be looked for in {spelling}"
        beginning = int.from_bytes(needle[:WINDOW], sys.byteorder)
        self._beginnings.add(beginning)
        self._needles.setdefault(beginning, {}).setdefault(needle, (name, spelling))

    def findings(self, place: str, content: bytes) -> list[str]:
        """Which of the secrets stand in this content, and how they are spelt there."""
        found: dict[tuple[str, str], None] = {}
        for start in range(0, max(len(content), 1), CHUNK):
            chunk = content[start : start + CHUNK + LONGEST]
            for beginning in self._seen_in(chunk):
                for needle, (name, spelling) in self._needles[beginning].items():
                    if needle in chunk:
                        found[name, spelling] = None
        return [f"{name} in {place} ({spelling})" for name, spelling in found] + self._codes_in(place, content)

    def _seen_in(self, chunk: bytes) -> set[int]:
        """The beginnings of needles that stand in there, at whatever place."""
        seen: set[int] = set()
        whole = memoryview(chunk)
        for shift in range(WINDOW):
            room = (len(chunk) - shift) // WINDOW * WINDOW
            if room > 0:
                seen.update(self._beginnings.intersection(whole[shift : shift + room].cast("Q")))
        return seen

    def _codes_in(self, place: str, content: bytes) -> list[str]:
        found = self.codes.intersection(CODE.findall(content)) if self.codes else set()
        return [f"{len(found)} codes in {place}"] if len(found) > BY_CHANCE else []


# --- where to look -----------------------------------------------------------------------------------------------


def database_dump() -> bytes:
    """Every table as PostgreSQL gives it away: as text (bytes in hex) and in its binary form (bytes as they are)."""
    parts = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
        tables = [row[0] for row in cursor.fetchall()]
        for table in tables:
            for form in ("text", "binary"):
                with cursor.copy(f"COPY {table} TO STDOUT (FORMAT {form})") as copy:
                    parts += [bytes(chunk) for chunk in copy]
    return b"\n".join(parts)


def journal_position() -> str:
    """Where PostgreSQL's write-ahead log stands now; what is written later also holds what was deleted since."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_walfile_name(pg_current_wal_lsn())")
        return str(cursor.fetchone()[0])


def journal_since(position: str) -> bytes:
    """The write-ahead log from that file on; empty when the server's files are not ours to read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        if not cursor.fetchone()[0]:
            return b""
        cursor.execute("SELECT pg_switch_wal()")
        cursor.execute("SHOW data_directory")
        place = Path(cursor.fetchone()[0]) / "pg_wal"
    if not os.access(place, os.R_OK | os.X_OK):
        return b""
    files = sorted(p for p in place.iterdir() if p.is_file() and len(p.name) == 24 and p.name >= position)
    return b"".join(p.read_bytes().rstrip(b"\0") for p in files)


def server_log() -> bytes:
    """What our private PostgreSQL wrote; empty for a server that somebody else started."""
    host = connection.settings_dict["HOST"] or "/nowhere"
    logs = Path(host).parent / "logs"
    return b"".join(p.read_bytes() for p in sorted(logs.glob("*")) if p.is_file()) if logs.is_dir() else b""


def sessions() -> bytes:
    """The sessions in clear: in the database they are compressed."""
    return json.dumps([s.get_decoded() for s in Session.objects.all()], default=str).encode()


def broker_dump(url: str) -> bytes:
    """Every key of the broker's database with everything in it."""
    server = redis.Redis.from_url(url)
    read: dict[bytes, Any] = {
        b"string": server.get,
        b"list": lambda key: server.lrange(key, 0, -1),
        b"hash": server.hgetall,
        b"set": server.smembers,
        b"zset": lambda key: server.zrange(key, 0, -1, withscores=True),
        b"stream": server.xrange,
    }
    parts = []
    for key in server.scan_iter(count=1000):
        value = read[server.type(key)](key)
        parts += [bytes(key), *_leaves(value)]
    server.close()
    return b"\n".join(parts)


def _leaves(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
        with suppress(ValueError, TypeError, KeyError):
            # kombu wraps the message's own JSON into Base64.
            yield base64.b64decode(json.loads(value)["body"])
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(name)
            yield from _leaves(inner)
    elif isinstance(value, list | set | tuple):
        for inner in value:
            yield from _leaves(inner)


def process_arguments() -> bytes:
    """The command line of every process of this machine."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            found.append((process / "cmdline").read_bytes())
    return b"\n".join(found)


def answer_of(answer: Any) -> bytes:
    """A page with its headers and cookies; archives and compressed cookies are opened."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    parts = [f"{name}: {value}".encode() for name, value in answer.headers.items()]
    for cookie in answer.cookies.values():
        parts += [cookie.value.encode(), _opened(cookie.value)]
    if answer.headers.get("Content-Type") == "application/zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts += [archive.read(name) for name in archive.namelist()]
    return b"\n".join([*parts, content])


def _opened(cookie: str) -> bytes:
    """Django compresses what it signs when that makes it shorter; the mark is a dot in front."""
    if not cookie.startswith("."):
        return b""
    with suppress(ValueError, zlib.error):
        return zlib.decompress(signing.b64_decode(cookie[1:].partition(":")[0].encode()))
    return b""


def evidence_in(directory: Path) -> bytes:
    """Evidence files as they are, and their payloads in clear."""
    parts = []
    for path in sorted(directory.iterdir()):
        parts.append(path.read_bytes())
        with suppress(ValueError, KeyError):
            parts.append(base64.b64decode(json.loads(parts[-1])["payload"]))
    return b"\n".join(parts)
