"""Somebody outside with a one-time link in hand: does what the script of the public page does, in Python."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = "latchkey/hand-over/1"


def finder_of(link_path: str) -> str:
    return link_path.partition("#")[0].rpartition("/")[2]


def key_of(link_path: str) -> bytes:
    """The key of a whole link; the four bytes after it are the beginning of a hash over finder and key."""
    content = from_base64(link_path.partition("#")[2])
    key, check = content[:32], content[32:]
    whole = hashlib.sha256(f"{FORMAT}/{finder_of(link_path)}/".encode() + key).digest()[:4]
    assert check == whole, "the link is not whole"
    return key


def decrypted(link_path: str, link_id: str, ciphertext: bytes) -> Any:
    bound_to = f"{FORMAT}/{link_id}".encode()
    return json.loads(AESGCM(key_of(link_path)).decrypt(ciphertext[:12], ciphertext[12:], bound_to))


def from_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
