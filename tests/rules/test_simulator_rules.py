"""Microsoft's rules as the simulated cloud applies them, without any HTTP."""

from __future__ import annotations

import pytest

from msp.microsoft import ports
from msp.simulator import kinds, rules
from msp.simulator.cloud import Cloud, NoRoom
from msp.simulator.faults import FaultPlan
from msp.simulator.knobs import KnobBoard
from msp.simulator.seeding import build, company_names
from msp.simulator.state import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, SimTenant
from msp.simulator.throttle import CONDITIONAL_ACCESS, METHODS, UNITS, Charge, Throttle, charge_of, limit_of

OLD = "Old-Password-1"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(seed=7)


@pytest.fixture
def contoso(cloud: Cloud) -> SimTenant:
    tenant = cloud.add_tenant("Contoso", "contoso.example")
    cloud.add_user(tenant.id, "shared", password=OLD)
    return tenant


class TheKindsOfMethod:
    def test_have_the_words_that_latchkey_uses(self) -> None:
        assert set(kinds.KINDS) - {"future"} == {kind.value for kind in ports.MethodKind} - {"unknown"}

    def test_take_slots_as_latchkey_counts_them(self) -> None:
        assert {name for name, kind in kinds.KINDS.items() if kind.takes_a_slot} == set(ports.SLOT_KINDS)


class ANewPassword:
    @pytest.mark.parametrize("password", ["Abcdef12", "abcdef1!", "ABCDEF1!", "a" * 250 + "B1", "With blank1"])
    def test_of_three_classes_is_accepted(self, password: str) -> None:
        assert rules.password_is_complex(password)

    @pytest.mark.parametrize("password", ["Abc12!x", "abcdefgh1", "ABCDEFGH!", "a" * 255 + "B1", "Pässword-12", ""])
    def test_that_is_short_long_simple_or_not_ascii_is_refused(self, password: str) -> None:
        assert not rules.password_is_complex(password)


class TheRightToResetAPassword:
    @pytest.mark.parametrize(
        ("caller", "target", "allowed"),
        [
            (None, None, False),
            (rules.HELPDESK_ADMINISTRATOR, None, True),
            (rules.HELPDESK_ADMINISTRATOR, rules.USER_ADMINISTRATOR, False),
            (rules.USER_ADMINISTRATOR, rules.HELPDESK_ADMINISTRATOR, True),
            (rules.USER_ADMINISTRATOR, GLOBAL_ADMINISTRATOR, False),
            (rules.AUTHENTICATION_ADMINISTRATOR, rules.HELPDESK_ADMINISTRATOR, False),
            (rules.AUTHENTICATION_ADMINISTRATOR, "some-custom-role", False),
            (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR, True),
            (GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, True),
        ],
    )
    def test_follows_the_published_table(self, caller: str | None, target: str | None, allowed: bool) -> None:
        held, wanted = [caller] if caller else [], [target] if target else []
        assert rules.may_reset_password(held, wanted) is allowed


class WhenFiveAuthenticatorsAreRegistered:
    def test_a_sixth_finds_no_room(self, cloud: Cloud, contoso: SimTenant) -> None:
        for kind in ("software_oath", "software_oath", "hardware_oath", "microsoft_authenticator", "software_oath"):
            cloud.register(contoso.id, "shared@contoso.example", kind)
        with pytest.raises(NoRoom):
            cloud.register(contoso.id, "shared@contoso.example", "software_oath")

    def test_a_phone_still_does(self, cloud: Cloud, contoso: SimTenant) -> None:
        for _ in range(5):
            cloud.register_software_oath(contoso.id, "shared@contoso.example")
        assert cloud.register(contoso.id, "shared@contoso.example", "phone").id == kinds.PHONE_IDS["mobile"]


class WhenAPersonSignsIn:
    upn = "shared@contoso.example"

    def test_the_password_alone_is_not_enough_once_a_second_factor_exists(
        self, cloud: Cloud, contoso: SimTenant
    ) -> None:
        assert cloud.sign_in(contoso.id, self.upn, OLD).let_in
        cloud.register_software_oath(contoso.id, self.upn)
        assert cloud.sign_in(contoso.id, self.upn, OLD).result == "code_needed"

    def test_each_of_two_codes_opens_once(self, cloud: Cloud, contoso: SimTenant) -> None:
        methods = [cloud.register_software_oath(contoso.id, self.upn)[0] for _ in range(2)]
        codes = [cloud.code(contoso.id, self.upn, method) for method in methods]
        assert [cloud.sign_in(contoso.id, self.upn, OLD, code).result for code in [*codes, *codes]] == [
            "signed_in",
            "signed_in",
            "wrong_code",
            "wrong_code",
        ]

    def test_the_code_of_a_removed_method_is_wrong(self, cloud: Cloud, contoso: SimTenant) -> None:
        gone, _ = cloud.register_software_oath(contoso.id, self.upn)
        cloud.register_software_oath(contoso.id, self.upn)
        code = cloud.code(contoso.id, self.upn, gone)
        cloud.remove_method_as_person(contoso.id, self.upn, gone)
        assert cloud.sign_in(contoso.id, self.upn, OLD, code).result == "wrong_code"

    def test_a_push_is_answered_only_by_an_app_that_is_registered(self, cloud: Cloud, contoso: SimTenant) -> None:
        app = cloud.register(contoso.id, self.upn, "microsoft_authenticator").id
        cloud.register_software_oath(contoso.id, self.upn)
        assert cloud.sign_in(contoso.id, self.upn, OLD, push=app).let_in
        cloud.remove_method_as_person(contoso.id, self.upn, app)
        assert cloud.sign_in(contoso.id, self.upn, OLD, push=app).result == "wrong_code"

    def test_a_session_ends_with_the_password(self, cloud: Cloud, contoso: SimTenant) -> None:
        session = cloud.sign_in(contoso.id, self.upn, OLD).session
        assert cloud.session_alive(contoso.id, session)
        cloud.change_password_as_person(contoso.id, self.upn, "New-Password-1")
        assert not cloud.session_alive(contoso.id, session)

    def test_a_blocked_user_stays_outside(self, cloud: Cloud, contoso: SimTenant) -> None:
        session = cloud.sign_in(contoso.id, self.upn, OLD).session
        cloud.set_enabled(contoso.id, self.upn, False)
        assert cloud.sign_in(contoso.id, self.upn, OLD).result == "disabled"
        assert not cloud.session_alive(contoso.id, session)


class WhenWrongPasswordsAreTried:
    upn = "shared@contoso.example"

    def test_ten_different_ones_lock_even_the_right_one_out_for_a_minute(
        self, cloud: Cloud, contoso: SimTenant
    ) -> None:
        for number in range(10):
            assert cloud.sign_in(contoso.id, self.upn, f"wrong-{number}").result == "wrong_password"
        assert cloud.sign_in(contoso.id, self.upn, OLD).result == "locked"
        cloud.advance(61)
        assert cloud.sign_in(contoso.id, self.upn, OLD).let_in

    def test_the_same_one_again_counts_once(self, cloud: Cloud, contoso: SimTenant) -> None:
        for _ in range(30):
            cloud.sign_in(contoso.id, self.upn, "wrong")
        assert cloud.sign_in(contoso.id, self.upn, OLD).let_in

    def test_each_lockout_lasts_twice_as_long(self, cloud: Cloud, contoso: SimTenant) -> None:
        for number in range(10):
            cloud.sign_in(contoso.id, self.upn, f"wrong-{number}")
        cloud.advance(61)
        cloud.sign_in(contoso.id, self.upn, "wrong-again")
        cloud.advance(61)
        assert cloud.sign_in(contoso.id, self.upn, OLD).result == "locked"
        cloud.advance(60)
        assert cloud.sign_in(contoso.id, self.upn, OLD).let_in


class APlanOfFaults:
    def test_strikes_after_the_skipped_and_so_often_as_planned(self) -> None:
        plan = FaultPlan()
        plan.plan(kind="500", method="DELETE", path="softwareOath", skip=1, times=2)
        calls = [plan.next_for("DELETE", "/v1.0/users/1/authentication/softwareOathMethods/2", ()) for _ in range(5)]
        assert [bool(fault) for fault in calls] == [False, True, True, False, False]

    def test_knows_method_path_and_tenant_apart(self) -> None:
        plan = FaultPlan()
        plan.plan(
            {"match": {"method": "GET", "path": "/users", "tenant": "Contoso.example"}, "kind": "503", "times": 0}
        )
        assert plan.next_for("GET", "/v1.0/users", ("1", "contoso.example"))
        assert not plan.next_for("GET", "/v1.0/users", ("2", "fabrikam.example"))
        assert not plan.next_for("POST", "/v1.0/users", ("1", "contoso.example"))
        assert not plan.next_for("GET", "/v1.0/organization", ("1", "contoso.example"))

    def test_of_an_unknown_kind_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no kind of fault"):
            FaultPlan().plan(kind="timeout")


class TheThrottle:
    CALL = Charge(METHODS, 1)

    def test_lets_five_pass_and_names_the_seconds_left(self) -> None:
        throttle = Throttle()
        moments = (100, 101, 102, 103, 104, 105.5, 109.9, 110)
        assert [throttle.take(self.CALL, "app", "contoso", 5, at).wait for at in moments] == [0, 0, 0, 0, 0, 5, 1, 0]

    def test_counts_each_tenant_and_application_alone(self) -> None:
        throttle = Throttle()
        callers = (("app", "contoso"), ("app", "fabrikam"), ("other", "contoso"), ("app", "contoso"))
        assert [throttle.take(self.CALL, *caller, 1, 100).wait for caller in callers] == [0, 0, 0, 10]

    def test_counts_conditional_access_for_all_applications_together(self) -> None:
        throttle, call = Throttle(), Charge(CONDITIONAL_ACCESS, 1)
        assert throttle.take(call, "app", "contoso", 1, 100).wait == 0
        refused = throttle.take(call, "other", "contoso", 1, 100.5)
        assert (refused.wait, refused.headers) == (1, {})
        assert throttle.take(call, "other", "contoso", 1, 101).wait == 0

    @pytest.mark.parametrize(("users", "units"), [(0, 3500), (49, 3500), (50, 5000), (500, 5000), (501, 8000)])
    def test_gives_larger_tenants_more_units(self, users: int, units: int) -> None:
        assert limit_of(UNITS, 5, users) == units

    @pytest.mark.parametrize(
        ("method", "path", "query", "price"),
        [
            ("GET", "users", {}, 2),
            ("GET", "users", {"$select": "id"}, 1),
            ("GET", "users", {"$expand": "manager"}, 3),
            ("GET", "users", {"$top": "5", "$select": "id"}, 1),
            ("GET", "contracts", {}, 3),
            ("GET", "users/1", {}, 1),
        ],
    )
    def test_prices_a_read_in_units(self, method: str, path: str, query: dict[str, str], price: int) -> None:
        assert charge_of(method, tuple(path.split("/")), query) == Charge(UNITS, price)

    @pytest.mark.parametrize("path", ["auditLogs/signIns", "reports/x", "users/1/authentication/methods"])
    def test_counts_logs_reports_and_methods_together(self, path: str) -> None:
        assert charge_of("GET", tuple(path.split("/")), {}) == self.CALL


class TheKnobs:
    def test_of_a_tenant_win_over_those_for_all(self) -> None:
        knobs = KnobBoard()
        knobs.set(read_lag=3)
        knobs.set("contoso", read_lag=9)
        knobs.set(latency_ms=50)
        assert (knobs.of("contoso").read_lag, knobs.of("contoso").latency_ms, knobs.of("other").read_lag) == (9, 50, 3)

    def test_that_do_not_exist_cannot_be_turned(self) -> None:
        with pytest.raises(ValueError, match="no knob called lag"):
            KnobBoard().set(lag=1)


class ABuiltCloud:
    def test_is_the_same_for_the_same_seed_and_another_for_another(self) -> None:
        one, same, other = (build(Cloud(), tenants=5, seed=seed) for seed in (4, 4, 5))
        assert one == same
        assert [t["name"] for t in one["tenants"]] != [t["name"] for t in other["tenants"]]

    def test_gives_every_account_three_to_five_holders_with_a_seed_each(self) -> None:
        cloud = Cloud(seed=2)
        made = build(cloud, tenants=60, accounts_per_tenant=2, technicians=8)
        accounts = [account for tenant in made["tenants"] for account in tenant["accounts"]]
        for account in accounts:
            with_seed = [holder["technician"] for holder in account["holders"] if holder["seed"]]
            assert 3 <= len(with_seed) == len(set(with_seed)) <= 5
            assert sum(kinds.KINDS[holder["kind"]].takes_a_slot for holder in account["holders"]) <= kinds.SLOTS
        assert {h["kind"] for a in accounts for h in a["holders"]} == {
            "software_oath",
            "hardware_oath",
            "microsoft_authenticator",
            "phone",
        }

    def test_lets_each_described_holder_in(self) -> None:
        cloud = Cloud(seed=2)
        for tenant in build(cloud, tenants=3)["tenants"]:
            for account in tenant["accounts"]:
                for holder in account["holders"]:
                    code = cloud.code(tenant["id"], account["upn"], holder["method_id"]) if holder["seed"] else None
                    push = None if holder["seed"] else holder["method_id"]
                    found = cloud.sign_in(tenant["id"], account["upn"], account["password"], code, push)
                    assert found.let_in, holder

    def test_has_two_thousand_different_names(self) -> None:
        assert len(set(company_names(2000, seed=1))) == 2000
