"""Signatures by a key that only its keeper can use: three key services, one signer."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import pkcs11
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass

from msp.errors import Busy, NoConnection
from msp.key_services.azure import AzureVault, base64url, from_base64url
from msp.key_services.pkcs11_token import Pkcs11Token
from msp.key_services.purpose import KeyServiceTrouble, Purpose, Why
from msp.key_services.transit import Transit
from msp.microsoft.signing.pem import PS256, public_key_of

APPS_KEY = Purpose("LATCHKEY_CLIENT_KEY", "The app's key", "Nothing was sent to Microsoft")
PATIENCE = 30.0
SIGNATURE = re.compile(r"[a-z]+:v\d+:([A-Za-z0-9+/=]+)")
NO_SIGNATURE = "what it answered is no signature. Check the address in LATCHKEY_CLIENT_KEY"


class SigningService(Protocol):
    """A key service as a signer needs it. Raises KeyServiceTrouble."""

    def describe(self) -> str: ...

    def demand_secret(self) -> None:
        """The secret that opens the service can be read."""
        ...

    def signature(self, message: bytes, certificate: x509.Certificate) -> bytes:
        """PS256, by the key that belongs to the certificate if there are several."""
        ...

    def refused(self, why: str) -> Exception: ...


@dataclass(frozen=True)
class KeptSigner:
    """The certificate lies here, the key with `service`."""

    certificate: x509.Certificate
    service: SigningService = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        with said_of_the_app():
            signature = self.service.signature(message, self.certificate)
            try:
                public_key_of(self.certificate).verify(signature, message, PS256, SHA256())
            except InvalidSignature:
                # A key that was rotated at the keeper would look to Microsoft like a forgery: say which of the two.
                raise self.service.refused(
                    "its signature does not fit the certificate in LATCHKEY_CLIENT_CERTIFICATE. Put the certificate of "
                    "the key's current version there, and on the app's registration"
                ) from None
        return signature

    def describe(self) -> str:
        return self.service.describe()


class TransitSigning(Transit):
    """`POST /sign/{key}/sha2-256` of the transit engine."""

    def demand_secret(self) -> None:
        self.token()

    def signature(self, message: bytes, certificate: x509.Certificate) -> bytes:
        wish = {
            "input": base64.b64encode(message).decode("ascii"),
            "prehashed": False,
            "signature_algorithm": "pss",
            "salt_length": "hash",
        }
        reply = self.ask("POST", f"sign/{self.name.key}/sha2-256", wish, expected=(400,))
        if reply.status == 400:
            raise self.refused("it answered 400. Check that the key there is an RSA key and may sign")
        said = self.data_of(reply).get("signature")
        found = SIGNATURE.fullmatch(said) if isinstance(said, str) else None
        try:
            if found:
                return base64.b64decode(found[1], validate=True)
        except binascii.Error:
            pass
        raise self.refused(NO_SIGNATURE)


class AzureSigning(AzureVault):
    """`POST /keys/{key}/{version}/sign` of Azure Key Vault, with its latest version."""

    def demand_secret(self) -> None:
        if self.name.tenant:
            self.password()

    def signature(self, message: bytes, certificate: x509.Certificate) -> bytes:
        key = self.ask("GET", "").body.get("key")
        version = str(key.get("kid", "") if isinstance(key, dict) else "").rpartition(f"/keys/{self.name.key}/")[2]
        wish = {"alg": "PS256", "value": base64url(hashlib.sha256(message).digest())}
        signature = from_base64url(self.ask("POST", f"/{version}/sign", wish).body.get("value")) if version else b""
        if not signature:
            raise self.refused(NO_SIGNATURE)
        return signature


class Pkcs11Signing(Pkcs11Token):
    """CKM_RSA_PKCS_PSS over the digest, which every token that knows PSS can do."""

    def demand_secret(self) -> None:
        self.pin()

    def signature(self, message: bytes, certificate: x509.Certificate) -> bytes:
        modulus = public_key_of(certificate).public_numbers().n

        def act(session: pkcs11.Session) -> bytes:
            keys = self.labelled(session, ObjectClass.PRIVATE_KEY, KeyType.RSA)
            if not keys:
                raise self.refused("it has no such key. Correct LATCHKEY_CLIENT_KEY")
            # While a certificate is renewed there are two keys under one label.
            ours = [key for key in keys if int.from_bytes(key[Attribute.MODULUS], "big") == modulus]
            signed = (ours or keys)[0].sign(
                hashlib.sha256(message).digest(),
                mechanism=Mechanism.RSA_PKCS_PSS,
                mechanism_param=(Mechanism.SHA256, MGF.SHA256, SHA256.digest_size),
            )
            return bytes(signed)

        return self.use(act)


@contextmanager
def said_of_the_app() -> Iterator[None]:
    """Troubles of the key service, as those who ask for tokens understand them: wait, or let a person mend it."""
    try:
        yield
    except KeyServiceTrouble as trouble:
        code = f"key_keeper_{trouble.why}"
        if trouble.why == Why.SILENT:
            raise Busy(str(trouble), retry_after=PATIENCE, code=code) from None
        raise NoConnection(str(trouble), code=code) from None
