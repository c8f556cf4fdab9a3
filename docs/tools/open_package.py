"""Opens the package of a customer's exit, with nothing but Python (3.9 or newer) and the package `cryptography`.

    python3 open_package.py FILE

It asks for the passphrase and prints each user name with its password. Nothing is written to the disk and nothing is
sent anywhere. Exit 1: another passphrase, a damaged file, or no such file.
"""

from __future__ import annotations

import base64
import getpass
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

FORMAT, VERSION = "latchkey-sealed-file", 1
MOST = {"n": 2**20, "r": 16, "p": 4}


def opened(data: bytes, passphrase: str) -> dict[str, Any]:
    """The document in the package. Raises ValueError, in a sentence."""
    try:
        whole: dict[str, Any] = json.loads(data)
        sealed = base64.b64decode(whole.pop("ciphertext"))
        cost, nonce = whole["kdf"], base64.b64decode(whole["nonce"])
        salt, asked = base64.b64decode(cost["salt"]), {name: int(cost[name]) for name in MOST}
    except (KeyError, TypeError, ValueError):
        raise ValueError("This is no package of Latchkey, or it is damaged.") from None
    if (whole.get("format"), whole.get("version")) != (FORMAT, VERSION) or any(asked[n] > MOST[n] for n in MOST):
        raise ValueError("This is no package that this program knows.")
    key = Scrypt(salt=salt, length=32, **asked).derive(passphrase.encode())
    # RFC 8785 for what stands in such a file: sorted keys, no spaces, plain ASCII and whole numbers.
    bound = json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    try:
        document: dict[str, Any] = json.loads(AESGCM(key).decrypt(nonce, sealed, bound))
    except InvalidTag:
        raise ValueError("The passphrase is another one, or the file was changed.") from None
    return document


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stdout.write(f"{__doc__}\n")
        return 1
    try:
        document = opened(Path(arguments[0]).read_bytes(), getpass.getpass("Passphrase: "))
    except (OSError, ValueError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    for account in document["accounts"]:
        facts = (account[name] for name in ("domain", "user_principal_name", "password", "status"))
        sys.stdout.write("\t".join(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
