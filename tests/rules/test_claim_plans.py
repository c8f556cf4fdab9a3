"""Who may say whose a method is, and which sign-ins speak for that."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from msp.microsoft.ports import MethodKind
from msp.microsoft.tenant_ports import SignInEvent
from technicians.claim_plans import Claimed, sign_ins_that_name, why_nobody_can_claim, why_not_by_label

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
WEEK_AGO = NOON - dt.timedelta(days=7)
PUSH = Claimed(MethodKind.MICROSOFT_AUTHENTICATOR, "Push", "Ana's iPhone", 0)


def sign_in(*factors: str, **facts: Any) -> SignInEvent:
    told = {
        "event_id": "one", "at": NOON, "object_id": "o", "error": 0, "interactive": True, "ip_address": "203.0.113.10",
        "app": "Azure Portal", "device": "Edge",
    } | facts  # fmt: skip
    return SignInEvent(factors=factors, **told)


def named(method: Claimed, *events: SignInEvent) -> list[str]:
    return [found.event_id for found in sign_ins_that_name(method, events, since=WEEK_AGO)]


class WhenAPersonSaysThatItIsTheirs:
    @pytest.mark.parametrize("kind", [MethodKind.PASSWORD, MethodKind.TEMPORARY_ACCESS_PASS, MethodKind.UNKNOWN])
    def test_what_is_nobodys_own_cannot_be_claimed(self, kind: MethodKind):
        assert why_nobody_can_claim(Claimed(kind, "it", "", 0)) != ""

    @pytest.mark.parametrize(
        "kind", sorted(set(MethodKind) - {MethodKind.PASSWORD, MethodKind.TEMPORARY_ACCESS_PASS, MethodKind.UNKNOWN})
    )
    def test_every_other_kind_can(self, kind: MethodKind):
        assert why_not_by_label(Claimed(kind, "it", "Ana's", 0), claims_allowed=True) == ""

    def test_the_policy_may_want_more_than_a_word(self):
        assert "policy" in why_not_by_label(PUSH, claims_allowed=False)

    def test_of_several_that_look_the_same_nobody_can_pick_one(self):
        app = Claimed(MethodKind.SOFTWARE_OATH, "App", "", 4)
        assert "look the same" in why_not_by_label(app, claims_allowed=True)


class WhenASignInNamesADevice:
    def test_it_is_found_by_the_name_in_brackets_whatever_its_case(self):
        assert named(PUSH, sign_in("Password (Password in the cloud)", "Mobile app notification (ANA's iphone)")) == [
            "one"
        ]

    def test_another_device_is_not_hers(self):
        assert named(PUSH, sign_in("Mobile app notification (Ben's phone)")) == []

    @pytest.mark.parametrize(
        "facts", [{"error": 500121}, {"interactive": False}, {"at": WEEK_AGO - dt.timedelta(seconds=1)}]
    )
    def test_a_failed_an_unattended_and_an_old_one_say_nothing(self, facts: dict[str, Any]):
        assert named(PUSH, sign_in("Mobile app notification (Ana's iPhone)", **facts)) == []

    def test_a_phone_is_found_by_its_masked_number(self):
        phone = Claimed(MethodKind.PHONE, "Phone", "mobile +1 ******0100", 0)
        assert named(phone, sign_in("Text message (+1 ******0100)")) == ["one"]

    def test_without_a_name_no_sign_in_can_name_it(self):
        assert named(Claimed(MethodKind.SOFTWARE_OATH, "App", "", 0), sign_in("Software OATH token")) == []

    def test_a_name_that_two_bear_names_neither(self):
        twin = Claimed(MethodKind.MICROSOFT_AUTHENTICATOR, "Push", "iPhone", 1)
        assert named(twin, sign_in("Mobile app notification (iPhone)")) == []

    def test_the_newest_comes_first(self):
        factor = "Mobile app notification (Ana's iPhone)"
        older = sign_in(factor, event_id="old", at=NOON - dt.timedelta(days=1))
        assert named(PUSH, older, sign_in(factor, event_id="new")) == ["new", "old"]

    def test_the_note_says_when_by_what_and_from_where(self):
        (found,) = sign_ins_that_name(PUSH, [sign_in("Push (Ana's iPhone)")], since=WEEK_AGO)
        assert found.note == "Sign-in of 2026-11-20 12:00 UTC with Push (Ana's iPhone), from 203.0.113.10."
