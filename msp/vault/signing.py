"""The key that signs evidence, in a file beside the root key. Its public half lies there too, to be handed out."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from msp.errors import KeyTrouble
from msp.vault import files


def evidence_key(directory: Path) -> Ed25519PrivateKey:
    """The key in `evidence.key` (PEM, PKCS #8, mode 0600), made on first use; `evidence.pub` is laid beside it."""
    path = directory / "evidence.key"
    pem = files.read_or_make_private(path, _new_key)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyTrouble(
            f"{path} does not hold an Ed25519 key (PEM, PKCS #8, without a password); nothing was signed. "
            "Put the key file back from its backup."
        )
    files.put_public(directory / "evidence.pub", public_pem(key.public_key()))
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key as a customer gets it: PEM, SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
