"""The app's certificate in a PEM file, with its key or alone."""

from __future__ import annotations

import functools
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from msp.errors import NoConnection

KEY_BLOCK = re.compile(rb"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.+?-----END (?P=kind)-----", re.DOTALL)
CERTIFICATE_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
PS256 = PSS(mgf=MGF1(SHA256()), salt_length=SHA256.digest_size)

_reading = threading.Lock()


@dataclass(frozen=True)
class PemSigner:
    """Certificate and key from one PEM file."""

    path: str
    certificate: x509.Certificate
    key: RSAPrivateKey = field(repr=False)

    @classmethod
    def at(cls, path: str) -> PemSigner:
        """Raises NoConnection, with the path and the reason and never a byte of the file, when it cannot be used."""
        content = _content(path)
        with _reading:
            return _pair_in(path, content)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, PS256, SHA256())

    def describe(self) -> str:
        return f"certificate and key in {self.path}"


def certificate_at(path: str) -> x509.Certificate:
    """The certificate of an RSA key. Raises NoConnection, as `PemSigner.at` does."""
    return _certificate_in(path, _content(path))


def public_key_of(certificate: x509.Certificate) -> RSAPublicKey:
    """Of a certificate that was read here."""
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    return key


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as wrong:
        raise _unusable(path, wrong.strerror or "it cannot be read") from None


# Checking an RSA key takes about 30 ms of processor time, and every tenant's first token asks for the same file.
@functools.lru_cache(maxsize=4)
def _pair_in(path: str, content: bytes) -> PemSigner:
    key_block = KEY_BLOCK.search(content)
    if key_block is None or CERTIFICATE_BLOCK.search(content) is None:
        raise _unusable(path, "it must hold a certificate and its private key, both as PEM")
    try:
        key = load_pem_private_key(key_block.group(), password=None)
    except TypeError:
        raise _unusable(
            path, "its key is encrypted; store it without a passphrase, readable by this service alone"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(path, "its private key is damaged or of a kind that is not known") from None
    # Entra ID reads PS256 assertions, and that signature needs an RSA key ("certificate credentials").
    if not isinstance(key, RSAPrivateKey):
        raise _unusable(path, "its key is not an RSA key")
    certificate = _certificate_in(path, content)
    if key.public_key() != certificate.public_key():
        raise _unusable(path, "its key does not belong to its certificate")
    return PemSigner(path, certificate, key)


def _certificate_in(path: str, content: bytes) -> x509.Certificate:
    block = CERTIFICATE_BLOCK.search(content)
    if block is None:
        raise _unusable(path, "it must hold a certificate as PEM")
    try:
        certificate = x509.load_pem_x509_certificate(block.group())
        is_rsa = isinstance(certificate.public_key(), RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(path, "its certificate is damaged") from None
    if not is_rsa:
        raise _unusable(path, "its key is not an RSA key")
    return certificate


def _unusable(path: str, why: str) -> NoConnection:
    return NoConnection(
        f"The app's certificate file {path} cannot be used: {why}. Nothing was sent to Microsoft. "
        "Put the right file there (setting LATCHKEY_CLIENT_CERTIFICATE) and try again.",
        code="certificate_unusable",
    )
