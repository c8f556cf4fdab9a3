"""The plan of faults by itself: which requests a rule strikes, and the random plans of the property tests."""

from __future__ import annotations

from typing import Any

import pytest

from msp.simulator.faults import ALL_KINDS, FaultPlan, random_plan
from msp.simulator.operations import OPERATIONS

USER = "/v1.0/users/shared-admin%40contoso.example"
METHODS = f"{USER}/authentication"
DEVICES = "/beta/directory/authenticationMethodDevices/hardwareOathDevices"
SAMPLES = {
    "token": ("POST", "/contoso.example/oauth2/v2.0/token"),
    "discovery": ("GET", "/contoso.example/v2.0/.well-known/openid-configuration"),
    "batch": ("POST", "/beta/$batch"),
    "users.list": ("GET", "/v1.0/users?$top=5"),
    "user.read": ("GET", f"{USER}?$select=id"),
    "password.set": ("PATCH", USER),
    "sessions.revoke": ("POST", f"{USER}/revokeSignInSessions"),
    "methods.list": ("GET", f"{METHODS}/methods"),
    "method.delete": ("DELETE", f"{METHODS}/softwareOathMethods/1"),
    "default.read": ("GET", f"{METHODS}/signInPreferences"),
    "default.move": ("PATCH", f"{METHODS}/signInPreferences"),
    "mfa.read": ("GET", f"{METHODS}/requirements"),
    "mfa.set": ("PATCH", f"{METHODS}/requirements"),
    "pass.issue": ("POST", f"{METHODS}/temporaryAccessPassMethods"),
    "hardware.list": ("GET", f"{DEVICES}?$top=1"),
    "hardware.create": ("POST", DEVICES),
    "hardware.delete": ("DELETE", f"{DEVICES}/1"),
    "hardware.assign": ("POST", f"{METHODS}/hardwareOathMethods"),
    "hardware.activate": ("POST", f"{METHODS}/hardwareOathMethods/1/activate"),
    "hardware.deactivate": ("POST", f"{METHODS}/hardwareOathMethods/1/deactivate"),
    "hardware.unassign": ("DELETE", f"{METHODS}/hardwareOathMethods/1"),
    "roles.read": ("GET", "/v1.0/roleManagement/directory/roleAssignments?$filter=x"),
    "organisation.read": ("GET", "/v1.0/organization"),
    "policies.read": ("GET", "/v1.0/policies/authenticationMethodsPolicy"),
    "audits.read": ("GET", "/v1.0/auditLogs/directoryAudits?$top=9"),
    "signins.read": ("GET", "/beta/auditLogs/signIns"),
    "relationships.read": ("GET", "/v1.0/tenantRelationships/delegatedAdminRelationships"),
}


class AnOperation:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_strikes_its_own_request_and_no_other(self, name: str) -> None:
        struck = {other for other, (method, path) in SAMPLES.items() if OPERATIONS[name].is_this(method, path)}
        # An unassignment is the deletion of a method too.
        assert struck == {name} | ({"hardware.unassign"} if name == "method.delete" else set())

    @pytest.mark.parametrize("tail", ["assignAndActivate", "assignAndActivateBySerialNumber"])
    def test_of_activation_covers_the_ways_that_assign_too(self, tail: str) -> None:
        assert OPERATIONS["hardware.activate"].is_this("POST", f"{METHODS}/hardwareOathMethods/{tail}")

    def test_may_be_called_by_its_full_name(self) -> None:
        assert OPERATIONS["sessions.revoke"].is_this("POST", f"{USER}/microsoft.graph.revokeSignInSessions")


def struck(plan: FaultPlan, times: int, method: str = "GET", path: str = USER, tenant: str = "t") -> list[str]:
    """The kinds that strike so many equal requests, "" where none does."""
    found = [plan.next_for(method, path, (tenant,)) for _ in range(times)]
    return [fault.kind if fault else "" for fault in found]


class ARule:
    def test_strikes_one_occurrence(self) -> None:
        plan = FaultPlan()
        plan.plan(kind="500", occurrence=3)
        assert struck(plan, 5) == ["", "", "500", "", ""]

    def test_lets_some_pass_then_strikes_some(self) -> None:
        plan = FaultPlan()
        plan.plan(kind="500", skip=1, times=2)
        assert struck(plan, 5) == ["", "500", "500", "", ""]

    def test_strikes_for_ever_when_it_is_told_no_number(self) -> None:
        plan = FaultPlan()
        plan.plan(kind="500", times=0)
        assert struck(plan, 4) == ["500"] * 4

    def test_that_comes_earlier_goes_first(self) -> None:
        plan = FaultPlan()
        plan.plan({"kind": "500"}, {"kind": "429"})
        assert struck(plan, 3) == ["500", "429", ""]

    def test_needs_everything_that_it_names(self) -> None:
        plan = FaultPlan()
        plan.plan(kind="500", operation="user.read", path="shared", tenant="Contoso.example", times=0)
        assert struck(plan, 1, tenant="contoso.example") == ["500"]
        assert struck(plan, 1, tenant="fabrikam.example") == [""]
        assert struck(plan, 1, path="/v1.0/users/other", tenant="contoso.example") == [""]
        assert struck(plan, 1, method="PATCH", tenant="contoso.example") == [""]

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ({}, "needs a kind"),
            ({"kind": "fire"}, "no kind of fault"),
            ({"kind": "500", "operation": "user.eat"}, "no operation"),
            ({"kind": "500", "colour": "red"}, "has no colour"),
            ({"kind": "status"}, "a status from 400"),
            ({"kind": "status", "status": 200}, "a status from 400"),
            ({"kind": "500", "status": 502}, "a status from 400"),
            ({"kind": "500", "path": "("}, "no regular expression"),
            ({"kind": "500", "delay": -1}, "not below 0"),
        ],
    )
    def test_that_makes_no_sense_is_refused_with_the_whole_plan(self, rule: dict[str, Any], words: str) -> None:
        plan = FaultPlan()
        with pytest.raises(ValueError, match=words):
            plan.plan({"kind": "500"}, rule)
        assert plan.rules() == []


class ARandomPlan:
    NAMES = ("user.read", "batch", "token")

    def test_is_the_same_for_the_same_seed(self) -> None:
        plans = [random_plan(seed, operations=self.NAMES) for seed in range(50)]
        assert plans == [random_plan(seed, operations=self.NAMES) for seed in range(50)]
        assert len({str(plan) for plan in plans}) == 50

    def test_holds_nobody_up_for_long_and_ends(self) -> None:
        for seed in range(300):
            plan = random_plan(seed, operations=self.NAMES, most=3, longest=0.05)
            assert 1 <= len(plan) <= 3
            for rule in FaultPlan().plan(*plan):
                assert 0 < rule.delay <= 0.05
                assert 1 <= rule.times <= 2
                assert rule.operation in self.NAMES
                assert rule.retry_after in ("", "missing", "decimal", "0")

    def test_never_says_that_something_is_gone(self) -> None:
        rules = [rule for seed in range(300) for rule in random_plan(seed, operations=self.NAMES)]
        assert not [rule for rule in rules if rule.get("status") == 404]

    def test_has_every_kind_in_the_long_run(self) -> None:
        assert {r["kind"] for seed in range(300) for r in random_plan(seed, operations=self.NAMES)} == ALL_KINDS
