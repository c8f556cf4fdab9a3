"""Checks one evidence file of Latchkey, with nothing but Python (3.9 or newer) and the package `cryptography`.

    python3 verify_evidence.py FILE --key PUBLIC.pem

FILE is a DSSE envelope (JSON), PUBLIC.pem the reseller's public key: get it once, by another way than the file.
It says in plain sentences what is proven. Exit 0: the signature is right and the file does not contradict itself;
exit 1: it is not, and nothing should be believed.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.latchkey.evidence+json"
DONE = ("verified", "needless")


class NotProven(Exception):
    """The file proves nothing; the text says why."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check one evidence file of Latchkey.")
    parser.add_argument("file", type=Path, help="the evidence file (JSON)")
    parser.add_argument("--key", type=Path, required=True, help="the reseller's public key (PEM)")
    given = parser.parse_args(arguments)
    try:
        key = public_key(given.key)
        evidence = proven(given.file, key)
        lines = account_of(evidence)
        wrong = contradictions(evidence)
    except NotProven as why:
        sys.stderr.write(f"NOT PROVEN: {readable(why)}\n")
        return 1
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        sys.stderr.write("NOT PROVEN: the signature is right, but what was signed lacks a part that evidence has.\n")
        return 1
    say(f"The signature is right: {given.file.name} was signed with key {thumbprint(key)} and not changed since.")
    for line in lines:
        say(line)
    if wrong:
        sys.stderr.write("NOT PROVEN: the file contradicts itself.\n")
        sys.stderr.writelines(f"  {readable(line)}\n" for line in wrong)
        return 1
    say("Everything that is called verified agrees with what was read before and after.")
    say("This proves what the holder of that key stated. It does not prove what happened after the last reading.")
    return 0


def public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as wrong:
        raise NotProven(f"{path} cannot be read ({wrong.strerror}).") from None
    except (ValueError, UnsupportedAlgorithm):
        raise NotProven(f"{path} is not a public key in PEM form.") from None
    if not isinstance(key, Ed25519PublicKey):
        raise NotProven(f"{path} is not an Ed25519 key.")
    return key


def proven(path: Path, key: Ed25519PublicKey) -> dict[str, Any]:
    """What the signed bytes say. The key id in the file is only a hint, so every signature is tried."""
    try:
        envelope = json.loads(path.read_bytes())
        kind = envelope["payloadType"]
        payload = decoded(envelope["payload"])
        signatures = [decoded(each["sig"]) for each in envelope["signatures"]]
    except OSError as wrong:
        raise NotProven(f"{path} cannot be read ({wrong.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotProven(f"{path} is not a DSSE envelope.") from None
    if kind != PAYLOAD_TYPE:
        raise NotProven(f"{path} is a signed file, but not evidence of Latchkey.")
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    if not any(signed_by(key, signature, signed) for signature in signatures):
        raise NotProven(f"{path} was changed, or signed with another key than {thumbprint(key)}.")
    evidence = json.loads(payload)
    if evidence.get("type") != "latchkey.evidence" or evidence.get("version") != 1:
        raise NotProven("this is another version of evidence than the one that this program can read (1).")
    return dict(evidence)


def account_of(evidence: dict[str, Any]) -> list[str]:
    """The whole story, one sentence a line."""
    run, tenant = evidence["run"], evidence["tenant"]
    look = f"; second look at {when(run['second_look_at'])}" if run.get("second_look_at") else ""
    accounts, ledger = evidence["accounts"], evidence["ledger"]
    lines = [
        f"{evidence['reseller']} states on {when(evidence['made_at'])}:",
        f"Customer: {tenant['name']}, directory {tenant['directory_id']}, domain {tenant['default_domain']}.",
        f"Run {run['id']} ({words(run['kind'])}) began on {when(run['started_at'])}; reason: {run['reason']}.",
        f"Requested by {named(run['requested_by'])}; approved by {named(run['approved_by'])}.",
        f"Who had to lose access: {listed(evidence['leavers'])}.",
        f"State of the run: {words(run['state'])}{look}.",
        f"Accounts in this directory: {len(accounts)}.",
    ]
    for account in accounts:
        lines += ["", *story_of(account)]
    return [*lines, "", f"Entries of the reseller's ledger that this rests on: {len(ledger)}."]


def story_of(account: dict[str, Any]) -> list[str]:
    lines = [
        f"Account {account['user_principal_name']} ({account['object_id']}): {words(account['state'])}.",
        f"  Before: {reading(account['before'])}.",
    ]
    for number, step in enumerate(account["steps"], start=1):
        on = f" {named(step['method'])}" if step.get("method") else ""
        times = [f"{word} {when(step[name])}" for name, word in STEP_TIMES if step.get(name)]
        ids = [f"Microsoft's request ids {', '.join(map(str, step['request_ids']))}"] if step.get("request_ids") else []
        problem = [f"problem: {step['problem']}"] if step.get("problem") else []
        told = "; ".join([words(step["state"]), *times, *ids, *problem])
        lines.append(f"  Step {number}, {words(step['kind'])}{on}: {told}.")
    return [*lines, f"  After: {reading(account['after'])}.", f"  Exceptions: {listed(account['exceptions'])}."]


STEP_TIMES = (("sent_at", "sent"), ("accepted_at", "accepted"), ("verified_at", "read back and found so"))


def contradictions(evidence: dict[str, Any]) -> list[str]:
    """Where a claim does not agree with the readings in the same file."""
    wrong = []
    for account in evidence["accounts"]:
        before, after = account["before"] or {}, account["after"] or {}
        for step in account["steps"]:
            why = contradiction(step, before, after)
            if why:
                wrong.append(f"{account['user_principal_name']}, {words(step['kind'])}: {why}")
            if evidence["run"]["state"] == "clean" and step["state"] not in DONE:
                state = words(step["state"])
                wrong.append(f"{account['user_principal_name']}, {words(step['kind'])}: {state} in a run called clean.")
    return wrong


def contradiction(step: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> str:
    claimed = step["state"]
    if claimed not in DONE:
        return ""
    if claimed == "verified" and not after:
        return "called verified, but nothing was read afterwards."
    if step["kind"] == "remove_method" and identity(step["method"]) in map(identity, after.get("methods", [])):
        return "the method is still among those that were read afterwards."
    if claimed == "verified" and step["kind"] in MARKS:
        name, what = MARKS[step["kind"]]
        old, new = before.get(name), after.get(name)
        if not new or not (moved(old, new) or since(before, new)):
            return f"{what} did not move forward between the two readings."
    return ""


def moved(old: str | None, new: str) -> bool:
    return not old or moment(new) > moment(old)


def since(before: dict[str, Any], new: str) -> bool:
    """Not before the first reading. Microsoft's times have whole seconds, so a second change within one second leaves
    the same time behind."""
    read_at = before.get("read_at")
    return bool(read_at) and moment(new) >= moment(read_at).replace(microsecond=0)


MARKS = {
    "rotate_password": ("password_changed_at", "the time of the last password change"),
    "revoke_sessions": ("sessions_valid_from", "the time from which sessions are valid"),
}


def reading(facts: dict[str, Any] | None) -> str:
    if not facts:
        return "nothing was read"
    changed, valid = when(facts.get("password_changed_at")), when(facts.get("sessions_valid_from"))
    return (
        f"read {when(facts['read_at'])}; methods: {listed(facts['methods'])}; "
        f"password changed {changed}; sessions valid from {valid}"
    )


def identity(method: Any) -> str:
    """The directory's id of a method, which may be given alone or with its kind and label."""
    if isinstance(method, dict):
        return str(method.get("directory_id") or method["id"])
    return str(method)


def named(thing: Any) -> str:
    """A person, a method or an exception in one phrase, whatever of it was written down."""
    if isinstance(thing, dict):
        first = [name for name in ("name", "kind", "label") if name in thing]
        names = [*first, *(name for name in thing if name not in first)]
        told = [words(thing[name]) if name == "kind" else str(thing[name]) for name in names if thing[name]]
        return " ".join(told) or "nobody"
    return str(thing) if thing else "nobody"


def listed(things: list[Any]) -> str:
    return ", ".join(named(thing) for thing in things) or "none"


def words(value: Any) -> str:
    return str(value).replace("_", " ")


def when(value: str | None) -> str:
    return f"{moment(value):%Y-%m-%d %H:%M:%S} UTC" if value else "at a time that is not known"


def moment(value: str) -> dt.datetime:
    return dt.datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(dt.timezone.utc)  # noqa: UP017 (3.9)


def signed_by(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def thumbprint(key: Ed25519PublicKey) -> str:
    """The name of a key: RFC 7638."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{unpadded(raw)}"}}'
    return unpadded(hashlib.sha256(jwk.encode()).digest())


def unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def decoded(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)


def readable(text: object) -> str:
    """No control character of a file may steer the terminal of whoever checks it."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))


def say(line: str) -> None:
    sys.stdout.write(readable(line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
