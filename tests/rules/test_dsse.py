"""Evidence: signed by us, checked by anybody with nothing but Python and `cryptography`."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from msp.errors import BadInput
from msp.evidence import PAYLOAD_TYPE, key_id, sign, signed_bytes, verify
from msp.vault.signing import public_pem

VERIFIER = Path(__file__).resolve().parents[2] / "docs" / "tools" / "verify_evidence.py"
ANA = {"kind": "software_oath", "directory_id": "m-ana", "label": "Ana_1"}
BEN = {"kind": "software_oath", "directory_id": "m-ben", "label": "Ben"}
EVIDENCE: dict[str, Any] = {
    "type": "latchkey.evidence",
    "version": 1,
    "reseller": "Northwind IT",
    "tenant": {
        "name": "Contoso",
        "directory_id": "11111111-2222-3333-4444-555555555555",
        "default_domain": "contoso.example",
    },
    "run": {
        "id": "run-1",
        "kind": "offboarding",
        "reason": "Ana leaves",
        "requested_by": "mia@northwind.example",
        "approved_by": None,
        "started_at": "2026-11-25T09:00:00.000000Z",
        "state": "clean",
        "second_look_at": "2026-11-25T10:05:00.000000Z",
    },
    "leavers": [{"name": "Ana", "email": "ana_b@northwind.example"}],
    "accounts": [
        {
            "user_principal_name": "shared-admin@contoso.example",
            "object_id": "user-1",
            "state": "verified",
            "before": {
                "read_at": "2026-11-25T09:00:01.000000Z",
                "methods": [ANA, BEN],
                "password_changed_at": "2026-01-01T00:00:00.000000Z",
                "sessions_valid_from": "2026-01-01T00:00:00.000000Z",
            },
            "steps": [
                {
                    "kind": "rotate_password",
                    "state": "verified",
                    "sent_at": "2026-11-25T09:00:02.000000Z",
                    "accepted_at": "2026-11-25T09:00:03.000000Z",
                    "verified_at": "2026-11-25T09:00:09.000000Z",
                    "request_ids": ["req-1", "req-2"],
                    "problem": "",
                },
                {
                    "kind": "remove_method",
                    "method": ANA,
                    "state": "verified",
                    "sent_at": "2026-11-25T09:00:04.000000Z",
                    "accepted_at": None,
                    "verified_at": "2026-11-25T09:00:09.000000Z",
                    "request_ids": [],
                    "problem": "",
                },
                {
                    "kind": "revoke_sessions",
                    "state": "verified",
                    "sent_at": "2026-11-25T09:00:05.000000Z",
                    "accepted_at": "2026-11-25T09:00:06.000000Z",
                    "verified_at": "2026-11-25T09:00:09.000000Z",
                    "request_ids": ["req-3"],
                    "problem": "",
                },
            ],
            "after": {
                "read_at": "2026-11-25T09:00:09.000000Z",
                "methods": [BEN],
                "password_changed_at": "2026-11-25T09:00:03.000000Z",
                "sessions_valid_from": "2026-11-25T09:00:06.000000Z",
            },
            "exceptions": [],
        }
    ],
    "ledger": [{"entry": "entry-1", "leaf_hash": "00" * 32}],
    "made_at": "2026-11-25T09:01:00.000000Z",
}


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


class TheEncodingThatIsSigned:
    def test_is_that_of_the_protocols_own_example(self) -> None:
        found = signed_bytes("http://example.com/HelloWorld", b"hello world")
        assert found == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

    def test_counts_bytes_and_not_letters(self) -> None:
        assert signed_bytes("é", "日本".encode()) == b"DSSEv1 2 \xc3\xa9 6 \xe6\x97\xa5\xe6\x9c\xac"


class TheIdOfAKey:
    def test_is_the_thumbprint_of_rfc_8037_appendix_a(self) -> None:
        public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        assert key_id(Ed25519PublicKey.from_public_bytes(public)) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


class ASignedEnvelope:
    def test_gives_back_what_was_signed(self, key: Ed25519PrivateKey) -> None:
        envelope = json.loads(json.dumps(sign(EVIDENCE, key)))
        assert envelope["payloadType"] == "application/vnd.latchkey.evidence+json"
        assert envelope["signatures"][0]["keyid"] == key_id(key.public_key())
        assert verify(envelope, key.public_key()) == EVIDENCE

    def test_is_the_same_whatever_order_the_facts_came_in(self, key: Ed25519PrivateKey) -> None:
        assert sign(dict(reversed(EVIDENCE.items())), key) == sign(EVIDENCE, key)

    def test_is_read_in_the_other_base64_alphabet_too(self, key: Ed25519PrivateKey) -> None:
        body = {"letters": "?>?>ÿÿÿ~~~"}
        envelope = sign(body, key)
        envelope["payload"] = envelope["payload"].translate(str.maketrans("+/", "-_")).rstrip("=")
        signature = envelope["signatures"][0]
        signature["sig"] = signature["sig"].translate(str.maketrans("+/", "-_")).rstrip("=")
        assert verify(envelope, key.public_key()) == body

    def test_needs_no_true_key_id_because_that_is_only_a_hint(self, key: Ed25519PrivateKey) -> None:
        envelope = sign(EVIDENCE, key)
        envelope["signatures"][0]["keyid"] = "somebody else"
        assert verify(envelope, key.public_key()) == EVIDENCE

    def test_may_carry_signatures_of_others_beside_ours(self, key: Ed25519PrivateKey) -> None:
        envelope = sign(EVIDENCE, key)
        envelope["signatures"].insert(0, sign(EVIDENCE, Ed25519PrivateKey.generate())["signatures"][0])
        assert verify(envelope, key.public_key()) == EVIDENCE


class AnEnvelopeThatProvesNothing:
    def test_is_one_signed_with_another_key(self, key: Ed25519PrivateKey) -> None:
        with pytest.raises(BadInput, match="changed, or signed with another key"):
            verify(sign(EVIDENCE, key), Ed25519PrivateKey.generate().public_key())

    @settings(deadline=None)
    @given(st.data())
    def test_is_one_with_a_single_bit_flipped(self, data: st.DataObject) -> None:
        key = Ed25519PrivateKey.generate()
        envelope = sign({"state": "clean"}, key)
        part = data.draw(st.sampled_from(["payload", "sig"]))
        holder = envelope if part == "payload" else envelope["signatures"][0]
        content = bytearray(base64.b64decode(holder[part]))
        bit = data.draw(st.integers(0, len(content) * 8 - 1))
        content[bit // 8] ^= 1 << (bit % 8)
        holder[part] = base64.b64encode(content).decode()
        with pytest.raises(BadInput):
            verify(envelope, key.public_key())

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda envelope: envelope.update(payloadType="application/json"),
            lambda envelope: envelope.update(signatures=[]),
            lambda envelope: envelope.update(signatures=None),
            lambda envelope: envelope.update(payload="not base64!"),
            lambda envelope: envelope.update(payload=7),
            lambda envelope: envelope.pop("payload"),
            lambda envelope: envelope["signatures"][0].pop("sig"),
            lambda envelope: envelope["signatures"][0].update(sig=""),
        ],
    )
    def test_is_one_with_a_part_missing_or_of_another_kind(
        self, key: Ed25519PrivateKey, spoil: Callable[[dict[str, Any]], object]
    ) -> None:
        envelope = sign(EVIDENCE, key)
        spoil(envelope)
        with pytest.raises(BadInput):
            verify(envelope, key.public_key())

    def test_is_a_right_signature_over_another_type(self, key: Ed25519PrivateKey) -> None:
        envelope = sign(EVIDENCE, key)
        other = key.sign(signed_bytes("application/json", base64.b64decode(envelope["payload"])))
        envelope["signatures"] = [{"keyid": "", "sig": base64.b64encode(other).decode()}]
        with pytest.raises(BadInput):
            verify(envelope, key.public_key())

    @pytest.mark.parametrize(
        "payload", [b"[1]", b"rubbish", b"[" * 100_000, b"\xff"], ids=["list", "text", "deep", "bytes"]
    )
    def test_is_a_right_signature_over_no_object(self, key: Ed25519PrivateKey, payload: bytes) -> None:
        signature = base64.b64encode(key.sign(signed_bytes(PAYLOAD_TYPE, payload))).decode()
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": signature}],
        }
        with pytest.raises(BadInput, match="not a JSON object"):
            verify(envelope, key.public_key())

    def test_is_never_made_of_a_number_that_programs_print_differently(self, key: Ed25519PrivateKey) -> None:
        with pytest.raises(BadInput):
            sign({"seconds": 0.1}, key)


class Customer:
    """Somebody with the file, the public key and the program; without Latchkey."""

    def __init__(self, home: Path, public: bytes) -> None:
        self.home = home
        (home / "public.pem").write_bytes(public)

    def checks(self, envelope: object) -> subprocess.CompletedProcess[str]:
        text = envelope if isinstance(envelope, str) else json.dumps(envelope)
        (self.home / "evidence.json").write_text(text)
        command = [sys.executable, "-I", str(VERIFIER), "evidence.json", "--key", "public.pem"]
        return subprocess.run(
            command, cwd=self.home, capture_output=True, text=True, check=False, env={"PYTHONIOENCODING": "utf-8"}
        )


@pytest.fixture
def customer(tmp_path: Path, key: Ed25519PrivateKey) -> Customer:
    return Customer(tmp_path, public_pem(key.public_key()))


class WhenACustomerChecksEvidence:
    def test_the_program_says_who_where_when_and_every_step(self, key: Ed25519PrivateKey, customer: Customer) -> None:
        told = customer.checks(sign(EVIDENCE, key))
        assert (told.returncode, told.stderr) == (0, "")
        for sentence in (
            f"was signed with key {key_id(key.public_key())} and not changed since.",
            "Customer: Contoso, directory 11111111-2222-3333-4444-555555555555, domain contoso.example.",
            "began on 2026-11-25 09:00:00 UTC; reason: Ana leaves.",
            "Requested by mia@northwind.example; approved by nobody.",
            "Who had to lose access: Ana ana_b@northwind.example.",
            "State of the run: clean; second look at 2026-11-25 10:05:00 UTC.",
            "Account shared-admin@contoso.example (user-1): verified.",
            "Step 1, rotate password: verified; sent 2026-11-25 09:00:02 UTC; accepted 2026-11-25 09:00:03 UTC; "
            "read back and found so 2026-11-25 09:00:09 UTC; Microsoft's request ids req-1, req-2.",
            "Step 2, remove method software oath Ana_1 m-ana: verified; sent",
            "Step 3, revoke sessions: verified",
            "After: read 2026-11-25 09:00:09 UTC; methods: software oath Ben m-ben;",
            "Exceptions: none.",
        ):
            assert sentence in told.stdout

    def test_a_changed_file_is_told_apart(self, key: Ed25519PrivateKey, customer: Customer) -> None:
        envelope = sign(EVIDENCE, key)
        envelope["payload"] = sign(EVIDENCE | {"reseller": "Somebody"}, key)["payload"]
        assert_not_proven(customer.checks(envelope), "was changed, or signed with another key")

    def test_somebody_elses_signature_is_told_apart(self, customer: Customer) -> None:
        told = customer.checks(sign(EVIDENCE, Ed25519PrivateKey.generate()))
        assert_not_proven(told, "was changed, or signed with another key")

    @pytest.mark.parametrize("text", ["", "rubbish", "[]", "{}", '{"payload": 1, "payloadType": 2, "signatures": 3}'])
    def test_a_file_of_another_kind_is_told_apart(self, customer: Customer, text: str) -> None:
        assert_not_proven(customer.checks(text), "is not a DSSE envelope")

    def test_a_missing_file_is_one_sentence(self, customer: Customer) -> None:
        (customer.home / "public.pem").unlink()
        assert_not_proven(customer.checks("{}"), "public.pem cannot be read")

    def test_evidence_of_a_later_version_is_not_guessed_at(self, key: Ed25519PrivateKey, customer: Customer) -> None:
        assert_not_proven(customer.checks(sign(EVIDENCE | {"version": 2}, key)), "another version")

    def test_evidence_without_a_part_is_not_believed(self, key: Ed25519PrivateKey, customer: Customer) -> None:
        without = {name: part for name, part in EVIDENCE.items() if name != "accounts"}
        assert_not_proven(customer.checks(sign(without, key)), "lacks a part")

    def test_no_name_in_it_steers_the_terminal(self, key: Ed25519PrivateKey, customer: Customer) -> None:
        told = customer.checks(sign(EVIDENCE | {"reseller": "\x1b[2JNorthwind\r\n"}, key))
        assert "?[2JNorthwind??" in told.stdout


class ASignedFileThatContradictsItself:
    """Rightly signed, yet a claim in it does not agree with its own readings."""

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda account: account["after"]["methods"].append(ANA), "the method is still among those"),
            (lambda account: account["after"]["methods"].append("m-ana"), "the method is still among those"),
            (
                lambda account: account["after"].update(password_changed_at="2026-01-01T00:00:00.000000Z"),
                "the time of the last password change did not move forward",
            ),
            (
                lambda account: account["after"].update(sessions_valid_from=None),
                "the time from which sessions are valid did not move forward",
            ),
            (lambda account: account.update(after=None), "nothing was read afterwards"),
            (lambda account: account["steps"][0].update(state="unverified"), "unverified in a run called clean"),
        ],
    )
    def test_is_refused_and_says_where(
        self,
        key: Ed25519PrivateKey,
        customer: Customer,
        spoil: Callable[[dict[str, Any]], object],
        why: str,
    ) -> None:
        evidence = copy.deepcopy(EVIDENCE)
        spoil(evidence["accounts"][0])
        told = customer.checks(sign(evidence, key))
        assert (told.returncode, "contradicts itself" in told.stderr) == (1, True)
        assert "shared-admin@contoso.example, " in told.stderr
        assert why in told.stderr

    def test_is_not_one_that_tells_of_a_gap_openly(self, key: Ed25519PrivateKey, customer: Customer) -> None:
        evidence = copy.deepcopy(EVIDENCE)
        evidence["run"]["state"] = "needs_attention"
        evidence["accounts"][0]["after"] = None
        for step in evidence["accounts"][0]["steps"]:
            step["state"] = "refused"
            step["problem"] = "Too short for the policy"
        told = customer.checks(sign(evidence, key))
        assert told.returncode == 0
        assert "Step 1, rotate password: refused; " in told.stdout
        assert "problem: Too short for the policy" in told.stdout
        assert "After: nothing was read." in told.stdout


def assert_not_proven(told: subprocess.CompletedProcess[str], why: str) -> None:
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("NOT PROVEN: ")
    assert why in told.stderr
    assert told.stderr.count("\n") == 1
