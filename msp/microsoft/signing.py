"""How the app signs that it is the app: assertions, and the two places where its private key may live.

An assertion is the signed token that stands in for a password of the app (page "certificate credentials"). It is
built here and nowhere else, whoever holds the key: a PEM file, or a key keeper that signs and never gives the key
away (the transit engine of OpenBao and HashiCorp Vault).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from msp.errors import BadInput, Busy, NoConnection
from msp.microsoft.connection import Connection
from msp.microsoft.transport import trusted_authorities

KEY_BLOCK = re.compile(rb"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.+?-----END (?P=kind)-----", re.DOTALL)
CERTIFICATE_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
PS256 = PSS(mgf=MGF1(SHA256()), salt_length=SHA256.digest_size)
ASSERTION_SECONDS = 300
"""Microsoft wants an end five to ten minutes after the beginning."""

KEPT_KEY = re.compile(r"transit\+(https://[^\s/?#@]+)/([\w.-]+(?:/[\w.-]+)*)/([\w.-]+)")
KEPT_SIGNATURE = re.compile(r"[a-z]+:v\d+:([A-Za-z0-9+/=]+)")
KEEPER_SECONDS = 10.0
KEEPER_PATIENCE = 30.0

_reading = threading.Lock()


class AssertionSigner(Protocol):
    """Whoever can sign with the key of the app's certificate."""

    @property
    def certificate(self) -> x509.Certificate: ...

    def sign(self, message: bytes) -> bytes:
        """The PS256 signature: RSASSA-PSS, SHA-256, a salt as long as the hash. Raises NoConnection or Busy."""
        ...

    def describe(self) -> str:
        """Where certificate and key are, for a person; never a secret."""
        ...


def client_assertion(
    signer: AssertionSigner, client_id: str, token_url: str, *, now: Callable[[], dt.datetime] | None = None
) -> str:
    """A signed assertion for one token endpoint, good for five minutes.

    Raises NoConnection when the certificate is not valid now, before anything is asked of anybody.
    """
    at = now() if now else dt.datetime.now(dt.UTC)
    _demand_valid(signer, at)
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(signer.certificate)}
    began = int(at.timestamp())
    claims = {
        "aud": token_url,
        "iss": client_id,
        "sub": client_id,
        "jti": str(uuid.uuid4()),
        "nbf": began,
        "iat": began,
        "exp": began + ASSERTION_SECONDS,
    }
    message = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{message}.{_base64url(signer.sign(message.encode()))}"


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate (DER), base64url without padding, as `x5t#S256` wants it (RFC 7515, 4.1.8)."""
    return _base64url(certificate.fingerprint(SHA256()))


def way_to_sign(connection: Connection, *, wire: httpx.BaseTransport | None = None) -> Callable[[], AssertionSigner]:
    """A function that gives the app's signer as it is at that moment, so that renewed files are found.

    `wire` replaces the network to the key keeper (for tests). Raises BadInput for a setting that cannot be used.
    """
    if not connection.client_key:
        return functools.partial(PemSigner.at, connection.client_certificate)
    named = KEPT_KEY.fullmatch(connection.client_key)
    if named is None:
        raise BadInput(
            "LATCHKEY_CLIENT_KEY must be empty (the key lies in the certificate's file) or look like "
            "transit+https://host/mount/key. Nothing was sent."
        )
    for setting, value in (
        ("LATCHKEY_CLIENT_KEY_TOKEN_FILE", connection.client_key_token_file),
        ("LATCHKEY_CLIENT_CERTIFICATE", connection.client_certificate),
    ):
        if not value:
            raise BadInput(f"LATCHKEY_CLIENT_KEY names a key keeper, so {setting} must be set too. Nothing was sent.")
    client = httpx.Client(
        verify=trusted_authorities(connection.client_key_ca_bundle, "LATCHKEY_CLIENT_KEY_CA_BUNDLE"),
        trust_env=False,
        timeout=KEEPER_SECONDS,
        follow_redirects=False,
        transport=wire,
    )
    address, mount, key = named.groups()

    def signer() -> TransitSigner:
        return TransitSigner(
            certificate=_certificate_in(connection.client_certificate, _content(connection.client_certificate)),
            address=address,
            mount=mount,
            key=key,
            token=_keepers_token(connection.client_key_token_file),
            client=client,
        )

    return signer


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


@dataclass(frozen=True)
class TransitSigner:
    """A key that only its keeper can use: `POST {address}/v1/{mount}/sign/{key}/sha2-256`.

    After the API pages of the transit secrets engine (OpenBao and HashiCorp Vault share them).
    """

    certificate: x509.Certificate
    address: str
    mount: str
    key: str
    token: str = field(repr=False)
    client: httpx.Client = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        wish = {
            "input": base64.b64encode(message).decode("ascii"),
            "prehashed": False,
            "signature_algorithm": "pss",
            "salt_length": "hash",
        }
        url = f"{self.address}/v1/{self.mount}/sign/{self.key}/sha2-256"
        try:
            answer = self.client.post(url, json=wish, headers={"X-Vault-Token": self.token})
        except httpx.HTTPError:
            raise self._silent("it did not answer") from None
        if answer.status_code == 429 or answer.status_code >= 472:
            raise self._silent(f"it answered {answer.status_code}")
        signature = self._signature_in(answer)
        self._demand_own(signature, message)
        return signature

    def describe(self) -> str:
        return f"key {self.key} of the key keeper {self.address} ({self.mount})"

    def _signature_in(self, answer: httpx.Response) -> bytes:
        if answer.status_code != 200:
            reasons = {
                403: "it does not take our token, or its policy does not let us sign with this key. Renew the token in "
                "the file of LATCHKEY_CLIENT_KEY_TOKEN_FILE, or the policy",
                404: "it has no such key. Correct LATCHKEY_CLIENT_KEY",
            }
            raise self._refused(
                reasons.get(
                    answer.status_code,
                    f"it answered {answer.status_code}. Check that the key there is an RSA key and may sign",
                )
            )
        try:
            said = KEPT_SIGNATURE.fullmatch(answer.json()["data"]["signature"])
            return base64.b64decode(said.group(1), validate=True) if said else b""
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise self._refused("what it answered is no signature. Check the address in LATCHKEY_CLIENT_KEY") from None

    def _demand_own(self, signature: bytes, message: bytes) -> None:
        """A key that was rotated at the keeper would look to Microsoft like a forgery: say which of the two it is."""
        try:
            _rsa(self.certificate).verify(signature, message, PS256, SHA256())
        except InvalidSignature:
            raise self._refused(
                "its signature does not fit the certificate in LATCHKEY_CLIENT_CERTIFICATE. Put the certificate of the "
                "key's current version there, and on the app's registration"
            ) from None

    def _silent(self, how: str) -> Busy:
        return Busy(
            f"The app's key could not be used ({self.describe()}): {how}. Nothing was sent to Microsoft. Check the "
            f"key keeper and LATCHKEY_CLIENT_KEY; it is tried again in {KEEPER_PATIENCE:.0f} seconds.",
            retry_after=KEEPER_PATIENCE,
            code="key_keeper_silent",
        )

    def _refused(self, why: str) -> NoConnection:
        return NoConnection(
            f"The app's key could not be used ({self.describe()}): {why}. Nothing was sent to Microsoft.",
            code="key_keeper_refused",
        )


def _demand_valid(signer: AssertionSigner, at: dt.datetime) -> None:
    first, last = signer.certificate.not_valid_before_utc, signer.certificate.not_valid_after_utc
    if first <= at <= last:
        return
    if at < first:
        when, remedy = f"is valid only from {first:%Y-%m-%d %H:%M} UTC on", "Check this machine's clock, or wait."
    else:
        when = f"expired on {last:%Y-%m-%d %H:%M} UTC"
        remedy = (
            "Make a new one, add it to the app's registration, and store it here (setting LATCHKEY_CLIENT_CERTIFICATE)."
        )
    raise NoConnection(
        f"The app's certificate ({signer.describe()}) {when}. Nothing was sent to Microsoft. {remedy}",
        code="certificate_not_yet_valid" if at < first else "certificate_expired",
    )


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


def _rsa(certificate: x509.Certificate) -> RSAPublicKey:
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    return key


def _keepers_token(path: str) -> str:
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token.isprintable() or not token:
        raise NoConnection(
            f"The file {path} (setting LATCHKEY_CLIENT_KEY_TOKEN_FILE) holds no token of the key keeper that can be "
            "read. Nothing was sent. Put the token there, readable by this service alone, and try again.",
            code="key_keeper_token_missing",
        )
    return token


def _unusable(path: str, why: str) -> NoConnection:
    return NoConnection(
        f"The app's certificate file {path} cannot be used: {why}. Nothing was sent to Microsoft. "
        "Put the right file there (setting LATCHKEY_CLIENT_CERTIFICATE) and try again.",
        code="certificate_unusable",
    )


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
