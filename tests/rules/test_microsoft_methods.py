"""The kinds of authentication method: read from Microsoft's lists, and deleted each at its own place."""

from __future__ import annotations

import datetime as dt

import pytest

from msp.microsoft.methods import PLACES, delete_path, label_of, masked, moment, next_default, observed, user_path
from msp.microsoft.ports import MethodKind, ObservedMethod

MOBILE = "3179e48a-750b-4051-897c-87b9720928f7"
OFFICE = "e37fc753-ff3b-4958-9484-eaa9425c82bc"


def method(kind: MethodKind, directory_id: str = "m-1") -> ObservedMethod:
    return ObservedMethod(kind, directory_id)


class EveryKind:
    def test_has_a_place_at_microsoft_except_the_unknown(self):
        assert set(PLACES) == set(MethodKind) - {MethodKind.UNKNOWN}

    @pytest.mark.parametrize("kind", PLACES)
    def test_is_recognised_by_microsofts_name(self, kind):
        found = observed({"@odata.type": f"#microsoft.graph.{PLACES[kind].raw_type}", "id": "m-1"})
        assert (found.kind, found.directory_id, found.raw_type) == (kind, "m-1", PLACES[kind].raw_type)

    @pytest.mark.parametrize("kind", sorted(set(MethodKind) - {MethodKind.PASSWORD, MethodKind.UNKNOWN}))
    def test_but_password_and_unknown_can_be_removed(self, kind):
        assert f"/authentication/{PLACES[kind].collection}" in (delete_path("u", method(kind)) or "")

    @pytest.mark.parametrize("kind", [MethodKind.PASSWORD, MethodKind.UNKNOWN])
    def test_that_no_application_can_remove_has_no_path(self, kind):
        assert delete_path("u", method(kind)) is None


class WhenMicrosoftShowsAKindThatNobodyKnows:
    def test_it_is_reported_with_its_own_name(self):
        found = observed({"@odata.type": "#microsoft.graph.palmVeinAuthenticationMethod", "id": "m-7"})
        assert found == ObservedMethod(MethodKind.UNKNOWN, "m-7", raw_type="palmVeinAuthenticationMethod")

    def test_an_element_without_any_type_is_reported_too(self):
        assert observed({}).kind is MethodKind.UNKNOWN


class TheLabel:
    def test_of_a_phone_is_its_type_and_the_end_of_its_number(self):
        item = {"phoneType": "mobile", "phoneNumber": "+1 5555550101"}
        assert label_of(MethodKind.PHONE, item) == "mobile +1 ******0101"

    @pytest.mark.parametrize(
        ("number", "shown"),
        [("+1 5555550101x123", "+1 ******0101"), ("+15555550101", "+*******0101"), ("0101", "0101"), ("", "")],
    )
    def test_never_shows_a_whole_number(self, number, shown):
        assert masked(number) == shown

    def test_of_a_hardware_token_is_its_serial_number(self):
        assert label_of(MethodKind.HARDWARE_OATH, {"device": {"serialNumber": "S-1", "displayName": "D"}}) == "S-1"
        assert label_of(MethodKind.HARDWARE_OATH, {"device": None}) == ""

    def test_of_an_app_is_the_name_of_its_device(self):
        assert label_of(MethodKind.MICROSOFT_AUTHENTICATOR, {"displayName": "Ana's phone"}) == "Ana's phone"

    def test_of_a_code_generator_is_empty_because_microsoft_names_none(self):
        assert label_of(MethodKind.SOFTWARE_OATH, {"secretKey": None}) == ""


class TheAddress:
    def test_of_a_guest_is_quoted_so_that_its_name_does_not_cut_it(self):
        assert user_path("ana_x.example#EXT#@t.example") == "/users/ana_x.example%23EXT%23@t.example"

    def test_of_a_method_is_quoted_too(self):
        assert (
            delete_path("u", method(MethodKind.FIDO2, "a/b?c")) == "/v1.0/users/u/authentication/fido2Methods/a%2Fb%3Fc"
        )

    def test_of_a_qr_code_holds_no_id(self):
        assert delete_path("u", method(MethodKind.QR_CODE_PIN)) == "/beta/users/u/authentication/qrCodePinMethod"


class WhenTheDefaultMustMove:
    def test_another_kind_is_taken_before_the_leavers_own(self):
        stays = (method(MethodKind.SOFTWARE_OATH, "b"), method(MethodKind.PHONE, MOBILE))
        assert next_default(method(MethodKind.SOFTWARE_OATH, "a"), stays) == "sms"

    def test_a_code_goes_before_a_push(self):
        stays = (method(MethodKind.MICROSOFT_AUTHENTICATOR), method(MethodKind.HARDWARE_OATH))
        assert next_default(method(MethodKind.PHONE, MOBILE), stays) == "oath"

    def test_the_own_kind_serves_when_nothing_else_stays(self):
        stays = (method(MethodKind.SOFTWARE_OATH, "b"),)
        assert next_default(method(MethodKind.SOFTWARE_OATH, "a"), stays) == "oath"

    def test_an_office_phone_can_only_ring(self):
        assert next_default(method(MethodKind.SOFTWARE_OATH), (method(MethodKind.PHONE, OFFICE),)) == "voiceOffice"

    def test_a_kind_that_cannot_be_a_default_is_never_chosen(self):
        stays = (method(MethodKind.PASSWORD), method(MethodKind.EMAIL), method(MethodKind.FIDO2))
        assert next_default(method(MethodKind.SOFTWARE_OATH), stays) is None


class TheTime:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2026-11-20T09:15:02Z", dt.datetime(2026, 11, 20, 9, 15, 2, tzinfo=dt.UTC)),
            ("2026-11-20T09:15:02.1234567Z", dt.datetime(2026, 11, 20, 9, 15, 2, 123456, tzinfo=dt.UTC)),
            ("2026-11-20T10:15:02+01:00", dt.datetime(2026, 11, 20, 9, 15, 2, tzinfo=dt.UTC)),
            ("2026-11-20T09:15:02", dt.datetime(2026, 11, 20, 9, 15, 2, tzinfo=dt.UTC)),
            ("0001-01-01T00:00:00Z", None),
            ("yesterday", None),
            (None, None),
            (1700000000, None),
        ],
    )
    def test_is_utc_and_aware_or_not_known(self, text, expected):
        assert moment(text) == expected
