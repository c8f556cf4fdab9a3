"""The simulated login host, read by Microsoft's own library and by hand."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import msal
import pytest
import requests
from cryptography.hazmat.primitives import hashes

from msp.simulator import delegation
from msp.simulator.cloud import NotThere
from msp.simulator.state import PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from tests.support.reference import reference_needed, sample
from tests.support.simulated import APP, PASSWORD, Credential, Microsoft, credential, microsoft


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        yield made


def by_msal(at: Microsoft, **credentials: str) -> dict[str, Any]:
    """A token as MSAL gets one."""
    session = requests.Session()
    session.verify, session.trust_env = str(at.simulator.ca_path), False
    application = msal.ConfidentialClientApplication(
        APP,
        authority=f"{at.url}/{at.contoso.id}",
        client_credential=credentials,
        http_client=session,
        instance_discovery=False,
    )
    found: dict[str, Any] = application.acquire_token_for_client([f"{at.url}/.default"])
    return found


def assertion(at: Microsoft, signed_by: Credential, algorithm: str = "PS256", **claims: Any) -> dict[str, str]:
    """The form fields of a client assertion."""
    thumbprint = base64.urlsafe_b64encode(bytes.fromhex(credential().fingerprint(hashes.SHA256()))).rstrip(b"=")
    now = time.time()
    usual = {
        "aud": f"{at.url}/{at.contoso.id}/oauth2/v2.0/token",
        "iss": APP,
        "sub": APP,
        "jti": str(uuid.uuid4()),
        "nbf": now,
        "exp": now + 300,
    }
    headers = {"x5t#S256": thumbprint.decode()}
    made = jwt.encode(usual | claims, signed_by.private_key, algorithm=algorithm, headers=headers)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion": made, "client_assertion_type": kind, "client_secret": ""}


class WhenMsalAsksForAToken:
    def test_a_certificate_is_enough(self, cloud: Microsoft) -> None:
        found = by_msal(cloud, private_key=credential().private_key, public_certificate=credential().certificate)
        assert cloud.cloud.grant_of(found["access_token"])
        assert found["expires_in"] == 3599

    def test_the_older_form_with_a_sha1_thumbprint_is_too(self, cloud: Microsoft) -> None:
        thumbprint = credential().fingerprint(hashes.SHA1())
        found = by_msal(cloud, private_key=credential().private_key, thumbprint=thumbprint)
        assert cloud.cloud.grant_of(found["access_token"])

    def test_another_certificate_is_not(self, cloud: Microsoft) -> None:
        other = credential("stranger")
        found = by_msal(cloud, private_key=other.private_key, public_certificate=other.certificate)
        assert (found["error"], found["error_codes"]) == ("invalid_client", [700027])


class AClientAssertion:
    @pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
    def test_signed_by_the_registered_key_is_accepted(self, cloud: Microsoft, algorithm: str) -> None:
        assert cloud.ask_token(**assertion(cloud, credential(), algorithm)).status_code == 200

    @pytest.mark.parametrize(
        ("claims", "code"),
        [
            ({"exp": time.time() - 3600, "nbf": time.time() - 7200}, 700024),
            ({"nbf": time.time() + 3600, "exp": time.time() + 7200}, 700024),
            ({"aud": "https://login.example/token"}, 700023),
            ({"sub": "someone-else"}, 700021),
        ],
    )
    def test_with_wrong_claims_is_refused(self, cloud: Microsoft, claims: dict[str, Any], code: int) -> None:
        answer = cloud.ask_token(**assertion(cloud, credential(), **claims))
        assert (answer.status_code, answer.json()["error_codes"]) == (401, [code])

    def test_with_a_false_signature_under_the_right_thumbprint_is_refused(self, cloud: Microsoft) -> None:
        answer = cloud.ask_token(**assertion(cloud, credential("stranger")))
        assert answer.json()["error_codes"] == [700027]


class AnAccessToken:
    def test_tells_its_holder_what_it_carries(self, cloud: Microsoft) -> None:
        cloud.grant(("User.Read.All",))
        found = cloud.ask_token().json()
        claims = jwt.decode(found["access_token"], options={"verify_signature": False})
        principal = cloud.contoso.consents[APP].service_principal_id
        assert (claims["tid"], claims["appid"], claims["oid"]) == (cloud.contoso.id, APP, principal)
        assert claims["roles"] == ["User.Read.All"]
        assert "scp" not in claims
        assert claims["exp"] - claims["iat"] == pytest.approx(found["expires_in"], abs=2)

    def test_that_somebody_else_wrote_opens_nothing(self, cloud: Microsoft) -> None:
        claims = jwt.decode(cloud.ask_token().json()["access_token"], options={"verify_signature": False})
        forged = jwt.encode(claims, "a-key-of-somebody-elses-own-making", algorithm="HS256")
        answer = cloud.http.get("/v1.0/users", headers={"Authorization": f"Bearer {forged}"})
        assert answer.status_code == 401


class WhenARoleIsAssigned:
    def test_the_application_may_do_what_consent_alone_does_not_allow(self, cloud: Microsoft) -> None:
        cloud.grant(roles=())
        assert cloud.set_password("Another-Password-7!").status_code == 403
        cloud.cloud.assign_role(APP, cloud.contoso.id, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR)
        assert cloud.set_password("Another-Password-7!").status_code == 204

    def test_an_application_without_consent_has_nobody_to_give_it_to(self, cloud: Microsoft) -> None:
        cloud.cloud.withdraw_consent(APP, cloud.contoso.id)
        with pytest.raises(NotThere):
            cloud.cloud.assign_role(APP, cloud.contoso.id, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR)


class WhenSomethingIsMissing:
    @pytest.mark.parametrize(
        ("form", "error", "code"),
        [
            ({"client_secret": "wrong"}, "invalid_client", 7000215),
            ({"client_secret": ""}, "invalid_client", 7000218),
            ({"client_id": str(uuid.uuid4())}, "unauthorized_client", 700016),
            ({"client_id": ""}, "invalid_request", 900144),
            ({"grant_type": "device_code"}, "unsupported_grant_type", 70003),
            ({"scope": "User.Read"}, "invalid_scope", 70011),
            ({"tenant": "nobody.example"}, "invalid_request", 90002),
            ({"tenant": "common"}, "invalid_request", 9001023),
            ({"tenant": "consumers"}, "invalid_request", 9001023),
        ],
    )
    def test_the_code_says_what(self, cloud: Microsoft, form: dict[str, str], error: str, code: int) -> None:
        found = cloud.ask_token(**form).json()
        assert (found["error"], found["error_codes"]) == (error, [code])

    def test_an_application_without_consent_is_not_found_in_the_tenant(self, cloud: Microsoft) -> None:
        cloud.cloud.withdraw_consent(APP, cloud.contoso.id)
        assert cloud.ask_token().json()["error_codes"] == [700016]

    def test_a_trouble_that_nobody_has_words_for_is_still_an_answer(self, cloud: Microsoft) -> None:
        cloud.cloud.login_trouble[cloud.contoso.id] = 99999
        assert cloud.ask_token().json()["error_codes"] == [99999]

    def test_the_body_has_the_documented_fields(self, cloud: Microsoft) -> None:
        reference_needed()
        found = cloud.ask_token(client_secret="wrong").json()
        documented = sample("token-error-50126-bad-password")
        assert found.keys() == documented.keys()
        assert found["error_description"].startswith("AADSTS7000215: ")
        assert found["error_description"].count("\r\n") == documented["error_description"].count("\r\n")

    def test_a_success_has_the_documented_fields(self, cloud: Microsoft) -> None:
        reference_needed()
        assert cloud.ask_token().json().keys() >= sample("token-client-credentials").keys()


class WhenAPasswordIsProbed:
    def test_the_right_one_is_accepted_and_a_second_factor_asked(self, cloud: Microsoft) -> None:
        cloud.registers("software_oath")
        assert cloud.probe(PASSWORD) == 50076

    def test_without_any_method_a_registration_is_asked(self, cloud: Microsoft) -> None:
        assert cloud.probe(PASSWORD) == 50079

    def test_a_wrong_one_is_refused(self, cloud: Microsoft) -> None:
        assert cloud.probe("Wrong-Password-1") == 50126

    def test_an_unknown_user_is_named_so(self, cloud: Microsoft) -> None:
        assert cloud.probe(PASSWORD, "nobody@contoso.example") == 50034

    def test_a_blocked_user_is_named_so(self, cloud: Microsoft) -> None:
        cloud.cloud.set_enabled(cloud.contoso.id, cloud.shared.upn, False)
        assert cloud.probe(PASSWORD) == 50057

    def test_ten_wrong_ones_lock_the_account_at_the_sign_in_page_too(self, cloud: Microsoft) -> None:
        for number in range(10):
            cloud.probe(f"Wrong-Password-{number}")
        assert cloud.probe(PASSWORD) == 50053
        assert cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD).result == "locked"

    def test_a_delegated_consent_is_enough(self, cloud: Microsoft) -> None:
        cloud.grant(())
        delegation.consent_delegated(cloud.cloud, APP, cloud.contoso.id, ["User.Read"])
        assert cloud.probe(PASSWORD) == 50079

    def test_where_none_is_stored_no_text_is_the_right_one(self, cloud: Microsoft) -> None:
        cloud.shared.password = ""
        assert cloud.probe("Any-Password-1") == 50056
        assert cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, "").result == "wrong_password"

    def test_the_same_wrong_one_again_does_not_lock(self, cloud: Microsoft) -> None:
        assert {cloud.probe("Wrong-Password-1") for _ in range(12)} == {50126}
        assert cloud.probe(PASSWORD) == 50079

    def test_nothing_consented_is_said_after_the_right_password(self, cloud: Microsoft) -> None:
        cloud.grant(())
        assert cloud.probe(PASSWORD) == 65001


class TheSignInPage:
    def ask(self, cloud: Microsoft, **body: str) -> tuple[int, dict[str, str]]:
        answer = cloud.http.post(f"/{cloud.contoso.domain}/sign-in", json={"username": cloud.shared.upn} | body)
        return answer.status_code, answer.json()

    def test_lets_in_with_password_and_code(self, cloud: Microsoft) -> None:
        method = cloud.registers("software_oath")
        code = cloud.cloud.code(cloud.contoso.id, cloud.shared.upn, method)
        status, found = self.ask(cloud, password=PASSWORD, code=code)
        assert (status, found["result"]) == (200, "signed_in")
        alive = cloud.http.post(f"/{cloud.contoso.id}/session", json={"session": found["session"]})
        assert (alive.status_code, alive.json()) == (200, {"result": "alive"})

    def test_says_why_not(self, cloud: Microsoft) -> None:
        cloud.registers("software_oath")
        assert self.ask(cloud, password="Wrong-Password-1") == (401, {"result": "wrong_password"})
        assert self.ask(cloud, password=PASSWORD) == (401, {"result": "code_needed"})
        assert self.ask(cloud, password=PASSWORD, code="000000") == (401, {"result": "wrong_code"})
        assert self.ask(cloud, username="x", password=PASSWORD) == (401, {"result": "no_such_user"})

    def test_stays_up_while_its_tenant_is_dead(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(cloud.contoso.id, dead="reset")
        assert self.ask(cloud, password=PASSWORD)[0] == 200

    def test_knows_an_ended_session(self, cloud: Microsoft) -> None:
        ended = cloud.http.post(f"/{cloud.contoso.id}/session", json={"session": "never-given"})
        assert (ended.status_code, ended.json()) == (401, {"result": "ended"})


class TheDiscovery:
    @pytest.mark.parametrize(("domain", "kind"), [
        ("contoso.example", "Managed"), ("fed.example", "Federated"), ("second.example", "Federated"),
        ("nowhere.example", "Unknown"),
    ])  # fmt: skip
    def test_of_a_realm_says_who_judges_the_password(self, cloud: Microsoft, domain: str, kind: str) -> None:
        cloud.cloud.add_tenant("Fed", "fed.example").federated += ["fed.example", "second.example"]
        found = cloud.http.get(f"/common/userrealm/ana@{domain}", params={"api-version": "1.0"}).json()
        assert (found["account_type"], found["domain_name"]) == (kind, domain)

    def test_names_the_endpoints_of_the_tenant(self, cloud: Microsoft) -> None:
        found = cloud.http.get("/contoso.example/v2.0/.well-known/openid-configuration").json()
        assert found["token_endpoint"] == f"{cloud.url}/contoso.example/oauth2/v2.0/token"
        assert found["issuer"] == f"{cloud.url}/{cloud.contoso.id}/v2.0"

    def test_of_the_instance_knows_only_itself(self, cloud: Microsoft) -> None:
        here = f"{cloud.url}/{cloud.contoso.id}/oauth2/v2.0/authorize"
        path = "/common/discovery/instance"
        found = cloud.http.get(path, params={"authorization_endpoint": here}).json()
        assert found["tenant_discovery_endpoint"].startswith(f"{cloud.url}/{cloud.contoso.id}/v2.0/")
        elsewhere = cloud.http.get(path, params={"authorization_endpoint": "https://login.example/x/authorize"})
        assert (elsewhere.status_code, elsewhere.json()["error"]) == (400, "invalid_instance")
