"""How the app signs that it is the app: assertions, and the places where its private key may live.

An assertion is the signed token that stands in for a password of the app (page "certificate credentials"). It is built
in `assertion.py` and nowhere else, whoever holds the key: a PEM file, or a key service that signs and never gives the
key away.
"""

from msp.microsoft.signing.assertion import AssertionSigner, client_assertion, thumbprint
from msp.microsoft.signing.way import way_to_sign

__all__ = ["AssertionSigner", "client_assertion", "thumbprint", "way_to_sign"]
