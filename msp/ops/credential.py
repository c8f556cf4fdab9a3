"""The demo's own app credential: a key and a self-signed certificate, as an administrator would upload one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from msp.ops.processes import private

DEMO_CLIENT_ID = "1a7c4e00-0000-4000-8000-00000000de30"


def make(place: Path) -> Path:
    """Write key and certificate (PEM, mode 0600) unless they are there already; returns the same path.

    RSA, because Entra ID signs in apps with RSA certificates only (MSAL sends PS256 or RS256).
    """
    if place.is_file():
        return place
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Latchkey demo")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=825))
        .sign(key, SHA256())
    )
    making = place.with_suffix(".new")
    with open(making, "wb", opener=private) as made:
        made.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        made.write(certificate.public_bytes(Encoding.PEM))
    making.replace(place)
    return place
