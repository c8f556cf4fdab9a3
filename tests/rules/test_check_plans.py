"""What a tenant check concludes: each thing that can be wrong has its sentence, its remedy and its place."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from msp.errors import Busy, DirectoryError, NeedsLicence, NoConnection, NotAllowed, Unreachable
from msp.microsoft.clouds import CLOUDS
from msp.microsoft.partner_ports import Relationship
from msp.microsoft.ports import FoundAccount
from msp.microsoft.tenant_ports import AccessPolicy, Domain, MethodPolicy, Organisation, OwnAccess, Role
from tenants.check_access import (
    DANGEROUS,
    GLOBAL_ADMINISTRATOR,
    HELPDESK_ADMINISTRATOR,
    NEEDED,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    USER_ADMINISTRATOR,
    is_enough,
    least_role,
)
from tenants.check_facts import AccountFacts, CheckItem, CheckState, Credential, TenantFacts, worst_of
from tenants.check_plans import judge, judge_clock, judge_credential
from tests.support.reference import permissions, reference_needed

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
TENANT = "c0000000-0000-4000-8000-000000000001"
ADMIN = "a0000000-0000-4000-8000-00000000000a"
OURS = "11111111-2222-4333-8444-555555555555"
PAA = Role(PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, "Privileged Authentication Administrator")
GLOBAL = Role(GLOBAL_ADMINISTRATOR, "Global Administrator")
USER_ADMIN = Role(USER_ADMINISTRATOR, "User Administrator")
ALL_NEEDED = frozenset(need.permission for need in NEEDED)


def account(**facts: Any) -> AccountFacts:
    """A shared Global Administrator that is there, enabled, cloud-only."""
    known: dict[str, Any] = {
        "account_id": OURS,
        "name": "admin@contoso.example",
        "object_id": ADMIN,
        "break_glass": False,
        "found": FoundAccount(ADMIN, "admin@contoso.example", "Admin"),
        "properties": {"userType": "Member", "accountEnabled": True, "onPremisesSyncEnabled": None},
        "roles": (GLOBAL,),
    }
    return AccountFacts(**(known | facts))


IN_ORDER = TenantFacts(
    at=NOW,
    tenant_id=TENANT,
    cloud=CLOUDS["global"],
    credential=Credential("certificate", ends_at=NOW + dt.timedelta(days=400)),
    own_access=OwnAccess("sp-1", ALL_NEEDED, (PAA,)),
    organisation=Organisation(TENANT, "Contoso", "contoso.example", False, frozenset({"AAD_PREMIUM"})),
    domains=(Domain("contoso.example", verified=True, federated=False, default=True),),
    security_defaults=True,
    method_policy=MethodPolicy({"softwareoath": True, "hardwareoath": False, "temporaryaccesspass": False}),
    access_policies=None,
    clock_difference=0.4,
    accounts=(account(),),
)


def found(key: str = "", **facts: Any) -> CheckItem:
    """The one item of that key."""
    (item,) = [i for i in judge(replace(IN_ORDER, **facts)) if i.key == key]
    return item


def of_account(**facts: Any) -> CheckItem:
    return found(f"account.{OURS}", accounts=(account(**facts),))


def of_role(own: tuple[Role, ...] | None, target: Any = (GLOBAL,)) -> CheckItem:
    return found(f"role.{OURS}", own_access=OwnAccess("sp-1", ALL_NEEDED, own), accounts=(account(roles=target),))


def no_connection(code: str) -> NoConnection:
    return NoConnection(f"Microsoft said {code}.", code=code)


class WhenEverythingIsInOrder:
    def test_every_item_is_green_and_asks_for_nothing(self):
        items = judge(IN_ORDER)
        assert {i.state for i in items} == {CheckState.OK}
        assert [i.key for i in items if i.remedy] == []

    def test_every_item_belongs_to_a_group_that_has_a_title(self):
        groups = [i.group for i in judge(replace(IN_ORDER, relationships=()))]
        assert groups == sorted(groups, key=["credential", "tenant", "consent", "permission", "excess", "role",
                                             "account", "licence", "policy", "gdap", "clock"].index)  # fmt: skip

    def test_what_is_kept_reads_back_the_same(self):
        items = judge(replace(IN_ORDER, own_access=no_connection("AADSTS65001")))
        assert tuple(CheckItem.from_json(i.as_json()) for i in items) == items


class EveryItem:
    @pytest.mark.parametrize(
        "facts",
        [
            {"own_access": no_connection(f"AADSTS{n}")}
            for n in (65001, 700016, 7000112, 90002, 7000215, 7000222, 700027, 700024, 700025, 7000218, 53003)
        ]
        + [
            {"own_access": OwnAccess("sp", frozenset(), ()), "organisation": NotAllowed("No.")},
            {"own_access": OwnAccess("sp", frozenset(DANGEROUS), (GLOBAL,))},
            {"domains": (Domain("contoso.example", verified=True, federated=True),)},
            {"security_defaults": False, "access_policies": ()},
            {"method_policy": MethodPolicy({}), "hardware_tokens": True},
            {"relationships": ()},
            {"clock_difference": 100.0},
            {"accounts": (account(found=None),)},
        ],
    )
    def test_that_is_wrong_or_worth_a_look_says_what_to_do(self, facts: dict[str, Any]):
        bad = [i for i in judge(replace(IN_ORDER, **facts)) if i.state in (CheckState.WRONG, CheckState.WARNING)]
        assert bad
        assert [i.key for i in bad if not i.remedy] == []

    def test_counts_what_is_not_known_above_a_warning_and_below_what_is_wrong(self):
        def worst(*states: CheckState) -> CheckState:
            return worst_of([CheckItem("x", state, "") for state in states])

        assert worst(CheckState.OK, CheckState.WARNING) == CheckState.WARNING
        assert worst(CheckState.WARNING, CheckState.UNKNOWN) == CheckState.UNKNOWN
        assert worst(CheckState.UNKNOWN, CheckState.WRONG, CheckState.OK) == CheckState.WRONG
        assert worst() == CheckState.UNKNOWN


class TheCredential:
    @pytest.mark.parametrize(
        ("days", "state", "words"),
        [
            (-1, CheckState.WRONG, "ended on 2026-11-24"),
            (29, CheckState.WARNING, "29 days left"),
            (31, CheckState.OK, "31 days left"),
        ],
    )
    def test_is_judged_by_the_end_of_its_certificate(self, days: int, state: CheckState, words: str):
        item = judge_credential(Credential("certificate", ends_at=NOW + dt.timedelta(days=days)), NOW)
        assert item.state == state
        assert words in item.sentence

    def test_that_begins_later_is_wrong(self):
        later = NOW + dt.timedelta(days=2)
        item = judge_credential(Credential("certificate", later + dt.timedelta(days=99), begins_at=later), NOW)
        assert (item.state, "only from 2026-11-27" in item.sentence) == (CheckState.WRONG, True)

    def test_that_cannot_be_read_says_why(self):
        item = judge_credential(Credential("certificate", trouble="The file x.pem cannot be used."), NOW)
        assert (item.state, "x.pem" in item.sentence) == (CheckState.WRONG, True)

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("AADSTS7000215", "does not know the client secret"),
            ("AADSTS7000222", "has expired"),
            ("AADSTS700027", "does not know the app's certificate"),
            ("AADSTS700024", "not valid at this time"),
        ],
    )
    def test_that_microsoft_refuses_is_wrong_and_the_tenant_is_not_blamed(self, code: str, words: str):
        facts = {"own_access": no_connection(code)}
        item = found("credential", **facts)
        assert (item.state, words in item.sentence) == (CheckState.WRONG, True)
        assert found("tenant", **facts).state == CheckState.UNKNOWN
        assert found("consent", **facts).state == CheckState.UNKNOWN

    def test_that_is_expired_says_so_whatever_else_failed(self):
        ended = Credential("certificate", ends_at=NOW - dt.timedelta(days=3))
        item = found("credential", credential=ended, own_access=no_connection("certificate_expired"))
        assert "ended on" in item.sentence

    def test_that_is_a_secret_is_allowed(self):
        assert judge_credential(Credential("secret"), NOW).state == CheckState.OK


class TheTenant:
    def test_that_is_not_in_this_cloud_is_wrong_and_named(self):
        item = found("tenant", own_access=no_connection("AADSTS90002"))
        assert (item.state, TENANT in item.sentence, "Tenant ID" in item.remedy) == (CheckState.WRONG, True, True)

    def test_that_answers_as_another_one_is_wrong(self):
        other = Organisation(OURS, "Fabrikam", "fabrikam.example", False, frozenset())
        item = found("tenant", organisation=other)
        assert (item.state, OURS in item.sentence) == (CheckState.WRONG, True)

    @pytest.mark.parametrize(
        "silence", [Unreachable("No answer came."), Busy("Microsoft asks for patience.", retry_after=7)]
    )
    def test_that_does_not_answer_is_wrong_in_its_own_words(self, silence: DirectoryError):
        item = found("tenant", own_access=silence)
        assert (item.state, item.sentence) == (CheckState.WRONG, str(silence))

    def test_that_falls_silent_after_the_token_is_wrong_too(self):
        silence = Unreachable("It broke off.")
        item = found("tenant", broke_off=silence, method_policy=silence, clock_difference=silence)
        assert (item.state, item.sentence) == (CheckState.WRONG, "It broke off.")

    def test_in_a_cloud_without_the_api_is_wrong(self):
        item = found("tenant.cloud", cloud=CLOUDS["china"])
        assert (item.state, "by hand" in item.remedy) == (CheckState.WRONG, True)

    def test_without_a_token_one_item_stands_for_all_that_was_not_looked_at(self):
        items = judge(replace(IN_ORDER, own_access=Unreachable("No answer came.")))
        assert [i.key for i in items] == ["credential", "tenant", "consent", "permission.all", "clock"]


class WhenConsentIsMissing:
    @pytest.mark.parametrize("code", ["AADSTS65001", "AADSTS700016"])
    def test_the_link_is_the_remedy(self, code: str):
        item = found("consent", own_access=no_connection(code))
        assert (item.state, item.consent) == (CheckState.WRONG, True)
        assert code in item.sentence

    def test_a_token_without_any_permission_is_no_consent(self):
        nothing = {"own_access": OwnAccess("sp", frozenset(), ()), "organisation": NotAllowed("No.")}
        item = found("consent", **nothing)
        assert (item.state, item.consent) == (CheckState.WRONG, True)

    def test_who_comes_as_the_partner_is_sent_to_partner_center(self):
        item = found("consent", own_access=no_connection("AADSTS65001"), as_partner=True)
        assert (item.state, item.consent, "Partner Center" in item.remedy) == (CheckState.WRONG, False, True)

    def test_a_token_that_cannot_be_read_but_reads_the_tenant_proves_consent(self):
        """What it holds is not known then, which is something else than missing."""
        items = judge(replace(IN_ORDER, own_access=OwnAccess("sp", frozenset(), (PAA,))))
        assert next(i for i in items if i.key == "consent").state == CheckState.OK
        assert [(i.key, i.state) for i in items if i.group == "permission"] == [("permission.all", CheckState.UNKNOWN)]

    @pytest.mark.parametrize(
        "own", [no_connection("AADSTS7000112"), OwnAccess("sp", ALL_NEEDED, (PAA,), enabled=False)]
    )
    def test_an_app_that_was_disabled_needs_no_consent_but_a_switch(self, own: Any):
        item = found("consent", own_access=own)
        assert (item.state, item.consent) == (CheckState.WRONG, False)
        assert "Enterprise applications" in item.remedy


class EveryPermission:
    @pytest.mark.parametrize("need", NEEDED, ids=lambda need: need.permission)
    def test_that_is_missing_is_named_with_what_it_serves(self, need: Any):
        own = OwnAccess("sp", ALL_NEEDED - {need.permission}, (PAA,))
        item = found(f"permission.{need.permission}", own_access=own)
        assert item.state == need.without
        assert item.sentence == f"{need.permission} is missing, so Latchkey cannot {need.serves}."
        assert "API permissions" in item.remedy
        assert item.consent

    def test_may_be_covered_by_a_wider_one_which_is_then_too_much(self):
        own = OwnAccess("sp", ALL_NEEDED - {"User.RevokeSessions.All"} | {"User.ReadWrite.All"}, (PAA,))
        item = found("permission.User.RevokeSessions.All", own_access=own)
        assert (item.state, "User.ReadWrite.All" in item.sentence) == (CheckState.OK, True)
        assert found("excess.User.ReadWrite.All", own_access=own).state == CheckState.WARNING

    @pytest.mark.parametrize("name", sorted(DANGEROUS))
    def test_that_is_dangerous_and_not_needed_is_a_warning_by_itself(self, name: str):
        item = found(f"excess.{name}", own_access=OwnAccess("sp", ALL_NEEDED | {name}, (PAA,)))
        assert (item.state, name in item.remedy) == (CheckState.WARNING, True)

    def test_that_is_not_known_here_is_too_much_as_well(self):
        item = found("excess.others", own_access=OwnAccess("sp", ALL_NEEDED | {"Mail.Read", "Sites.Read.All"}, (PAA,)))
        assert "Mail.Read, Sites.Read.All" in item.sentence

    def test_for_hardware_tokens_is_asked_for_only_where_there_are_some(self):
        key = "permission.Policy.ReadWrite.AuthenticationMethod"
        assert found(key).state == CheckState.OK
        assert found(key, hardware_tokens=True).state == CheckState.WARNING
        assert [i for i in judge(replace(IN_ORDER, cloud=CLOUDS["us_gov_l4"])) if i.key == key] == []

    def test_is_called_so_by_microsoft(self):
        """Every name in our tables stands in Microsoft's list, as a permission of an application."""
        reference_needed()
        known = {name for path in permissions().values() for method in path.values() for name in method["application"]}
        ours = ALL_NEEDED | {"Policy.ReadWrite.AuthenticationMethod"}
        assert ours - known == set()
        assert {name for need in NEEDED for name in need.wider} - known == set()


class TheRoleOfTheApp:
    @pytest.mark.parametrize(
        ("target", "least"),
        [
            ([], USER_ADMINISTRATOR),
            ([HELPDESK_ADMINISTRATOR], USER_ADMINISTRATOR),
            ([USER_ADMINISTRATOR], USER_ADMINISTRATOR),
            ([GLOBAL_ADMINISTRATOR], PRIVILEGED_AUTHENTICATION_ADMINISTRATOR),
            ([USER_ADMINISTRATOR, "29232cdf-9323-42fd-ade2-1d097af3e4de"], PRIVILEGED_AUTHENTICATION_ADMINISTRATOR),
            (["a-role-of-their-own"], PRIVILEGED_AUTHENTICATION_ADMINISTRATOR),
        ],
    )
    def test_that_is_named_is_the_least_that_does(self, target: list[str], least: str):
        assert least_role(target) == least
        assert is_enough({least}, target)

    def test_is_wrong_without_one_and_the_least_is_named(self):
        item = of_role(())
        assert (item.state, item.account_id) == (CheckState.WRONG, OURS)
        assert "the app holds no role" in item.sentence
        assert "Assign the role Privileged Authentication Administrator" in item.remedy
        assert "sp-1" in item.remedy

    def test_is_asked_to_be_lower_for_an_account_without_a_role(self):
        assert "Assign the role User Administrator" in of_role((), target=()).remedy

    def test_of_a_user_administrator_does_not_reach_an_administrator(self):
        assert of_role((USER_ADMIN,)).state == CheckState.WRONG
        assert of_role((USER_ADMIN,), target=()).state == CheckState.OK

    def test_within_an_administrative_unit_is_not_enough_and_says_why(self):
        item = of_role((replace(PAA, scope="/administrativeUnits/1"),))
        assert (item.state, "administrative unit" in item.sentence) == (CheckState.WRONG, True)

    @pytest.mark.parametrize(
        ("own", "target"), [(None, (GLOBAL,)), ((PAA,), NotAllowed("No.", code="Authorization_RequestDenied"))]
    )
    def test_is_not_known_where_roles_cannot_be_read(self, own: Any, target: Any):
        item = of_role(own, target)
        assert (item.state, "RoleManagement.Read.Directory" in item.remedy) == (CheckState.UNKNOWN, True)

    def test_is_not_asked_about_a_break_glass_account(self):
        items = judge(replace(IN_ORDER, accounts=(account(break_glass=True, roles=None),)))
        assert [i for i in items if i.group == "role"] == []

    def test_of_the_partners_user_comes_from_the_relationship(self):
        def item(*relationships: Relationship) -> CheckItem:
            return found(f"role.{OURS}", as_partner=True, relationships=relationships)

        relation = Relationship(
            "r",
            "Support",
            TENANT,
            "Contoso",
            "active",
            None,
            True,
            frozenset({PRIVILEGED_AUTHENTICATION_ADMINISTRATOR}),
        )
        assert item(relation).state == CheckState.OK
        low = item(replace(relation, roles=frozenset({USER_ADMINISTRATOR})))
        assert (low.state, "Partner Center" in low.remedy) == (CheckState.WRONG, True)
        assert item().state == CheckState.UNKNOWN

    def test_of_a_global_administrator_is_more_than_is_needed(self):
        own = OwnAccess("sp", ALL_NEEDED, (GLOBAL,))
        assert found("excess.role", own_access=own).state == CheckState.WARNING


class ASharedAccount:
    def test_that_is_gone_is_wrong(self):
        item = of_account(found=None)
        assert (item.state, "Deleted users" in item.remedy) == (CheckState.WRONG, True)

    def test_whose_name_somebody_else_bears_is_a_different_object(self):
        new = FoundAccount("b0000000-0000-4000-8000-00000000000b", "admin@contoso.example", "Admin")
        item = of_account(found=None, namesake=new)
        assert item.state == CheckState.WRONG
        assert "different object" in item.sentence
        assert new.object_id in item.sentence

    @pytest.mark.parametrize(
        ("properties", "state", "words"),
        [
            ({"userType": "Guest"}, CheckState.WRONG, "guest"),
            ({"onPremisesSyncEnabled": True}, CheckState.WRONG, "synced"),
            ({"accountEnabled": False}, CheckState.WARNING, "blocked"),
            ({"isManagementRestricted": True}, CheckState.WARNING, "restricted management"),
        ],
    )
    def test_of_a_kind_that_cannot_be_worked_on_says_so(self, properties: Any, state: CheckState, words: str):
        item = of_account(properties=properties)
        assert (item.state, words in item.sentence) == (state, True)

    def test_with_a_guests_name_is_a_guest_whatever_its_type_says(self):
        guest = FoundAccount(ADMIN, "ana_partner.example#EXT#@contoso.example", "Ana")
        assert "guest" in of_account(found=guest).sentence

    def test_in_a_federated_domain_is_wrong(self):
        item = found(f"account.{OURS}", domains=(Domain("Contoso.example", verified=True, federated=True),))
        assert (item.state, "federated" in item.sentence) == (CheckState.WRONG, True)

    def test_whose_domains_cannot_be_read_leaves_that_open(self):
        assert found("account.domains", domains=NotAllowed("No.")).state == CheckState.UNKNOWN
        assert found(f"account.{OURS}", domains=NotAllowed("No.")).state == CheckState.OK

    def test_that_cannot_be_looked_up_is_not_known(self):
        assert of_account(found=NotAllowed("No User.Read.All.")).state == CheckState.UNKNOWN
        assert of_account(properties=NotAllowed("No User.Read.All.")).state == CheckState.UNKNOWN


class TheTenantsPolicies:
    def test_without_p1_tell_that_sign_ins_cannot_be_read(self):
        free = Organisation(TENANT, "Contoso", "contoso.example", False, frozenset())
        item = found("licence.premium", organisation=free)
        assert (item.state, "P1" in item.remedy) == (CheckState.WARNING, True)

    @pytest.mark.parametrize(
        ("name", "hardware", "state"),
        [
            ("softwareoath", False, CheckState.WARNING),
            ("hardwareoath", False, CheckState.OK),
            ("hardwareoath", True, CheckState.UNKNOWN),
            ("temporaryaccesspass", False, CheckState.OK),
        ],
    )
    def test_that_forbid_a_kind_matter_where_it_is_used(self, name: str, hardware: bool, state: CheckState):
        assert found(f"policy.{name}", method_policy=MethodPolicy({}), hardware_tokens=hardware).state == state

    def test_that_forbid_hardware_tokens_matter_where_there_are_some(self):
        forbidden = MethodPolicy({"hardwareoath": False})
        assert found("policy.hardwareoath", method_policy=forbidden, hardware_tokens=True).state == CheckState.WARNING
        assert found("policy.hardwareoath", method_policy=forbidden).state == CheckState.OK

    @pytest.mark.parametrize(
        ("others", "state"),
        [
            ((AccessPolicy("1", "MFA", "enabled"),), CheckState.OK),
            ((AccessPolicy("1", "MFA", "enabledForReportingButNotEnforced"),), CheckState.WARNING),
            ((), CheckState.WARNING),
            (NeedsLicence("No P1."), CheckState.WARNING),
            (NotAllowed("No permission."), CheckState.UNKNOWN),
        ],
    )
    def test_must_ask_for_a_second_factor_one_way_or_the_other(self, others: Any, state: CheckState):
        assert found("policy.defaults", security_defaults=False, access_policies=others).state == state

    def test_that_cannot_be_read_are_not_known(self):
        assert found("policy.methods", method_policy=NotAllowed("No.")).state == CheckState.UNKNOWN
        assert found("policy.defaults", security_defaults=NotAllowed("No.")).state == CheckState.UNKNOWN


class TheDelegatedAdministration:
    def relation(self, days: float | None, status: str = "active", *, extends: bool = False) -> Relationship:
        ends = None if days is None else NOW + dt.timedelta(days=days)
        return Relationship("r-1", "Contoso support", TENANT.upper(), "Contoso", status, ends, extends, frozenset())

    def test_is_no_matter_for_a_reseller_who_comes_as_the_app(self):
        assert [i for i in judge(IN_ORDER) if i.group == "gdap"] == []

    @pytest.mark.parametrize(
        ("days", "status", "extends", "state"),
        [
            (200, "active", False, CheckState.OK),
            (29, "active", False, CheckState.WARNING),
            (29, "expiring", True, CheckState.OK),
            (None, "active", True, CheckState.OK),
            (-1, "active", False, CheckState.WRONG),
            (90, "terminated", False, CheckState.WRONG),
        ],
    )
    def test_is_judged_by_its_end(self, days: float | None, status: str, extends: bool, state: CheckState):
        item = found("gdap", relationships=(self.relation(days, status, extends=extends),))
        assert item.state == state

    def test_counts_the_one_that_lasts_longest(self):
        both = (self.relation(5), self.relation(300))
        assert found("gdap", relationships=both).state == CheckState.OK

    def test_with_other_customers_does_not_count(self):
        other = replace(self.relation(300), customer_tenant_id=OURS)
        assert "no delegated admin relationship" in found("gdap", relationships=(other,)).sentence

    def test_that_cannot_be_read_is_not_known(self):
        assert found("gdap", relationships=NotAllowed("No.")).state == CheckState.UNKNOWN


class TheClock:
    @pytest.mark.parametrize(
        ("seconds", "state"),
        [
            (0.2, CheckState.OK),
            (-60, CheckState.OK),
            (61, CheckState.WARNING),
            (-240, CheckState.WARNING),
            (241, CheckState.WRONG),
            (None, CheckState.UNKNOWN),
            (NotAllowed("No."), CheckState.UNKNOWN),
        ],
    )
    def test_is_judged_by_its_difference_to_microsofts(self, seconds: Any, state: CheckState):
        assert judge_clock(seconds).state == state
