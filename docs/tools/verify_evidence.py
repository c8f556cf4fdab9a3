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
EVIDENCE, SUMMARY = "latchkey.evidence", "latchkey.run_summary"
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
    if evidence["type"] == SUMMARY:
        say("The summary does not contradict itself. What proves it is the evidence of each directory.")
    else:
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
    if evidence.get("type") not in (EVIDENCE, SUMMARY) or evidence.get("version") != 1:
        raise NotProven("this is another version of evidence than the one that this program can read (1).")
    return dict(evidence)


def account_of(evidence: dict[str, Any]) -> list[str]:
    """The whole story, one sentence a line."""
    if evidence["type"] == SUMMARY:
        return summary_of(evidence)
    tenant = evidence["tenant"]
    accounts, ledger = evidence["accounts"], evidence["ledger"]
    lines = [
        f"{evidence['reseller']} states on {when(evidence['made_at'])}:",
        f"Customer: {tenant['name']}, directory {tenant['directory_id']}, domain {tenant['default_domain']}.",
        *story_of_run(evidence),
        f"Accounts in this directory: {len(accounts)}.",
    ]
    for account in accounts:
        lines += ["", *story_of(account)]
    entries = len(ledger) + len(evidence.get("run_ledger", []))
    return [*lines, "", f"Entries of the reseller's ledger that this rests on: {entries}."]


def summary_of(summary: dict[str, Any]) -> list[str]:
    """The summary of a run: who, when, how many, and what became of each directory."""
    totals = summary["totals"]
    steps = ", ".join(f"{count} {words(state)}" for state, count in totals["steps"].items())
    shared, deadlines = totals["reshared"], totals["deadlines"]
    lines = [
        f"{summary['reseller']} states on {when(summary['made_at'])}:",
        *story_of_run(summary),
        f"{'All' if summary['whole'] else 'Part'} of the run: {totals['accounts']} accounts in "
        f"{totals['tenants']} directories; steps: {steps or 'none'}.",
        f"Deadlines: {deadlines['met']} met, {deadlines['missed']} missed, {deadlines['open']} open.",
        f"New passwords: {shared['have_it']} of {shared['stay']} who stay have them.",
    ]
    for tenant in summary["tenants"]:
        lines.append("")
        lines.append(f"{tenant['name']} ({tenant['default_domain']}): {words(tenant['state'])}.")
        lines += [f"  {named(one['account'])}: {named(without_account(one))}." for one in tenant["exceptions"]]
    return lines


def without_account(exception: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in exception.items() if name != "account"}


def story_of_run(evidence: dict[str, Any]) -> list[str]:
    """Who asked, who agreed, when it was held, and about whom: what an older file does not say is left out."""
    run, request = evidence["run"], evidence.get("request")
    look = f"; second look at {when(run['second_look_at'])}" if run.get("second_look_at") else ""
    approved = run["approved_by"]
    agreed = listed(approved) if isinstance(approved, list) else named(approved)
    lines = [
        f"Run {run['id']} ({words(run['kind'])}) began on {when(run['started_at'])}; reason: {run['reason']}.",
        f"Requested by {named(run['requested_by'])}; approved by {agreed}.",
    ]
    if request:
        lines += story_of_request(request)
    for held in run.get("holds", []):
        lines.append(f"Held from {when(held['from'])} by {held['by']} until {when(held['until'])}: {held['because']}.")
    if run.get("cancelled"):
        end = run["cancelled"]
        lines.append(f"CANCELLED on {when(end['at'])} by {named(end['by'])}: {end['because']}.")
    rehearsed = ", ".join(f"{one['id']} on {when(one['ended_at'])}" for one in evidence.get("rehearsals", []))
    if rehearsed:
        lines.append(f"Rehearsed before: {rehearsed}.")
    return [
        *lines,
        f"Who had to lose access: {', '.join(person(one) for one in evidence['leavers']) or 'none'}.",
        f"State of the run: {words(run['state'])}{look}.",
    ]


def story_of_request(request: dict[str, Any]) -> list[str]:
    lines = [f"Asked for on {when(request['asked_at'])}, scope {words(request['scope'])}, start {schedule(request)}."]
    for approval in request["approvals"]:
        says = "agreed" if approval["agrees"] else "did not agree"
        lines.append(f"{approval['by']} {says} on {when(approval['at'])}.")
    override = request.get("override")
    if override:
        reviewed = f"reviewed on {when(override['reviewed_at'])}" if override.get("reviewed_at") else "not reviewed yet"
        lines.append(
            f"STARTED WITHOUT APPROVAL by {named(override['by'])} on {when(override['at'])}: {override['reason']}; "
            f"{reviewed}."
        )
    changed = request.get("changed_since_preview", [])
    return [*lines, *(f"Changed since the preview: {one['words']}" for one in changed)]


def schedule(request: dict[str, Any]) -> str:
    if request.get("starts_at"):
        return f"at {when(request['starts_at'])}"
    return words(request["starts"])


def person(one: Any) -> str:
    """A person who had to lose access; the kind of run and the time of the end, where they are told."""
    if not isinstance(one, dict) or "because" not in one:
        return named(one)
    ended = f", sign-in to the reseller's tool ended {when(one['access_ended_at'])}" if one["access_ended_at"] else ""
    return f"{one['name']} {one['email']} ({words(one['because'])}{ended})"


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
        said = [said] if (said := step.get("tried", {}).get("said")) else []
        told = "; ".join([words(step["state"]), *times, *said, *ids, *problem]).rstrip(".")
        lines.append(f"  Step {number}, {words(step['kind'])}{on}: {told}.")
    lines += [f"  After: {reading(account['after'])}.", f"  Exceptions: {listed(account['exceptions'])}."]
    return [*lines, *deadline_of(account), *reshared_of(account)]


def deadline_of(account: dict[str, Any]) -> list[str]:
    deadline = account.get("deadline") or {}
    if not deadline.get("at"):
        return []
    met = {True: "met", False: "MISSED", None: "open"}[deadline["met"]]
    gone = f"; access gone {when(deadline['access_gone_at'])}" if deadline["access_gone_at"] else ""
    return [f"  Deadline {when(deadline['at'])}: {met}{gone}."]


def reshared_of(account: dict[str, Any]) -> list[str]:
    shared = account.get("reshared")
    return [f"  New password: {shared['have_it']} of {shared['stay']} who stay have it."] if shared else []


STEP_TIMES = (("sent_at", "sent"), ("accepted_at", "accepted"), ("verified_at", "read back and found so"))


def contradictions(evidence: dict[str, Any]) -> list[str]:
    """Where a claim does not agree with the readings in the same file."""
    wrong = []
    if evidence["type"] == SUMMARY:
        return contradictions_of_summary(evidence)
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


def contradictions_of_summary(summary: dict[str, Any]) -> list[str]:
    """A run that is called clean has nothing else in any directory."""
    if summary["run"]["state"] != "clean":
        return []
    wrong = [
        f"{tenant['default_domain']}: {words(tenant['state'])} in a run called clean."
        for tenant in summary["tenants"]
        if tenant["state"] != "clean" or tenant["exceptions"]
    ]
    open_steps = [state for state in summary["totals"]["steps"] if state not in DONE]
    return [*wrong, *(f"steps {words(state)} in a run called clean." for state in open_steps)]


def contradiction(step: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> str:
    claimed = step["state"]
    if claimed not in DONE:
        return ""
    if claimed == "verified" and not after:
        return "called verified, but nothing was read afterwards."
    if step["kind"] == "remove_method" and identity(step["method"]) in map(identity, after.get("methods", [])):
        return "the method is still among those that were read afterwards."
    if claimed == "verified" and step["kind"] in REFUSALS and "tried" in step:
        code = step["tried"].get("code")
        if code not in REFUSALS[step["kind"]]:
            return f"called refused, but the answer was {code}."
    if claimed == "verified" and step["kind"] == "try_code" and step.get("tried", {}).get("still_assigned"):
        return "called verified, but the token is still assigned to the account."
    if claimed == "verified" and step.get("stated"):
        return "called verified, but a person stated it and nobody read it back."
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


REFUSALS = {"try_password": ("AADSTS50126",), "try_session": ("AADSTS50133", "AADSTS50173")}
"""What Microsoft answers to an old password, and to an old session that was ended."""

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
