"""Every address of Latchkey, with what the test of the walls needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.source import Address, addresses

SIGNED_IN = "anybody who is signed in"
OPEN = "anybody at all"


@dataclass(frozen=True)
class Page:
    """One address: the methods it takes, the right it needs (or SIGNED_IN, OPEN), what to ask and to send.

    `words` is the query of a GET, made so that it fits objects on both sides of a wall; `form` is what a POST sends;
    `part` is the id of the element that htmx replaces.
    """

    methods: tuple[str, ...] = ("GET",)
    needs: str = SIGNED_IN
    words: str = ""
    form: dict[str, Any] = field(default_factory=dict)
    part: str = "list"


READ, ACT, BOTH = ("GET",), ("POST",), ("GET", "POST")

POLICY = {
    "style": "random",
    "length": "30",
    "words": "6",
    "classes": ["lower", "upper", "digits"],
    "hours_after_reveal": "8",
    "quiet_zone": "UTC",
    "stagger_minutes": "15",
    "asks": "reason",
    "reveals_per_hour": "60",
    "check_out_minutes": "60",
}
"""A password policy with nothing ticked."""

ENROLMENT_POLICY = {
    "our_seed": "on",
    "keep_for_later_days": "0",
    "accounts_per_code": "10",
    "minutes_on_screen": "10",
}
"""An enrolment policy with one way ticked."""

TABLE: dict[str, Page] = {
    "healthz": Page(READ, OPEN),
    "access:sign_in": Page(BOTH, OPEN, form={"email": "nobody@nowhere.example", "password": "not-a-password"}),
    "access:code": Page(BOTH, OPEN, form={"code": "000000"}),
    "access:second_factor": Page(BOTH, OPEN, form={"code": "000000"}),
    "access:set_password": Page(BOTH, OPEN, form={"password": "short", "again": "short"}),
    "access:link": Page(BOTH, OPEN),
    "access:set_up": Page(BOTH, OPEN),
    "hand_over:open": Page(BOTH, OPEN),
    "access:sign_out": Page(ACT, OPEN),
    "web:dashboard": Page(READ),
    "web:search": Page(READ, words="q=a"),
    "tenants:list": Page(READ, "see_accounts"),
    "tenants:detail": Page(READ, "see_accounts"),
    "tenants:observe": Page(ACT, "observe"),
    "tenants:check": Page(READ, "see_accounts"),
    "tenants:check_now": Page(ACT, "observe"),
    "tenants:access": Page(ACT, "import", form={"access": "partner"}),
    "tenants:consent": Page(READ, "observe", words="tenant=a&state=b&admin_consent=True"),
    "tenants:account": Page(READ, "see_accounts"),
    "tenants:reveal": Page(ACT, "reveal", form={"reason": "the printer is down"}),
    "tenants:copy": Page(ACT, "reveal", form={"reason": "the printer is down", "version": "1"}),
    "tenants:check_out": Page(ACT, "reveal", form={"reason": "the printer is down", "minutes": "5"}),
    "tenants:check_in": Page(ACT, "reveal"),
    "tenants:take_back": Page(ACT, "assign", form={"reason": "somebody is ill"}),
    "tenants:observe_account": Page(ACT, "observe"),
    "tenants:export_passwords": Page(BOTH, "export_secrets", form={"scope": "all", "reason": "moving house"}),
    "tenants:hand_over": Page(
        BOTH, "reveal", form={"recipient": "the customer", "reason": "they asked for it", "life": "60"}
    ),
    "tenants:rotate_password": Page(BOTH, "rotate", form={"reason": "the quarter is over"}),
    "tenants:enter_password": Page(BOTH, "reveal", form={"reason": "set by hand", "password": "Sommer-2026-Regen"}),
    "tenants:settle_password": Page(ACT, "reveal", form={"reason": "I tried it", "version": "1"}),
    "tenants:find_out_password": Page(ACT, "reveal"),
    "tenants:hands_off": Page(BOTH, "set_policies", form={"hands_off": "yes", "reason": "the customer asked for it"}),
    "tenants:new_place": Page(BOTH, "import", form={"name": "A firewall", "system": "firewall"}),
    "tenants:new_place_account": Page(BOTH, "import", form={"user_name": "admin"}),
    "tenants:hand_tasks": Page(READ, "see_accounts"),
    "tenants:hand_step": Page(BOTH, "see_accounts", form={"outcome": "done", "note": "set it"}),
    "tenants:hand_password": Page(ACT, "reveal", part="new-password"),
    "tenants:place_authenticator": Page(BOTH, "see_accounts", form={"kind": "fido2", "label": "a blue key"}),
    "tenants:policies": Page(READ, "see_accounts"),
    "tenants:policy": Page(READ, "see_accounts"),
    "tenants:remove_policy": Page(ACT, "set_policies"),
    "tenants:set_policy_of_all": Page(BOTH, "set_policies", form=POLICY),
    "tenants:set_policy_of_group": Page(BOTH, "set_policies", form=POLICY),
    "tenants:set_policy_of_tenant": Page(BOTH, "set_policies", form=POLICY),
    "tenants:set_policy_of_account": Page(BOTH, "set_policies", form=POLICY),
    "tenants:account_class": Page(BOTH, "import", form={"account_class": "high"}),
    "tenants:my_code": Page(ACT, "reveal", part="my-code"),
    "tenants:my_seed": Page(BOTH, "reveal"),
    "tenants:declare_duplicate": Page(ACT, "reveal", form={"label": "the tablet in the drawer"}),
    "tenants:compare_codes": Page(ACT, "reveal"),
    "tenants:mfa_state": Page(BOTH, "see_accounts", form={"state": "enforced"}),
    "tenants:read_mfa_state": Page(ACT, "observe"),
    "tenants:enrolment_policies": Page(READ, "see_accounts"),
    "tenants:enrolment_policy": Page(READ, "see_accounts"),
    "tenants:remove_enrolment_policy": Page(ACT, "set_policies"),
    "tenants:set_enrolment_policy_of_all": Page(BOTH, "set_policies", form=ENROLMENT_POLICY),
    "tenants:set_enrolment_policy_of_group": Page(BOTH, "set_policies", form=ENROLMENT_POLICY),
    "tenants:set_enrolment_policy_of_tenant": Page(BOTH, "set_policies", form=ENROLMENT_POLICY),
    "tenants:set_enrolment_policy_of_account": Page(BOTH, "set_policies", form=ENROLMENT_POLICY),
    "tenants:departure_policy": Page(BOTH, "set_policies", form={"approvals": "1", "approvals_for_many": "2"}),
    "tenants:run_list": Page(READ, "see_runs"),
    "tenants:run": Page(READ, "see_runs", part="progress"),
    "tenants:run_pause": Page(BOTH, "waive", form={"reason": "the customer called"}),
    "tenants:run_resume": Page(BOTH, "waive"),
    "tenants:run_cancel": Page(BOTH, "waive", form={"reason": "the wrong person"}),
    "tenants:run_retry_all": Page(ACT, "waive"),
    "tenants:run_alarm_seen_to": Page(ACT, "waive"),
    "tenants:run_retry": Page(ACT, "waive"),
    "tenants:run_script": Page(BOTH, "waive", form={"digest": "of no script"}),
    "tenants:run_script_ran": Page(BOTH, "waive"),
    "tenants:run_waive": Page(BOTH, "waive", form={"reason": "the phone was destroyed", "until": ""}),
    "technicians:list": Page(READ, "see_people"),
    "technicians:notices": Page(BOTH, "reveal"),
    "technicians:accounts_like": Page(READ, "assign", words="account=a"),
    "technicians:detail": Page(READ, SIGNED_IN),
    "technicians:assign": Page(ACT, "assign", form={"account": "nobody@nowhere.example", "reason": "help"}),
    "technicians:end_assignment": Page(ACT, "assign"),
    "technicians:enrol": Page(BOTH, "see_accounts", form={"way": "microsoft_page"}),
    "technicians:enrolment": Page(READ, "see_accounts", part="enrolment"),
    "technicians:enrol_show": Page(ACT, "see_accounts"),
    "technicians:enrol_prove": Page(ACT, "see_accounts", form={"app_code": "000000"}),
    "technicians:enrol_key": Page(ACT, "see_accounts", form={"seed": "no key", "app_code": "000000"}),
    "technicians:enrol_code": Page(ACT, "see_accounts"),
    "technicians:enrol_pass": Page(ACT, "see_accounts"),
    "technicians:enrol_finish": Page(ACT, "see_accounts"),
    "technicians:enrol_cancel": Page(ACT, "see_accounts"),
    "technicians:withdraw_duplicate": Page(ACT, "reveal"),
    "technicians:comparison": Page(BOTH, "reveal", form={"shown": "000000"}, part="comparison"),
    "technicians:bulk_begin": Page(BOTH, "see_accounts", form={"app": "aegis"}),
    "technicians:bulk": Page(READ, "see_accounts", part="sitting"),
    "technicians:bulk_show": Page(ACT, "see_accounts"),
    "technicians:bulk_prove": Page(ACT, "see_accounts", form={"number": "1"}),
    "technicians:bulk_smaller": Page(ACT, "see_accounts", form={"number": "1"}),
    "technicians:bulk_leave_out": Page(ACT, "see_accounts", form={"number": "1"}),
    "technicians:bulk_file": Page(ACT, "see_accounts", form={"passphrase": "short", "again": "short"}),
    "technicians:bulk_cancel": Page(ACT, "see_accounts"),
    "technicians:hand_over_withdraw": Page(ACT, "reveal"),
    "technicians:enrolment_list": Page(READ, "see_accounts"),
    "technicians:enrolment_list_of": Page(READ, "see_accounts"),
    "technicians:enrolment_link": Page(BOTH, "see_accounts"),
    "technicians:send_enrolment_link": Page(ACT, "enrol"),
    "technicians:withdraw_request": Page(ACT, "see_accounts"),
    "technicians:make_room": Page(ACT, "see_accounts"),
    "technicians:assign_many": Page(
        BOTH, "assign", words="choose=yes&accounts=nobody@nowhere.example", form={"choose": "yes", "reason": "joins"}
    ),
    "technicians:lost_phone": Page(BOTH, "see_accounts", form={"reason": "left on the train"}),
    "technicians:new_phone": Page(BOTH, "see_accounts"),
    "technicians:suspend": Page(BOTH, "offboard", form={"reason": "parental leave"}),
    "technicians:bring_back": Page(BOTH, "offboard"),
    "technicians:take_overs": Page(READ, "see_people"),
    "technicians:take_over_start": Page(BOTH, "enrol", form={"name": "Everybody", "places": "nowhere.example"}),
    "technicians:take_over": Page(READ, "see_people"),
    "technicians:take_over_read": Page(ACT, "enrol"),
    "technicians:take_over_change": Page(ACT, "enrol", form={"due_on": "2031-01-01"}),
    "technicians:take_over_remove": Page(BOTH, "enrol", form={"reason": "nobody claimed them"}),
    "technicians:take_over_cancel": Page(ACT, "enrol", form={"reason": "not now"}),
    "technicians:take_over_reopen": Page(ACT, "enrol"),
    "technicians:take_over_place": Page(BOTH, "enrol", form={"reason": "for a newcomer"}),
    "technicians:take_over_excuse": Page(ACT, "enrol", form={"reason": "on leave"}),
    "technicians:take_over_ask_again": Page(ACT, "enrol"),
    "technicians:claim_method": Page(BOTH, "see_accounts", form={"proof": "claimed"}),
    "technicians:unclaim": Page(BOTH, "see_accounts", form={"reason": "it was another"}),
    "technicians:rehearsals": Page(READ, "see_people"),
    "technicians:rehearsal": Page(READ, "see_people", part="state"),
    "technicians:rehearsal_evidence": Page(ACT, "see_people"),
    "technicians:rehearse": Page(BOTH, "offboard"),
    "technicians:ask_to_enrol": Page(ACT, "enrol"),
    "technicians:exit_customer": Page(BOTH, "offboard", form={"reason": "they move to another provider"}),
    "technicians:customer_exit": Page(READ, "offboard"),
    "technicians:exit_package": Page(
        ACT, "export_secrets", form={"recipient": "their manager", "passphrase": "short", "again": "short"}
    ),
    "technicians:exit_received": Page(ACT, "offboard", form={"note": "their manager called"}),
    "technicians:exit_end": Page(ACT, "shred_secrets", form={"reason": "the contract has ended"}),
    "technicians:offboard": Page(BOTH, "offboard", form={"reason": "resigned"}),
    "technicians:departures": Page(READ, "see_people"),
    "technicians:ask_departure": Page(BOTH, "offboard", form={"reason": "resigned"}),
    "technicians:departure": Page(READ, "see_people"),
    "technicians:approve_departure": Page(ACT, "offboard", form={"words": "agreed"}),
    "technicians:reject_departure": Page(ACT, "offboard", form={"words": "not yet"}),
    "technicians:withdraw_departure": Page(ACT, "offboard", form={"words": "stays after all"}),
    "technicians:override_departure": Page(ACT, "offboard", form={"words": "cannot wait"}),
    "technicians:reshare": Page(READ, "see_people", part="reshare"),
    "technicians:reshare_remind": Page(ACT, "offboard"),
    "technicians:review_departure": Page(ACT, "offboard", form={"words": "was right"}),
    "ledger:list": Page(BOTH, "see_ledger"),
    "import:start": Page(BOTH, "import", form={"kind": "accounts"}),
    "import:show": Page(READ, "import"),
    "import:columns": Page(BOTH, "import", form={"upn": "0", "password": "1"}),
    "import:answers": Page(ACT, "import", form={"line": "2", "account-2": "nobody@nowhere.example"}),
    "import:apply": Page(ACT, "import"),
    "reports:index": Page(READ, "see_reports"),
    "reports:access": Page(BOTH, "see_reports"),
    "reports:leavers": Page(BOTH, "see_reports"),
    "reports:knowledge": Page(BOTH, "see_reports"),
    "reports:evidence_list": Page(READ, "see_reports"),
    "reports:run_summary": Page(BOTH, "see_reports"),
    "reports:evidence": Page(BOTH, "see_reports"),
    "reports:tenant_evidence": Page(BOTH, "see_reports"),
    "reports:evidence_key": Page(READ, "see_reports"),
}


def known() -> list[Address]:
    """The addresses that stand in the table; tests/test_house.py fails for those that do not."""
    return [a for a in addresses() if a.name in TABLE]


def about_an_object() -> list[Address]:
    """Those that name rows of ours; a one-time link is no row that a wall could hide."""
    return [a for a in known() if a.parameters and a.parameters != ("token",)]
