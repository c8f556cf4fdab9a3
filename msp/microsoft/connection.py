"""Who we are at Microsoft, and how to reach it: the app's own credential, addresses, trust and patience."""

from __future__ import annotations

import functools
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from msp.errors import NoConnection

KEY_BLOCK = re.compile(rb"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.+?-----END (?P=kind)-----", re.DOTALL)
CERTIFICATE_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_reading = threading.Lock()


@dataclass(frozen=True)
class Connection:
    """The app registration and the way to it.

    `client_certificate` is the path of a PEM file that holds the certificate and its unencrypted RSA key;
    it goes before `client_secret` when both are given. `login_url` and `graph_url`, when given, stand in for
    the hosts of every cloud. `ca_bundle` is the path of a PEM file with the authorities to trust instead of
    the usual ones. `timeout_seconds` is the longest wait for one answer; methods calls end by themselves
    after 60 seconds at Microsoft ("authentication methods overview").
    """

    client_id: str
    client_certificate: str = ""
    client_secret: str = field(default="", repr=False)
    login_url: str = ""
    graph_url: str = ""
    ca_bundle: str = ""
    timeout_seconds: float = 65
    sign_in_probe: bool = False


@dataclass(frozen=True)
class Certificate:
    """The app's certificate (PEM text) and the key that belongs to it."""

    pem: str
    key: RSAPrivateKey = field(repr=False)
    sha256_thumbprint: str


def read_certificate(path: str) -> Certificate:
    """Read the app's certificate and key from one PEM file.

    Raises NoConnection, with the path and the reason and never a byte of the file, when it cannot be used.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as wrong:
        raise _unusable(path, wrong.strerror or "it cannot be read") from None
    with _reading:
        return _parsed(path, content)


# Checking an RSA key takes about 30 ms of processor time, and every tenant's first token asks for the same file.
@functools.lru_cache(maxsize=4)
def _parsed(path: str, content: bytes) -> Certificate:
    key_block, certificate_block = KEY_BLOCK.search(content), CERTIFICATE_BLOCK.search(content)
    if key_block is None or certificate_block is None:
        raise _unusable(path, "it must hold a certificate and its private key, both as PEM")
    try:
        key = load_pem_private_key(key_block.group(), password=None)
    except TypeError:
        raise _unusable(
            path, "its key is encrypted; store it without a passphrase, readable by this service alone"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(path, "its private key is damaged or of a kind that is not known") from None
    try:
        certificate = x509.load_pem_x509_certificate(certificate_block.group())
    except ValueError:
        raise _unusable(path, "its certificate is damaged") from None
    # Entra ID reads PS256 assertions, and that signature needs an RSA key ("certificate credentials").
    if not isinstance(key, RSAPrivateKey):
        raise _unusable(path, "its key is not an RSA key")
    if key.public_key() != certificate.public_key():
        raise _unusable(path, "its key does not belong to its certificate")
    return Certificate(
        pem=certificate_block.group().decode("ascii"),
        key=key,
        sha256_thumbprint=certificate.fingerprint(SHA256()).hex(),
    )


def _unusable(path: str, why: str) -> NoConnection:
    return NoConnection(
        f"The app's certificate file {path} cannot be used: {why}. Nothing was sent to Microsoft. "
        "Put the right file there (setting LATCHKEY_CLIENT_CERTIFICATE) and try again.",
        code="certificate_unusable",
    )
