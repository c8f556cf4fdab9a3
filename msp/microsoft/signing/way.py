"""Which signer the settings mean."""

from __future__ import annotations

import functools
from collections.abc import Callable

import httpx

from msp.errors import BadInput
from msp.key_services.names import AzureKey, TransitKey, key_named
from msp.microsoft.connection import Connection
from msp.microsoft.signing.assertion import AssertionSigner
from msp.microsoft.signing.kept import (
    APPS_KEY,
    AzureSigning,
    KeptSigner,
    Pkcs11Signing,
    SigningService,
    TransitSigning,
    said_of_the_app,
)
from msp.microsoft.signing.pem import PemSigner, certificate_at


def way_to_sign(connection: Connection, *, wire: httpx.BaseTransport | None = None) -> Callable[[], AssertionSigner]:
    """A function that gives the app's signer as it is at that moment, so that renewed files are found.

    `wire` replaces the network to the key keeper (for tests). Raises BadInput for a setting that cannot be used.
    """
    if not connection.client_key:
        return functools.partial(PemSigner.at, connection.client_certificate)
    service = _service(connection, wire)
    if not connection.client_certificate:
        raise BadInput(
            "LATCHKEY_CLIENT_KEY names a key keeper, so LATCHKEY_CLIENT_CERTIFICATE must be set too. Nothing was sent."
        )

    def signer() -> KeptSigner:
        with said_of_the_app():
            service.demand_secret()
        return KeptSigner(certificate_at(connection.client_certificate), service)

    return signer


def _service(connection: Connection, wire: httpx.BaseTransport | None) -> SigningService:
    name = key_named(
        connection.client_key, APPS_KEY.setting, otherwise="empty (the key lies in the certificate's file)"
    )
    secret_file, ca_bundle = connection.client_key_token_file, connection.client_key_ca_bundle
    if isinstance(name, AzureKey):
        return AzureSigning(name, APPS_KEY, secret_file=secret_file, ca_bundle=ca_bundle, wire=wire)
    if isinstance(name, TransitKey):
        if not secret_file:
            raise BadInput(
                f"LATCHKEY_CLIENT_KEY names a key keeper, so {APPS_KEY.secret_setting} must be set too. "
                "Nothing was sent."
            )
        return TransitSigning(name, APPS_KEY, token_file=secret_file, ca_bundle=ca_bundle, wire=wire)
    return Pkcs11Signing(name, APPS_KEY)
