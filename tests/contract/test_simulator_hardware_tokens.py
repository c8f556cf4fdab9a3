"""Hardware OATH tokens at the simulated Graph, from the inventory to a user and back.

Answers are held against the published contract and the documented samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from msp.simulator import kinds
from tests.contract.test_simulator_openapi import faults_in, unknown_names
from tests.support.enrolment_desk import (
    IN_DIRECTORY,
    IN_METHODS,
    POLICY,
    TO_CHANGE_METHODS,
    TO_CHANGE_POLICIES,
    Desk,
    enrolment_desk,
    refusal,
    sentence,
)
from tests.support.reference import reference_needed, sample

LONG_PAST = -10


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with enrolment_desk(tmp_path) as made:
        yield made


class WhenATokenIsAssigned:
    def test_it_is_the_users_and_no_second_factor_yet(self, desk: Desk) -> None:
        token_id = desk.created()
        answer = desk.assign(token_id)
        assert (answer.status_code, answer.json()["id"]) == (201, token_id)
        assert answer.json().keys() - {"@odata.context"} == sample_names("beta-hardwareOathMethod-assign-201")
        assert desk.standing(token_id) == ("assigned", desk.shared.id)
        (shown,) = desk.of_user("GET").json()["value"]
        assert (shown["id"], shown["device"]["status"]) == (token_id, "assigned")
        assert desk.of_user("GET", f"/{token_id}").json()["id"] == token_id
        listed = desk.authentication("GET", "methods", "beta").json()["value"]
        assert [method["id"] for method in listed] == [kinds.PASSWORD_METHOD_ID]
        assert (desk.method_ids(), desk.shared.default) == ([], "")
        assert desk.cloud.sign_in(desk.contoso.id, desk.shared.upn, desk.shared.password).let_in

    def test_nobody_gets_it_too(self, desk: Desk) -> None:
        token_id, ben = desk.created(), desk.cloud.add_user(desk.contoso.id, "ben")
        desk.assign(token_id)
        for user in (ben, desk.shared):
            assert refusal(desk.assign(token_id, user)) == IN_METHODS
            assert refusal(desk.assign_and_activate(token_id, desk.code(), user)) == IN_METHODS
        assert desk.of_user("POST", f"/{token_id}/activate", user=ben, json={}).status_code == 404
        assert desk.standing(token_id) == ("assigned", desk.shared.id)

    def test_it_goes_back_without_ever_having_been_activated(self, desk: Desk) -> None:
        token_id = desk.created()
        desk.assign(token_id)
        first, second = (desk.of_user("DELETE", f"/{token_id}") for _ in range(2))
        assert (first.status_code, refusal(second)) == (204, (404, "resourceNotFound"))
        assert desk.standing(token_id) == ("available", "")

    @pytest.mark.parametrize("body", [{}, {"device": None}, {"device": {}}, {"device": {"id": 5}}, {"id": "x"}])
    def test_the_body_must_name_it(self, desk: Desk, body: object) -> None:
        assert refusal(desk.of_user("POST", json=body)) == IN_METHODS

    def test_a_token_or_a_user_that_is_not_there_is_told_apart(self, desk: Desk) -> None:
        assert refusal(desk.assign("00000000-0000-4000-8000-000000000051")) == (404, "resourceNotFound")
        nobody = desk.graph(
            "POST", "/users/nobody/authentication/hardwareOathMethods", "beta", json={"device": {"id": desk.created()}}
        )
        assert refusal(nobody) == (404, "Request_ResourceNotFound")

    @pytest.mark.parametrize("held", [TO_CHANGE_METHODS, "UserAuthMethod-HardwareOATH.ReadWrite.All"])
    def test_either_permission_for_methods_opens_it(self, desk: Desk, held: str) -> None:
        token_id = desk.created()
        desk.grant((held,))
        assert desk.assign(token_id).status_code == 201
        assert desk.activate(token_id, desk.code()).status_code == 204

    def test_the_permission_for_the_inventory_does_not(self, desk: Desk) -> None:
        token_id = desk.created()
        desk.grant((TO_CHANGE_POLICIES,))
        for answer in (desk.assign(token_id), desk.activate(token_id, "1"), desk.assign_and_activate(token_id, "1")):
            assert refusal(answer) == (403, "accessDenied")


def sample_names(name: str) -> set[str]:
    reference_needed()
    return set(sample(name))


class WhenATokenIsActivated:
    @pytest.mark.parametrize(
        "facts",
        [{}, {"timeIntervalInSeconds": 60}, {"hashFunction": "hmacsha256"}],
        ids=["30s", "60s", "sha256"],
    )
    def test_it_is_the_users_method_of_the_same_id_and_its_codes_sign_in(self, desk: Desk, facts: dict) -> None:
        token_id = desk.created(**facts)
        assert desk.assign(token_id).status_code == 201
        answer = desk.activate(token_id, desk.code(**facts))
        assert (answer.status_code, answer.content) == (204, b"")
        assert (desk.standing(token_id), desk.method_ids()) == (("activated", desk.shared.id), [token_id])
        assert desk.preferred() == "oath"
        code = desk.code(1, **facts)
        assert [desk.signs_in(code), desk.signs_in(code)] == ["signed_in", "wrong_code"]

    def test_both_steps_in_one_call_do_the_same(self, desk: Desk) -> None:
        token_id = desk.created()
        sent = {"device": {"id": token_id}, "verificationCode": desk.code(), "displayName": "Ana's token"}
        assert desk.of_user("POST", "/assignAndActivate", json=sent).status_code == 204
        assert desk.standing(token_id) == ("activated", desk.shared.id)
        (shown,) = desk.of_user("GET").json()["value"]
        assert shown["device"]["displayName"] == desk.token(token_id)["displayName"] == "Ana's token"

    def test_its_serial_names_it_too(self, desk: Desk) -> None:
        token_id = desk.created()
        sent = {"serialNumber": "LK-0001", "verificationCode": desk.code()}
        tail = "/microsoft.graph.assignAndActivateBySerialNumber"
        assert refusal(desk.of_user("POST", tail, json=sent | {"serialNumber": "LK-9"})) == (404, "resourceNotFound")
        assert desk.of_user("POST", tail, json=sent).status_code == 204
        assert desk.method_ids() == [token_id]

    def test_the_list_keeps_the_published_schema_and_the_documented_names(self, desk: Desk) -> None:
        reference_needed()
        desk.active()
        desk.assign(desk.created(serialNumber="LK-0002"))
        shown = desk.of_user("GET").json()["value"]
        path = "/users/{}/authentication/hardwareoathmethods"
        for found in shown:
            assert faults_in(found, "hardwareOathAuthenticationMethod", "beta", path) == []
            assert unknown_names(found, "hardwareOathAuthenticationMethod", "beta", path) == set()
        (documented,) = sample("beta-hardwareOathMethods-list")["value"]
        assert [found["device"].keys() for found in shown] == [documented["device"].keys()] * 2

    @pytest.mark.parametrize("wrong", [None, "", "12345", 123456, "abcdef"])
    def test_what_is_no_code_fails(self, desk: Desk, wrong: object) -> None:
        token_id = desk.created()
        assert refusal(desk.assign_and_activate(token_id, wrong)) == IN_METHODS
        assert (desk.standing(token_id), desk.method_ids()) == (("failedActivation", desk.shared.id), [])

    def test_a_code_of_long_ago_fails_and_the_next_right_one_mends_it(self, desk: Desk) -> None:
        token_id = desk.created()
        answer = desk.assign_and_activate(token_id, desk.code(LONG_PAST))
        assert (refusal(answer), "verification code" in sentence(answer)) == (IN_METHODS, True)
        assert desk.standing(token_id) == ("failedActivation", desk.shared.id)
        assert desk.activate(token_id, desk.code()).status_code == 204
        assert desk.standing(token_id) == ("activated", desk.shared.id)

    def test_the_clock_of_the_cloud_counts(self, desk: Desk) -> None:
        token_id, code = desk.created(), desk.code()
        desk.cloud.advance(3600)
        assert refusal(desk.assign_and_activate(token_id, code)) == IN_METHODS

    def test_a_code_serves_once_in_all(self, desk: Desk) -> None:
        token_id, code = desk.created(), desk.code()
        desk.assign_and_activate(token_id, code)
        assert desk.signs_in(code) == "wrong_code"
        desk.of_user("DELETE", f"/{token_id}")
        assert refusal(desk.assign_and_activate(token_id, code)) == IN_METHODS
        assert desk.activate(token_id, desk.code(1)).status_code == 204

    def test_twice_is_refused(self, desk: Desk) -> None:
        token_id = desk.active()
        assert refusal(desk.activate(token_id, desk.code(1))) == IN_METHODS
        assert desk.standing(token_id) == ("activated", desk.shared.id)

    def test_five_authenticators_are_the_most(self, desk: Desk) -> None:
        tokens = [desk.created(serialNumber=f"LK-{number}") for number in range(3)]
        for token_id in tokens[:2]:
            desk.assign(token_id)
        for _ in range(4):
            desk.registers("software_oath")
        assert desk.activate(tokens[0], desk.code()).status_code == 204
        for answer in (desk.activate(tokens[1], desk.code()), desk.assign(tokens[2])):
            assert refusal(answer) == IN_METHODS
            assert "maximum number" in sentence(answer)
        assert refusal(desk.create(serialNumber="LK-9", assignTo={"id": desk.shared.id})) == IN_DIRECTORY
        assert len(desk.method_ids()) == 5

    def test_the_policy_must_allow_it(self, desk: Desk) -> None:
        token_id = desk.created()
        desk.allow(HardwareOath="disabled")
        for answer in (desk.assign(token_id), desk.assign_and_activate(token_id, desk.code())):
            assert (refusal(answer), sentence(answer)) == (IN_METHODS, POLICY.format("HardwareOath"))
        assert desk.standing(token_id) == ("available", "")

    @pytest.mark.parametrize("guest", [{"user_type": "Guest"}, {}])
    def test_guests_cannot_have_one(self, desk: Desk, guest: dict[str, str]) -> None:
        upn = "shared" if guest else "ana_fabrikam.example#EXT#"
        user, token_id = desk.cloud.add_user(desk.contoso.id, upn, **guest), desk.created()
        answer = desk.assign_and_activate(token_id, desk.code(), user)
        assert (refusal(answer), "guest" in sentence(answer)) == (IN_METHODS, True)
        assert desk.standing(token_id) == ("available", "")


class WhenATokenIsTakenAway:
    def test_it_goes_back_to_the_inventory_and_its_codes_are_worth_nothing(self, desk: Desk) -> None:
        token_id = desk.active()
        desk.registers("software_oath")
        assert desk.of_user("DELETE", f"/{token_id}").status_code == 204
        assert (desk.standing(token_id), token_id in desk.method_ids()) == (("available", ""), False)
        assert desk.signs_in(desk.code(1)) == "wrong_code"
        assert desk.inventory("DELETE", f"/{token_id}").status_code == 204

    def test_by_the_person_too(self, desk: Desk) -> None:
        token_id = desk.active()
        desk.cloud.remove_method_as_person(desk.contoso.id, desk.shared.upn, token_id)
        assert desk.standing(token_id) == ("available", "")

    def test_the_rule_of_the_default_method_stands_against_it(self, desk: Desk) -> None:
        token_id = desk.active()
        desk.registers("microsoft_authenticator")
        assert refusal(desk.of_user("DELETE", f"/{token_id}")) == IN_METHODS
        assert desk.standing(token_id) == ("activated", desk.shared.id)

    def test_deactivated_it_stays_assigned_and_no_longer_signs_in(self, desk: Desk) -> None:
        token_id = desk.active()
        desk.registers("software_oath")
        assert desk.of_user("POST", f"/{token_id}/deactivate").status_code == 204
        assert (desk.standing(token_id), token_id in desk.method_ids()) == (("assigned", desk.shared.id), False)
        assert desk.signs_in(desk.code(1)) == "wrong_code"
        assert refusal(desk.of_user("POST", f"/{token_id}/deactivate")) == IN_METHODS
        assert desk.activate(token_id, desk.code(1)).status_code == 204
        assert desk.standing(token_id) == ("activated", desk.shared.id)

    def test_a_colleagues_is_untouched(self, desk: Desk) -> None:
        mine, other = desk.active(), desk.active(serialNumber="LK-0002", secretKey="MFRGGZDFMZTWQ2LK")
        assert desk.of_user("DELETE", f"/{mine}").status_code == 204
        assert (desk.standing(other), desk.method_ids()) == (("activated", desk.shared.id), [other])
        assert desk.signs_in(desk.code(1, secretKey="MFRGGZDFMZTWQ2LK")) == "signed_in"


class WhenReadsLag:
    def test_an_activated_token_and_a_removed_one_are_seen_later(self, desk: Desk) -> None:
        desk.cloud.knobs.set(desk.contoso.id, read_lag=3600)
        token_id = desk.active()
        assert desk.of_user("GET").json()["value"] == []
        assert desk.standing(token_id) == ("activated", desk.shared.id)
        desk.cloud.advance(3601)
        assert [one["id"] for one in desk.of_user("GET").json()["value"]] == [token_id]
        desk.of_user("DELETE", f"/{token_id}")
        assert desk.of_user("GET", f"/{token_id}").status_code == 200
        desk.cloud.advance(3601)
        assert desk.of_user("GET", f"/{token_id}").status_code == 404


class WhenTheCloudLies:
    def test_it_says_yes_and_does_nothing(self, desk: Desk) -> None:
        free, active = desk.created(), desk.active(serialNumber="LK-0002")
        waiting = desk.created(serialNumber="LK-0003", assignTo={"id": desk.shared.id})
        before = desk.inventory("GET").json()["value"]
        desk.cloud.knobs.set(desk.contoso.id, lies=True)
        answers = [
            desk.create(serialNumber="LK-0004"),
            desk.inventory("PATCH", f"/{free}", json={"displayName": "Ben"}),
            desk.inventory("DELETE", f"/{free}"),
            desk.assign(free),
            desk.assign_and_activate(free, desk.code(1)),
            desk.activate(waiting, desk.code(1)),
            desk.of_user("DELETE", f"/{waiting}"),
            desk.of_user("POST", f"/{active}/deactivate"),
            desk.of_user("DELETE", f"/{active}"),
        ]
        assert [answer.status_code for answer in answers] == [201, 204, 204, 201, 204, 204, 204, 204, 204]
        assert refusal(desk.activate(waiting, "1")) == IN_METHODS
        assert (desk.inventory("GET").json()["value"], desk.method_ids()) == (before, [active])


class TheTenantsLog:
    def test_tells_of_a_token_that_became_a_method_and_of_one_that_no_longer_is(self, desk: Desk) -> None:
        token_id = desk.active()
        desk.of_user("DELETE", f"/{token_id}")
        query = {"$filter": "loggedByService eq 'Authentication Methods'", "$orderby": "activityDateTime asc"}
        events = desk.graph("GET", "/auditLogs/directoryAudits", params=query).json()["value"]
        assert [event["activityDisplayName"] for event in events] == [
            "Admin registered security info",
            "Admin deleted security info",
        ]
        assert {event["targetResources"][0]["id"] for event in events} == {desk.shared.id}
