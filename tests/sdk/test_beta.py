"""msgraph-beta-sdk reads and changes what exists at beta only: hardware tokens, per-user MFA, preferred methods."""

from __future__ import annotations

from typing import Any

import pytest
from msgraph_beta.generated.models.hardware_oath_authentication_method import HardwareOathAuthenticationMethod
from msgraph_beta.generated.models.hardware_oath_token_authentication_method_device import (
    HardwareOathTokenAuthenticationMethodDevice,
)
from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_beta.generated.models.per_user_mfa_state import PerUserMfaState
from msgraph_beta.generated.models.sign_in_preferences import SignInPreferences
from msgraph_beta.generated.models.strong_authentication_requirements import StrongAuthenticationRequirements
from msgraph_beta.generated.models.user_default_authentication_method_type import UserDefaultAuthenticationMethodType
from msgraph_beta.generated.users.item.authentication.hardware_oath_methods.assign_and_activate import (
    assign_and_activate_post_request_body as both,
)
from msgraph_beta.generated.users.item.authentication.hardware_oath_methods.assign_and_activate_by_serial_number import (  # noqa: E501
    assign_and_activate_by_serial_number_post_request_body as by_serial,
)
from msgraph_beta.generated.users.item.authentication.hardware_oath_methods.item.activate import (
    activate_post_request_body as activation,
)

from msp.simulator import kinds, totp
from msp.simulator.state import DEFAULT_PERMISSIONS
from tests.sdk.libraries import Libraries
from tests.support.simulated import PASSWORD, Microsoft

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
READABLE = [kind for kind in kinds.KINDS.values() if "beta" in kind.listed_in and kind.name != "future"]


@pytest.fixture
def user(cloud: Microsoft, libraries: Libraries) -> Any:
    """Where the library speaks of the shared account."""
    cloud.grant((*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod"))
    cloud.contoso.policies.methods["HardwareOath"] = "enabled"
    return libraries.beta.users.by_user_id(cloud.shared.id)


@pytest.fixture
def inventory(libraries: Libraries, user: Any) -> Any:
    return libraries.beta.directory.authentication_method_devices.hardware_oath_devices


class EveryKindOfMethod:
    @pytest.mark.parametrize("kind", READABLE, ids=lambda kind: kind.name)
    def test_is_read_as_its_own_class(
        self, cloud: Microsoft, libraries: Libraries, user: Any, kind: kinds.Kind
    ) -> None:
        if kind.name != "password":
            cloud.registers(kind.name, label="Ana's phone")
        listed = libraries.ask(user.authentication.methods.get())
        assert kind.odata_type.lower() in {type(method).__name__.lower() for method in listed.value}

    def test_that_is_not_known_yet_is_read_as_a_method_without_a_class(
        self, cloud: Microsoft, libraries: Libraries, user: Any
    ) -> None:
        cloud.registers("future", label="Ana's phone")
        read = {type(one).__name__: one for one in libraries.ask(user.authentication.methods.get()).value}
        assert read["AuthenticationMethod"].odata_type == "#microsoft.graph.someFutureAuthenticationMethod"

    def test_with_a_place_of_its_own_is_removed_there(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        code = cloud.registers("qr_code_pin")
        assert libraries.ask(user.authentication.qr_code_pin_method.get()).id == code
        libraries.ask(user.authentication.qr_code_pin_method.delete())
        old = cloud.registers("passwordless_authenticator")
        collection = user.authentication.passwordless_microsoft_authenticator_methods
        one = collection.by_passwordless_microsoft_authenticator_authentication_method_id(old)
        libraries.ask(one.delete())
        assert cloud.method_ids() == []


class AHardwareToken:
    """From the inventory to the shared account and back."""

    def made(self, libraries: Libraries, inventory: Any, serial: str = "LK-0001") -> str:
        asked = HardwareOathTokenAuthenticationMethodDevice(
            serial_number=serial,
            manufacturer="Latchkey",
            model="TOTP",
            secret_key=SEED,
            time_interval_in_seconds=30,
            display_name="Ana",
        )
        created = libraries.ask(inventory.post(asked))
        assert (created.serial_number, created.status.value, created.secret_key) == (serial, "available", None)
        return str(created.id)

    def code(self, cloud: Microsoft) -> str:
        return totp.code(SEED, cloud.cloud.now().timestamp())

    def status(self, libraries: Libraries, inventory: Any) -> list[str]:
        return [one.status.value for one in libraries.ask(inventory.get()).value]

    def test_is_assigned_and_activated_in_one_call(
        self, cloud: Microsoft, libraries: Libraries, user: Any, inventory: Any
    ) -> None:
        token = self.made(libraries, inventory)
        body = both.AssignAndActivatePostRequestBody(
            device=HardwareOathTokenAuthenticationMethodDevice(id=token),
            verification_code=self.code(cloud),
            display_name="Ana",
        )
        libraries.ask(user.authentication.hardware_oath_methods.assign_and_activate.post(body))
        (method,) = libraries.ask(user.authentication.hardware_oath_methods.get()).value
        assert (method.id, method.device.serial_number) == (token, "LK-0001")
        assert method.device.assigned_to.id == cloud.shared.id
        assert self.status(libraries, inventory) == ["activated"]

    def test_is_assigned_and_activated_by_its_serial(
        self, cloud: Microsoft, libraries: Libraries, user: Any, inventory: Any
    ) -> None:
        token = self.made(libraries, inventory)
        body = by_serial.AssignAndActivateBySerialNumberPostRequestBody(
            serial_number="LK-0001", verification_code=self.code(cloud)
        )
        libraries.ask(user.authentication.hardware_oath_methods.assign_and_activate_by_serial_number.post(body))
        assert cloud.method_ids() == [token]

    def test_is_assigned_then_activated_then_deactivated(
        self, cloud: Microsoft, libraries: Libraries, user: Any, inventory: Any
    ) -> None:
        token = self.made(libraries, inventory)
        methods = user.authentication.hardware_oath_methods
        device = HardwareOathTokenAuthenticationMethodDevice(id=token)
        assert libraries.ask(methods.post(HardwareOathAuthenticationMethod(device=device))).id == token
        assert (self.status(libraries, inventory), cloud.method_ids()) == (["assigned"], [])
        one = methods.by_hardware_oath_authentication_method_id(token)
        body = activation.ActivatePostRequestBody(verification_code=self.code(cloud))
        libraries.ask(one.activate.post(body))
        assert (self.status(libraries, inventory), cloud.method_ids()) == (["activated"], [token])
        libraries.ask(one.deactivate.post())
        assert (self.status(libraries, inventory), cloud.method_ids()) == (["assigned"], [])

    def test_goes_back_to_the_inventory_and_out_of_it(
        self, cloud: Microsoft, libraries: Libraries, user: Any, inventory: Any
    ) -> None:
        token = cloud.registers("hardware_oath", serialNumber="LK-0002")
        methods = user.authentication.hardware_oath_methods
        libraries.ask(methods.by_hardware_oath_authentication_method_id(token).delete())
        assert (cloud.method_ids(), self.status(libraries, inventory)) == ([], ["available"])
        one = inventory.by_hardware_oath_token_authentication_method_device_id(token)
        assert libraries.ask(one.get()).serial_number == "LK-0002"
        libraries.ask(one.delete())
        assert self.status(libraries, inventory) == []

    def test_with_a_wrong_code_is_refused_in_the_librarys_own_error(
        self, cloud: Microsoft, libraries: Libraries, user: Any, inventory: Any
    ) -> None:
        device = HardwareOathTokenAuthenticationMethodDevice(id=self.made(libraries, inventory))
        wrong = f"{(int(self.code(cloud)) + 500_000) % 1_000_000:06}"
        body = both.AssignAndActivatePostRequestBody(device=device, verification_code=wrong)
        with pytest.raises(ODataError) as refused:
            libraries.ask(user.authentication.hardware_oath_methods.assign_and_activate.post(body))
        assert refused.value.response_status_code == 400
        assert self.status(libraries, inventory) == ["failedActivation"]


class TheDemandsOnTheUser:
    def test_per_user_mfa_is_read_and_set(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        requirements = user.authentication.requirements
        assert libraries.ask(requirements.get()).per_user_mfa_state is PerUserMfaState.Disabled
        libraries.ask(requirements.patch(StrongAuthenticationRequirements(per_user_mfa_state=PerUserMfaState.Enforced)))
        assert cloud.shared.mfa_state == "enforced"

    def test_the_preferred_method_is_read_and_moved(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        cloud.registers("microsoft_authenticator")
        cloud.registers("software_oath")
        preferences = user.authentication.sign_in_preferences
        word = "user_preferred_method_for_secondary_authentication"
        assert getattr(libraries.ask(preferences.get()), word) is UserDefaultAuthenticationMethodType.Push
        asked: dict[str, Any] = {word: UserDefaultAuthenticationMethodType.Oath}
        libraries.ask(preferences.patch(SignInPreferences(**asked)))
        assert cloud.shared.default == "oath"


class ThePolicyOfMethods:
    def test_names_the_hardware_tokens_at_beta(self, libraries: Libraries, user: Any) -> None:
        policy = libraries.ask(libraries.beta.policies.authentication_methods_policy.get())
        states = {one.id: str(one.state.value) for one in policy.authentication_method_configurations}
        assert states["HardwareOath"] == "enabled"


class TheSignIns:
    def test_say_by_which_factors_it_was_done(self, cloud: Microsoft, libraries: Libraries) -> None:
        phone = cloud.cloud.register(cloud.contoso.id, cloud.shared.upn, "software_oath", "Ana's phone")
        code = totp.code(phone.seed, cloud.cloud.now().timestamp())
        cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD, code)
        (found,) = libraries.ask(libraries.beta.audit_logs.sign_ins.get()).value
        steps = [(step.authentication_method, step.succeeded) for step in found.authentication_details]
        assert steps == [("Password", True), ("Software OATH token", True)]
