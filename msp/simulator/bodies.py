"""The body of an HTTP request as RFC 9112 frames it: by its length, or in chunks."""

from __future__ import annotations

import string
from email.message import Message
from io import BufferedIOBase

LONGEST = 4 * 1024 * 1024
"""Bytes. Graph takes requests of up to 4 MB."""

LONGEST_LINE = 8192


class Refused(Exception):
    """A body that is not read: the HTTP status, and the sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def read(stream: BufferedIOBase, headers: Message) -> bytes:
    """The whole body. Raises Refused, or EOFError when the caller leaves before its end."""
    coding = headers.get("Transfer-Encoding", "").strip().lower()
    if coding == "chunked":
        return _chunks(stream)
    if coding:
        raise Refused(501, f"Transfer-Encoding is chunked or nothing, not {coding[:40]}.")
    length = headers.get("Content-Length", "0").strip()
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, "Content-Length is no number.")
    if len(length) > 9 or int(length) > LONGEST:
        raise Refused(413, f"The body is longer than {LONGEST} bytes.")
    return _exactly(stream, int(length))


def _chunks(stream: BufferedIOBase) -> bytes:
    body = bytearray()
    while size := _size(_line(stream)):
        if len(body) + size > LONGEST:
            raise Refused(413, f"The body is longer than {LONGEST} bytes.")
        body += _exactly(stream, size)
        if _exactly(stream, 2) != b"\r\n":
            raise Refused(400, "A chunk is longer than it says.")
    while _line(stream):
        continue  # trailers: nothing that is needed here
    return bytes(body)


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip().decode("latin-1")
    if not digits or len(digits) > 8 or set(digits) - set(string.hexdigits):
        raise Refused(400, "A chunk does not begin with its size.")
    return int(digits, 16)


def _line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(LONGEST_LINE)
    if not line:
        raise EOFError
    if not line.endswith(b"\n"):
        raise Refused(400, "A line of the chunked body is too long.")
    return line.rstrip(b"\r\n")


def _exactly(stream: BufferedIOBase, length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise EOFError
    return found
