"""The script for PowerShell: what it does, what it leaves out, and that no name can ever become code in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msp.microsoft.ports import MethodKind, Observation, ObservedMethod
from tenants.plans import StepFacts, StepKind, StepState
from tenants.script_plans import (
    COMMANDS,
    LONGEST_COMMENT,
    TAKEN_AT,
    RemainingAccount,
    RemainingAct,
    Script,
    comment,
    plan_script,
    quoted,
    seen_after_script,
    visible,
    write_script,
)

TENANT = "8146a812-d81d-44f2-a78f-bbb9f25f03ce"
USER = "b1633236-d844-4871-85ae-ebd724d5c5f6"
METHOD = "28c10230-6103-485e-b985-444c60001490"
QUOTES = "'\u2018\u2019\u201a\u201b"
"""What PowerShell takes for a single quote (about_Quoting_Rules)."""
HOSTILE = [
    "O'Brien",
    "'; Remove-Item C:\\ -Recurse; '",
    "\u2019; exit 1 #",
    "$(Get-Content secret)",
    "`$env:PATH`",
    '"@\nRemove-Item x\n@"',
    "#> Remove-Item x <#",
    "line\r\nRemove-Item x",
    "\u2028Remove-Item x\u0085y",
    "SIG # Begin signature block",
    "Requires -RunAsAdministrator",
    "{ } ( ) [ ] | & ; %",
    "\x00\x1a\x1b[31m",
    "Ӂ‘",
]
ROTATE = RemainingAct(StepKind.ROTATE_PASSWORD, StepState.BLOCKED, "Hands off.", key="1")
REVOKE = RemainingAct(StepKind.REVOKE_SESSIONS, StepState.BLOCKED, "Hands off.", key="3")


def removal(kind: str = MethodKind.SOFTWARE_OATH, directory_id: str = METHOD, label: str = "a phone") -> RemainingAct:
    return RemainingAct(
        StepKind.REMOVE_METHOD, StepState.BLOCKED, "Hands off.", (directory_id, str(kind)), label, key="2"
    )


def account(*acts: RemainingAct, name: str = "admin@contoso.example", **facts: object) -> RemainingAccount:
    return RemainingAccount(USER, name, acts or (ROTATE, removal(), REVOKE), **facts)


def script(
    *accounts: RemainingAccount, domain: str = "contoso.example", about: str = "resigned", **facts: str
) -> Script:
    given = {"tenant_id": TENANT, "cloud": "global", "run_id": "a-run"} | facts
    return write_script(accounts or (account(),), domain=domain, about=about, **given)


# --- a small reader of PowerShell ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """A comment, a string or code; `text` without its quotes."""

    kind: str
    text: str


def pieces(text: str) -> Iterator[Piece]:
    """As PowerShell cuts it: comments to the end of the line, strings in any of its single quotes, all else code.

    Our scripts hold no double quote, no backtick and no block comment, so these are not read but refused.
    """
    at, code = 0, ""
    while at < len(text):
        letter = text[at]
        if letter in QUOTES or letter == "#":
            yield Piece("code", code)
            code = ""
        if letter == "#":
            end = next((i for i in range(at, len(text)) if text[i] in "\r\n"), len(text))
            yield Piece("comment", text[at:end])
            at = end
        elif letter in QUOTES:
            value, at = _string(text, at + 1)
            yield Piece("string", value)
        else:
            assert letter not in '"`', "a double quote or a backtick outside of a string"
            code += letter
            at += 1
    yield Piece("code", code)


def _string(text: str, at: int) -> tuple[str, int]:
    value = ""
    while at < len(text):
        if text[at] in QUOTES:
            if at + 1 < len(text) and text[at + 1] in QUOTES:
                value += text[at]
                at += 2
                continue
            return value, at + 1
        value += text[at]
        at += 1
    raise AssertionError("a string without an end")


def skeleton(text: str) -> list[str]:
    """The code alone, with a mark for every string; what a name could change if it became code."""
    return ["'" if piece.kind == "string" else piece.text for piece in pieces(text) if piece.kind != "comment"]


def strings(text: str) -> list[str]:
    return [piece.text for piece in pieces(text) if piece.kind == "string"]


NAMES = st.text(min_size=1, max_size=60) | st.sampled_from(HOSTILE)


class EveryName:
    @given(name=NAMES, label=NAMES, problem=NAMES, domain=NAMES, about=NAMES)
    @settings(max_examples=300, deadline=None)
    def test_leaves_the_code_as_it_is(self, name: str, label: str, problem: str, domain: str, about: str):
        acts = tuple(replace(act, problem=problem) for act in (ROTATE, removal(label=label), REVOKE))
        hostile = script(account(*acts, name=name), domain=domain, about=about)
        assert skeleton(hostile.text) == skeleton(script().text)

    @given(name=NAMES)
    @settings(max_examples=100, deadline=None)
    def test_is_printable_ascii_in_it(self, name: str):
        text = script(account(name=name), domain=name, about=name).text
        assert set(text) <= {chr(code) for code in range(32, 127)} | {"\r", "\n"}

    @given(name=NAMES)
    @settings(max_examples=100, deadline=None)
    def test_stands_in_it_as_it_would_be_shown(self, name: str):
        assert visible(name) in strings(script(account(name=name)).text)

    @given(name=NAMES)
    @settings(max_examples=100, deadline=None)
    def test_makes_a_comment_of_one_line(self, name: str):
        line = comment(f"Account: {name}")
        assert line.startswith("# Account:")
        assert len(line.splitlines()) == 1
        assert len(line) <= LONGEST_COMMENT + 2


class EveryId:
    @pytest.mark.parametrize("wrong", ["", "x'y", "a b", "$x", "\u2019", "x\ny", "-rf", "a" * 201])
    def test_that_is_none_is_never_written(self, wrong: str):
        with pytest.raises(ValueError, match="not an id"):
            script(account(removal(directory_id=wrong)))
        with pytest.raises(ValueError, match="not an id"):
            script(tenant_id=wrong)

    def test_that_is_none_is_left_out_of_the_plan_with_its_reason(self):
        plan = plan_script([account(removal(directory_id="x'y"))])
        assert plan.accounts == ()
        assert "Entra admin center" in plan.left_out[0].reason

    def test_of_microsoft_may_be_base64(self):
        phone_key = "_jpuR-TGZtk6aQCLF3BQjA2"
        assert plan_script([account(removal(directory_id="3" + phone_key))]).acts == 1


class AQuotedText:
    @pytest.mark.parametrize("wrong", ["\u2019", "\n", "\t", "é", "\x7f"])
    def test_is_ascii(self, wrong: str):
        with pytest.raises(ValueError, match="ASCII"):
            quoted(wrong)

    def test_doubles_its_quotes(self):
        assert quoted("O'Brien") == "'O''Brien'"


class TheScript:
    def test_does_the_steps_of_an_account_in_their_order(self):
        text = script().text
        order = [
            text.index("Set-TypedPassword -UserId 'b"),
            text.index("Remove-MgUserAuthenticationSoftwareOathMethod"),
            text.index("Revoke-MgUserSignInSession"),
        ]
        assert order == sorted(order)

    def test_signs_in_to_the_one_tenant_and_looks_whether_it_is_the_one(self):
        text = script().text
        assert f"Connect-MgGraph -TenantId '{TENANT}' -Environment 'Global'" in text
        assert f"if ((Get-MgContext).TenantId -ne '{TENANT}')" in text

    @pytest.mark.parametrize(("cloud", "environment"), [("us_gov_l5", "USGovDoD"), ("china", "China")])
    def test_signs_in_to_the_cloud_of_the_tenant(self, cloud: str, environment: str):
        assert f"-Environment '{environment}'" in script(cloud=cloud).text

    def test_asks_for_the_password_and_holds_none(self):
        text = script().text
        assert "Read-Host -AsSecureString" in text
        assert "-AsPlainText" not in text
        assert "Password = $password" in text

    def test_looks_whether_a_method_is_there_before_it_removes_it(self):
        """So it may be run twice."""
        lines = script(account(removal())).text.splitlines()
        remove = next(i for i, line in enumerate(lines) if "Remove-MgUser" in line)
        assert "Get-MgUserAuthenticationMethod" in lines[remove - 1]
        assert "-gt 0" in lines[remove - 1]

    def test_stops_at_the_first_error_and_says_where(self):
        text = script().text
        assert text.index("$ErrorActionPreference = 'Stop'") < text.index("Connect-MgGraph")
        assert "STOPPED at " in text
        assert re.search(r"catch \{\r\n.*\r\n    throw\r\n\}", text)

    def test_says_what_it_did_and_counts_it(self):
        text = script().text
        assert "$steps = 3" in text
        assert text.count("$done++") == 3
        for said in ("CHANGED", "REMOVED", "GONE", "ENDED"):
            assert said in text

    def test_does_not_call_a_password_changed_that_was_left(self):
        text = script().text
        assert "$script:left++" in text
        assert "passwords left as they are: ' + $left" in text

    def test_explains_every_step_in_a_comment(self):
        comments = [piece.text for piece in pieces(script().text) if piece.kind == "comment"]
        assert sum(c.startswith("# Step: ") and "Hands off." in c for c in comments) == 3

    def test_closes_what_it_opens(self):
        code = "".join(skeleton(script().text))
        assert code.count("{") == code.count("}")
        assert code.count("(") == code.count(")")

    def test_is_the_same_for_the_same_steps_and_its_digest_says_so(self):
        one, other = script(), script()
        assert one == other
        assert one.digest == hashlib.sha256(one.text.encode()).hexdigest()
        assert script(account(ROTATE)).digest != one.digest

    @pytest.mark.parametrize("kind", sorted(COMMANDS))
    def test_removes_each_kind_by_its_own_command(self, kind: MethodKind):
        text = script(account(removal(kind))).text
        command = COMMANDS[kind]
        assert f"{command.name} -UserId '{USER}' -{command.parameter} '{METHOD}'" in text
        assert ("Microsoft.Graph.Beta.Identity.SignIns" in text) == command.beta


class ThePlan:
    def test_takes_what_was_refused_or_blocked_and_nothing_else(self):
        states = [state for state in StepState if plan_script([account(replace(REVOKE, status=state))]).acts]
        assert states == [StepState.REFUSED, StepState.BLOCKED]

    def test_takes_acts_alone(self):
        assert plan_script([account(RemainingAct(StepKind.PROVE, StepState.BLOCKED))]).acts == 0

    @pytest.mark.parametrize(
        ("facts", "kinds"),
        [
            ({}, {"rotate_password", "remove_method", "revoke_sessions"}),
            ({"synced": True}, {"remove_method", "revoke_sessions"}),
            ({"undecided": True}, {"remove_method", "revoke_sessions"}),
            ({"safe": False}, {"rotate_password", "revoke_sessions"}),
            ({"break_glass": True}, set()),
        ],
    )
    def test_keeps_every_guard_and_says_what_it_leaves_out(self, facts: dict[str, bool], kinds: set[str]):
        plan = plan_script([account(**facts)])
        assert {act.kind for one in plan.accounts for act in one.acts} == kinds
        assert len(plan.left_out) == 3 - len(kinds)
        assert all(left.reason for left in plan.left_out)

    @pytest.mark.parametrize("kind", [MethodKind.UNKNOWN, MethodKind.EXTERNAL, MethodKind.QR_CODE_PIN])
    def test_leaves_out_a_kind_without_a_command(self, kind: MethodKind):
        assert plan_script([account(removal(kind))]).acts == 0

    def test_leaves_out_an_account_that_was_never_read(self):
        assert plan_script([replace(account(), object_id="")]).acts == 0


TAKEN = dt.datetime(2026, 7, 1, 12, 0, tzinfo=dt.UTC)
BEFORE = TAKEN - dt.timedelta(days=9)


def facts(kind: StepKind = StepKind.ROTATE_PASSWORD, **was: str) -> StepFacts:
    kept = {"read_at": BEFORE.isoformat(), "password_changed_at": BEFORE.isoformat(), TAKEN_AT: TAKEN.isoformat()}
    return StepFacts(kind, StepState.BLOCKED, (METHOD, "software_oath"), kept | was)


def look(changed: dt.datetime | None = None, methods: tuple[ObservedMethod, ...] = ()) -> Observation:
    return Observation(USER, "admin", "", True, False, changed, None, methods, TAKEN + dt.timedelta(hours=1))


def minutes(count: float) -> dt.datetime:
    return TAKEN + dt.timedelta(minutes=count)


class WhenTheScriptIsSaidToHaveRun:
    def test_a_password_changed_since_and_entered_here_is_seen(self):
        assert seen_after_script(facts(), look(minutes(10)), entered_at=minutes(12))

    @pytest.mark.parametrize(
        ("changed", "entered"),
        [
            (None, minutes(12)),
            (BEFORE, minutes(12)),
            (minutes(-10), minutes(12)),
            (minutes(10), None),
            (minutes(30), minutes(12)),
        ],
        ids=["no time", "not changed", "before the script was taken", "not entered here", "after it was entered"],
    )
    def test_anything_else_is_not(self, changed: dt.datetime | None, entered: dt.datetime | None):
        assert not seen_after_script(facts(), look(changed), entered_at=entered)

    def test_nothing_is_seen_of_a_script_that_nobody_took(self):
        without = replace(facts(), was={"password_changed_at": BEFORE.isoformat()})
        assert not seen_after_script(without, look(minutes(10)), entered_at=minutes(12))

    def test_a_method_is_gone_when_a_reading_does_not_show_it(self):
        step = facts(StepKind.REMOVE_METHOD)
        assert seen_after_script(step, look(), entered_at=None)
        there = ObservedMethod(MethodKind.SOFTWARE_OATH, METHOD)
        assert not seen_after_script(step, look(methods=(there,)), entered_at=None)
