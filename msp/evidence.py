"""Evidence as a signed envelope (DSSE v1, Ed25519), so that a customer can check it without trusting us. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from msp.errors import BadInput
from msp.ledger.canonical import canonical

PAYLOAD_TYPE = "application/vnd.latchkey.evidence+json"


def sign(body: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """The DSSE envelope of `body`, ready for `json.dumps`. Raises BadInput for what has no canonical JSON."""
    payload = canonical(body)
    signature = key.sign(signed_bytes(PAYLOAD_TYPE, payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
    }


def verify(envelope: dict[str, Any], public_key: Ed25519PublicKey) -> dict[str, Any]:
    """What the signed bytes say, and nothing else of the envelope. Raises BadInput unless `public_key` signed them.

    The key id in an envelope is anybody's claim, so every signature is tried.
    """
    payload, signatures = _parts(envelope)
    if not any(_is_by(public_key, signature, signed_bytes(PAYLOAD_TYPE, payload)) for signature in signatures):
        raise BadInput("This evidence was changed, or signed with another key; nothing in it is proven.")
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise BadInput("The signature is right, but what was signed is not a JSON object.")
    return body


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what the signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(public_key: Ed25519PublicKey) -> str:
    """The RFC 7638 thumbprint of the key as a JWK (RFC 8037)."""
    raw = public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = canonical({"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)})
    return _base64url(hashlib.sha256(jwk).digest())


def _parts(envelope: dict[str, Any]) -> tuple[bytes, list[bytes]]:
    try:
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise BadInput("This file is not evidence of Latchkey: its payload type is another one.")
        return _decoded(envelope["payload"]), [_decoded(given["sig"]) for given in envelope["signatures"]]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BadInput("This file is not a DSSE envelope: payload, payloadType and signatures must be there.") from None


def _is_by(public_key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        public_key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    """Both base64 alphabets, with or without padding, as DSSE asks of a reader."""
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
