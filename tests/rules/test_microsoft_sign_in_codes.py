"""Every number that the sign-in service is known to answer with: what it means, and what a person is told to do."""

from __future__ import annotations

import pytest

from msp.errors import Busy, NoConnection
from msp.microsoft.ports import ProbeResult
from msp.microsoft.sign_in_codes import judged, no_token

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
TRACE = "00000000-0000-4000-8000-000000000001"

WHAT_TO_DO = {
    50126: "Store the account's password anew",
    50034: "Compare user name and tenant",
    50053: "Wait before trying again",
    50055: "store the new one here",
    50056: "no password in that directory",
    50057: "enable it again",
    50076: "partner_token",
    50079: "register a second factor",
    50074: "partner_token",
    50072: "register a second factor",
    50078: "partner_token",
    50158: "Another provider's second factor",
    53003: "Have the app excluded",
    530035: "security defaults",
    50133: "partner_token",
    50173: "partner_token",
    70008: "partner_token",
    700082: "partner_token",
    65001: "consent link",
    700016: "consent link",
    7000215: "secret is wrong",
    7000222: "secret has expired",
    700027: "certificate is not one that Microsoft knows",
    7000218: "LATCHKEY_CLIENT_CERTIFICATE",
    700025: "web application with a certificate",
    7000112: "enable it again",
    90002: "Compare its id and its cloud",
    90099: "Partner Center",
    530034: "Clear the risk",
    9001023: "tenant id instead of common",
    900144: "a fault of Latchkey",
}
PASSES = [90055, 90033, 90024, 50196]
ACCEPTED = [50055, 50072, 50074, 50076, 50078, 50079, 50158]


def answered(*codes: int, error: str = "invalid_grant") -> dict:
    return {
        "error": error,
        "error_codes": list(codes),
        "error_description": f"AADSTS{codes[0] if codes else 0}: Planted words.",
        "trace_id": TRACE,
    }


class EveryNumberOfTheReference:
    @pytest.mark.parametrize(("code", "remedy"), WHAT_TO_DO.items())
    def test_that_needs_a_person_says_what_to_do(self, code, remedy):
        trouble = no_token(answered(code), TENANT)
        assert type(trouble) is NoConnection
        assert remedy in str(trouble)
        assert "Look the code up" not in str(trouble)

    @pytest.mark.parametrize("code", PASSES)
    def test_that_passes_by_itself_is_a_matter_of_patience(self, code):
        trouble = no_token(answered(code, error="temporarily_unavailable"), TENANT)
        assert type(trouble) is Busy
        assert trouble.retry_after == 30

    @pytest.mark.parametrize("code", [*WHAT_TO_DO, *PASSES])
    def test_is_named_with_the_tenant_and_the_request_and_in_our_words(self, code):
        trouble = no_token(answered(code), TENANT)
        assert (trouble.code, trouble.request_id) == (f"AADSTS{code}", TRACE)
        assert TENANT in str(trouble)
        assert f"AADSTS{code}" in str(trouble)
        assert "Nothing was changed there." in str(trouble)
        assert "Planted" not in str(trouble)

    @pytest.mark.parametrize("code", [*WHAT_TO_DO, *PASSES])
    def test_says_of_a_tried_password_only_what_it_proves(self, code):
        told = {50126: ProbeResult.PASSWORD_REFUSED} | dict.fromkeys(ACCEPTED, ProbeResult.PASSWORD_ACCEPTED)
        assert judged(400, answered(code)).result is told.get(code, ProbeResult.INCONCLUSIVE)


class WhenANumberIsNotKnown:
    def test_it_is_told_all_the_same(self):
        trouble = no_token(answered(999999), TENANT)
        assert (type(trouble), trouble.code) == (NoConnection, "AADSTS999999")
        assert "Look the code up" in str(trouble)

    def test_a_known_one_beside_it_decides(self):
        assert no_token(answered(999999, 90033), TENANT).code == "AADSTS90033"

    def test_without_any_the_word_of_the_protocol_is_named(self):
        assert no_token({"error": "invalid_client"}, TENANT).code == "invalid_client"
        assert type(no_token({"error": "temporarily_unavailable"}, TENANT)) is Busy

    @pytest.mark.parametrize("body", [{}, {"error": "P4nted secret!"}, {"error_codes": ["65001", None]}, {"error": 7}])
    def test_nonsense_is_not_repeated(self, body):
        trouble = no_token(body, TENANT)
        assert (type(trouble), trouble.code) == (NoConnection, "no code")
        assert "P4nted" not in str(trouble)


class WhenAPasswordIsJudged:
    def test_a_token_proves_it(self):
        assert judged(200, {"access_token": "t"}).result is ProbeResult.PASSWORD_ACCEPTED

    def test_a_refusal_among_several_numbers_wins(self):
        assert judged(400, answered(50076, 50126)).result is ProbeResult.PASSWORD_REFUSED
