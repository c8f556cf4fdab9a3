"""A scenario file: what it fills the cloud with, what its time line does, and what is said about a wrong one."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from msp.simulator import administration, control, kinds, scenario, schema_check
from msp.simulator.cloud import Cloud
from msp.simulator.faults import ALL_KINDS, NAMES
from msp.simulator.knobs import NAMES as KNOBS
from msp.simulator.operations import OPERATIONS
from msp.simulator.server import Simulator
from tests.support.simulated import credential

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "docs" / "simulator").glob("*.json"))
APP = "1a7c4e00-0000-4000-8000-000000000009"
CONTOSO, FABRIKAM = "contoso.example", "fabrikam.example"
ADMIN = "admin@contoso.example"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def full() -> dict[str, Any]:
    """A scenario in which everything is said once."""
    return {
        "knobs": {"latency_ms": 3, "clock_error": -5},
        "logs": {"delay": [2, 30], "noise": 0.25},
        "tenants": [
            {
                "name": "Contoso",
                "domain": CONTOSO,
                "id": "C0000000-0000-4000-8000-000000000001",
                "cloud": "us_gov_l4",
                "condition": "suspended",
                "plans": ["AAD_PREMIUM"],
                "federated": ["elsewhere.example"],
                "policies": {"security_defaults": False, "methods": {"HardwareOath": "enabled"}, "banned": ["winter"]},
                "knobs": {"read_lag": 7},
                "people": [
                    {
                        "upn": "admin",
                        "display_name": "Shared admin",
                        "password": "First-Password-1",
                        "roles": ["user administrator"],
                        "enabled": False,
                        "synced": True,
                        "user_type": "Guest",
                        "mfa_state": "enabled",
                        "password_expired": True,
                        "default": "voiceOffice",
                        "methods": [
                            {"kind": "software_oath", "label": "Ana", "seed": SEED, "interval": 60, "digest": "sha256"},
                            {"kind": "phone", "details": {"phoneType": "office", "phoneNumber": "+1 5555550111"}},
                        ],
                    }
                ],
            },
            {"name": "Fabrikam", "domain": FABRIKAM, "people": [{"upn": "partner"}]},
        ],
        "apps": [
            {
                "client_id": APP,
                "certificate_file": "client.crt",
                "consents": [
                    {"tenant": CONTOSO, "permissions": ["User.Read.All"], "roles": [], "enabled": False},
                ],
            }
        ],
        "relationships": [
            {
                "partner": FABRIKAM,
                "customer": CONTOSO,
                "roles": ["Privileged Authentication Administrator"],
                "members": ["partner@fabrikam.example"],
                "status": "expiring",
                "days": 20,
                "auto_extends": True,
            }
        ],
        "faults": [{"kind": "status", "status": 423, "operation": "user.read", "occurrence": 2}],
        "time_line": [
            {"at_seconds": 60, "do": "password", "with": {"tenant": CONTOSO, "upn": ADMIN, "password": "Next-Pass-2"}},
            {"at_seconds": 30, "do": "user", "with": {"tenant": CONTOSO, "upn": ADMIN, "enabled": True}},
        ],
    }


@pytest.fixture
def written(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Puts a scenario into a file, beside the certificate that it names."""
    (tmp_path / "client.crt").write_text(credential().certificate)

    def write(asked: dict[str, Any]) -> Path:
        place = tmp_path / "scenario.json"
        place.write_text(json.dumps(asked))
        return place

    return write


@pytest.fixture
def loaded(written: Callable[[dict[str, Any]], Path]) -> Cloud:
    cloud = scenario.cloud_of(written(full()))
    control.attend(cloud)
    return cloud


class AScenario:
    def test_makes_tenants_as_they_are_described(self, loaded: Cloud) -> None:
        contoso = loaded.tenant(CONTOSO)
        assert contoso.id == "c0000000-0000-4000-8000-000000000001"
        assert (contoso.cloud, contoso.condition) == ("us_gov_l4", "suspended")
        assert (contoso.plans, contoso.federated) == (["AAD_PREMIUM"], ["elsewhere.example"])
        assert not contoso.policies.security_defaults
        assert (contoso.policies.methods, contoso.policies.banned) == ({"HardwareOath": "enabled"}, ["winter"])
        assert loaded.tenant(FABRIKAM).cloud == "global"

    def test_makes_people_as_they_are_described(self, loaded: Cloud) -> None:
        user = loaded.user(CONTOSO, ADMIN)
        assert (user.display_name, user.password) == ("Shared admin", "First-Password-1")
        assert user.roles == ["fe930be7-5e62-47db-91af-98c3a49a38b1"]
        assert (user.enabled, user.synced, user.user_type) == (False, True, "Guest")
        assert (user.mfa_state, user.default, user.password_expired) == ("enabled", "voiceOffice", True)

    def test_registers_methods_as_they_are_described(self, loaded: Cloud) -> None:
        token, phone = loaded.methods(CONTOSO, ADMIN)
        assert (token.kind, token.label, token.seed) == ("software_oath", "Ana", SEED)
        assert (token.interval, token.digest) == (60, "sha256")
        assert phone.details["phoneNumber"] == "+1 5555550111"

    def test_registers_applications_with_what_was_granted(self, loaded: Cloud) -> None:
        assert loaded.apps[APP].certificate_pem == credential().certificate
        consent = loaded.tenant(CONTOSO).consents[APP]
        assert (consent.permissions, consent.roles, consent.enabled) == (("User.Read.All",), (), False)
        assert APP not in loaded.tenant(FABRIKAM).consents

    def test_ties_partners_to_customers(self, loaded: Cloud) -> None:
        partner, role = loaded.tenant(FABRIKAM), "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
        (made,) = partner.relationships.values()
        assert (made.customer_id, made.status, made.auto_extends) == (loaded.tenant(CONTOSO).id, "expiring", True)
        assert dt.timedelta(days=19) < made.ends_at - loaded.now() <= dt.timedelta(days=20)
        (grant,) = made.grants
        assert (made.roles, grant["roles"]) == ([role], [role])
        assert partner.groups[grant["group_id"]] == [loaded.user(FABRIKAM, "partner@fabrikam.example").id]

    def test_turns_knobs_and_plans_faults(self, loaded: Cloud) -> None:
        assert (loaded.knobs.everywhere.latency_ms, loaded.knobs.everywhere.clock_error) == (3, -5)
        assert loaded.knobs.of(loaded.tenant(CONTOSO).id).read_lag == 7
        assert (loaded.log_delay, loaded.log_noise) == ((2, 30), 0.25)
        (rule,) = loaded.faults.rules()
        assert (rule.status, rule.operation, rule.skip, rule.times) == (423, "user.read", 1, 1)

    def test_begins_with_an_empty_journal(self, loaded: Cloud) -> None:
        assert len(loaded.effects) == len(loaded.log) == 0

    def test_is_the_same_for_the_same_seed(self, written: Callable[[dict[str, Any]], Path]) -> None:
        file = written(full())
        ids = [scenario.cloud_of(file, seed).user(CONTOSO, ADMIN).id for seed in (4, 4, 5)]
        assert ids[0] == ids[1] != ids[2]


class ATimeLine:
    def test_waits_for_its_moments(self, loaded: Cloud) -> None:
        loaded.advance(29)
        assert not loaded.user(CONTOSO, ADMIN).enabled
        loaded.advance(2)
        assert loaded.user(CONTOSO, ADMIN).enabled
        assert loaded.user(CONTOSO, ADMIN).password == "First-Password-1"

    def test_happens_in_order_and_at_its_moments_when_time_jumps(self, loaded: Cloud) -> None:
        before = loaded.now()
        loaded.advance(3600)
        assert [effect.kind for effect in loaded.effects] == ["user_enabled", "password_changed"]
        happened = loaded.user(CONTOSO, ADMIN).password_changed_at - before
        assert dt.timedelta(seconds=55) < happened < dt.timedelta(minutes=20)
        assert loaded.now() - before > dt.timedelta(minutes=59)

    def test_goes_on_after_an_event_that_can_no_longer_happen(self, loaded: Cloud) -> None:
        administration.remove_user(loaded, CONTOSO, ADMIN)
        loaded.advance(3600)
        assert all(event.outcome.startswith("failed: There is no user") for event in loaded.timeline.events())

    def test_is_played_by_the_running_clock(self, tmp_path: Path, written: Callable[[dict[str, Any]], Path]) -> None:
        asked = full()
        asked["time_line"] = [
            {"at_seconds": 0.3} | {n: v for n, v in asked["time_line"][1].items() if n != "at_seconds"}
        ]
        with Simulator(tmp_path / "state", scenario_file=written(asked)) as simulator:
            deadline = time.monotonic() + 60
            while not simulator.cloud.user(CONTOSO, ADMIN).enabled and time.monotonic() < deadline:
                time.sleep(0.05)
            assert simulator.cloud.user(CONTOSO, ADMIN).enabled

    def test_can_do_whatever_changes_something(self) -> None:
        left = control.VERBS.keys() - set(control.CHANGES)
        assert left == {"code", "state", "log", "effects", "clock", "reset", "partner/sign-in"}


def without_tenants(asked: dict[str, Any]) -> None:
    del asked["tenants"]


def with_another_kind(asked: dict[str, Any]) -> None:
    asked["tenants"][0]["people"][0]["methods"][1]["kind"] = "stone"


def with_a_second_tenant_of_the_name(asked: dict[str, Any]) -> None:
    asked["tenants"][1]["domain"] = CONTOSO


def with_a_strange_word(asked: dict[str, Any]) -> None:
    asked["tenants"][0]["people"][0]["colour"] = "red"


def with_a_default_that_is_not_there(asked: dict[str, Any]) -> None:
    asked["tenants"][0]["people"][0]["default"] = "push"


def with_a_sixth_authenticator(asked: dict[str, Any]) -> None:
    asked["tenants"][0]["people"][0]["methods"] = [{"kind": "software_oath"}] * 6


def with_a_phone_that_does_not_exist(asked: dict[str, Any]) -> None:
    asked["tenants"][0]["people"][0]["methods"][1]["details"]["phoneType"] = "fax"


def with_an_unknown_role(asked: dict[str, Any]) -> None:
    asked["tenants"][0]["people"][0]["roles"] = ["King"]


def with_a_lost_certificate(asked: dict[str, Any]) -> None:
    asked["apps"][0]["certificate_file"] = "lost.crt"


def with_consent_nowhere(asked: dict[str, Any]) -> None:
    asked["apps"][0]["consents"][0]["tenant"] = "nowhere.example"


def with_a_member_who_is_nobody(asked: dict[str, Any]) -> None:
    asked["relationships"][0]["members"] = [ADMIN]


def with_a_fault_nowhere(asked: dict[str, Any]) -> None:
    asked["faults"][0]["tenant"] = "nowhere.example"


def with_a_fault_without_status(asked: dict[str, Any]) -> None:
    del asked["faults"][0]["status"]


def with_an_event_for_nobody(asked: dict[str, Any]) -> None:
    asked["time_line"][0]["with"]["upn"] = "nobody@contoso.example"


def with_time_that_runs_backwards(asked: dict[str, Any]) -> None:
    asked["time_line"][1]["at_seconds"] = -1


WRONG = {
    without_tenants: ("$", "tenants is missing"),
    with_another_kind: ("$.tenants[0].people[0].methods[1].kind", '"stone" is none of'),
    with_a_second_tenant_of_the_name: ("$.tenants[1]", "already a tenant"),
    with_a_strange_word: ("$.tenants[0].people[0]", '"colour" is not known here'),
    with_a_default_that_is_not_there: ("$.tenants[0].people[0]", "no method for the default 'push'"),
    with_a_sixth_authenticator: ("$.tenants[0].people[0].methods[5]", "already has 5 authenticators"),
    with_a_phone_that_does_not_exist: ("$.tenants[0].people[0].methods[1]", "'fax' is missing or unknown"),
    with_an_unknown_role: ("$.tenants[0].people[0]", "'king' is no directory role"),
    with_a_lost_certificate: ("$.apps[0].certificate_file", "lost.crt cannot be read"),
    with_consent_nowhere: ("$.apps[0].consents[0]", "no tenant nowhere.example"),
    with_a_member_who_is_nobody: ("$.relationships[0]", f"no user {ADMIN} in tenant {FABRIKAM}"),
    with_a_fault_nowhere: ("$.faults[0]", "no tenant nowhere.example"),
    with_a_fault_without_status: ("$.faults[0]", "has a status from 400"),
    with_an_event_for_nobody: ("$.time_line[0]", "There is no user nobody"),
    with_time_that_runs_backwards: ("$.time_line[1].at_seconds", "-1 is less than 0"),
}


class AScenarioThatIsWrong:
    @pytest.mark.parametrize("spoil", WRONG, ids=lambda spoil: spoil.__name__)
    def test_is_told_in_one_line_with_its_place(
        self, written: Callable[[dict[str, Any]], Path], spoil: Callable[[dict[str, Any]], None]
    ) -> None:
        asked, (place, words) = full(), WRONG[spoil]
        spoil(asked)
        with pytest.raises(scenario.ScenarioWrong) as caught:
            scenario.cloud_of(written(asked))
        told = str(caught.value)
        assert f"scenario.json at {place}: " in told
        assert words in told
        assert told.count("\n") == 0

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ('{"tenants": [', "line 1, column 14"),
            ('{"tenants": [], "tenants": []}', '"tenants" stands twice'),
            ("[]", "is not an object"),
        ],
    )
    def test_that_is_no_json_object_is_told_too(self, tmp_path: Path, text: str, words: str) -> None:
        place = tmp_path / "scenario.json"
        place.write_text(text)
        with pytest.raises(scenario.ScenarioWrong, match=words):
            scenario.cloud_of(place)

    @pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["lost", "not UTF-8"])
    def test_that_cannot_be_read_is_told_too(self, tmp_path: Path, content: bytes | None) -> None:
        place = tmp_path / "scenario.json"
        if content:
            place.write_bytes(content)
        with pytest.raises(scenario.ScenarioWrong, match=r"cannot be read|not written in UTF-8"):
            scenario.cloud_of(place)


class TheSchema:
    def words(self, *path: str) -> set[str]:
        part = scenario.schema()["$defs"]
        for name in path:
            part = part[name]
        return set(part)

    def test_is_itself_well_formed(self) -> None:
        jsonschema.Draft202012Validator.check_schema(scenario.schema())

    @pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
    def test_fits_the_examples_and_they_can_be_played(self, file: Path) -> None:
        jsonschema.Draft202012Validator(scenario.schema()).validate(json.loads(file.read_text()))
        cloud = scenario.cloud_of(file)
        control.attend(cloud)
        cloud.advance(24 * 3600)
        assert {event.outcome for event in cloud.timeline.events()} <= {"done"}

    def test_has_an_example(self) -> None:
        assert EXAMPLES

    def test_knows_what_the_cloud_knows(self) -> None:
        assert self.words("knobs", "properties") == KNOBS
        assert self.words("fault", "properties") == NAMES - {"seen", "struck"}
        assert self.words("fault", "properties", "kind", "enum") == ALL_KINDS
        assert self.words("fault", "properties", "operation", "enum") == OPERATIONS.keys()
        assert self.words("event", "properties", "do", "enum") == set(control.CHANGES)
        assert self.words("method", "properties", "kind", "enum") == kinds.KINDS.keys() - {"password"}
        assert self.words("tenant", "properties", "cloud", "enum") == set(administration.CLOUDS)
        assert self.words("tenant", "properties", "condition", "enum") == set(administration.CONDITIONS)
        statuses = self.words("relationship", "properties", "status", "enum")
        assert statuses == set(administration.RELATIONSHIP_STATUSES)
        assert self.words("policies", "properties") == administration.POLICY_SETTINGS.keys()

    def test_describes_every_field(self) -> None:
        bare = [
            f"{name}.{field}"
            for name, part in {"": scenario.schema(), **scenario.schema()["$defs"]}.items()
            for field, described in part["properties"].items()
            if "description" not in described and "$ref" not in described
        ]
        assert bare == []

    def test_uses_no_keyword_that_our_own_check_passes_over(self) -> None:
        def keywords(part: dict[str, Any]) -> set[str]:
            found = set(part)
            inner = [*part.get("properties", {}).values(), *part.get("$defs", {}).values()]
            inner += [part[name] for name in ("items", "additionalProperties") if isinstance(part.get(name), dict)]
            return found.union(*(keywords(one) for one in inner))

        assert keywords(scenario.schema()) <= schema_check.KEYWORDS


class TheManual:
    MANUAL = (ROOT / "docs" / "simulator.md").read_text()

    @pytest.mark.parametrize("what", [control.VERBS, ALL_KINDS, OPERATIONS, KNOBS, NAMES - {"seen", "struck"}])
    def test_names_everything_that_can_be_asked_for(self, what: Collection[str]) -> None:
        assert [name for name in sorted(what) if f"`{name}`" not in self.MANUAL] == []


def variations(value: Any) -> list[Any]:
    """The same JSON value with one thing in it changed, in every place and many ways."""
    others: list[Any] = [None, True, 1, -1, 1.5, 2.0, "", "word", [], [1], {}, {"word": 1}]
    if isinstance(value, dict):
        less = [{n: v for n, v in value.items() if n != name} for name in value]
        inner = [value | {name: one} for name in value for one in variations(value[name])]
        return [*others, *less, *inner, value | {"word": 1}]
    if isinstance(value, list):
        return [
            *others,
            *([*value[:at], one, *value[at + 1 :]] for at in range(len(value)) for one in variations(value[at])),
        ]
    return others


class TheCheckOfTheSchema:
    def test_agrees_with_the_usual_library_about_every_variation(self) -> None:
        usual = jsonschema.Draft202012Validator(scenario.schema())
        for asked in variations(full()):
            try:
                schema_check.check(asked, scenario.schema())
                fits = True
            except schema_check.DoesNotFit:
                fits = False
            assert fits == usual.is_valid(asked), asked
