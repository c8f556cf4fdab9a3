"""msgraph-sdk reads and changes a simulated tenant at v1.0."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.delegated_admin_access_container_type import DelegatedAdminAccessContainerType
from msgraph.generated.models.delegated_admin_relationship_status import DelegatedAdminRelationshipStatus
from msgraph.generated.models.email_authentication_method import EmailAuthenticationMethod
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.operation_result import OperationResult
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.temporary_access_pass_authentication_method import (
    TemporaryAccessPassAuthenticationMethod,
)
from msgraph.generated.models.user import User
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder

from msp.simulator import delegation, kinds, totp
from msp.simulator.state import GLOBAL_ADMINISTRATOR, SimTenant
from tests.sdk.libraries import Libraries
from tests.support.simulated import APP, PASSWORD, Microsoft

SELECTED = ["accountEnabled", "id", "lastPasswordChangeDateTime", "signInSessionsValidFromDateTime"]
READABLE = [kind for kind in kinds.KINDS.values() if "v1.0" in kind.listed_in and kind.name != "future"]
REMOVABLE = [kind for kind in READABLE if kind.deletable]


@pytest.fixture
def user(cloud: Microsoft, libraries: Libraries) -> Any:
    """Where the library speaks of the shared account."""
    return libraries.v1.users.by_user_id(cloud.shared.id)


def class_of(kind: kinds.Kind) -> str:
    return kind.odata_type[0].upper() + kind.odata_type[1:]


def named(kind: kinds.Kind) -> str:
    return kind.name


class TheUser:
    def test_is_read_with_what_proves_a_rotation(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        asked = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=SELECTED)
        found = libraries.ask(user.get(RequestConfiguration(query_parameters=asked)))
        assert found.id == cloud.shared.id
        assert found.account_enabled is True
        assert found.last_password_change_date_time == cloud.shared.password_changed_at.replace(microsecond=0)
        assert found.sign_in_sessions_valid_from_date_time == cloud.shared.sessions_valid_from.replace(microsecond=0)

    def test_is_found_by_name(self, cloud: Microsoft, libraries: Libraries) -> None:
        assert libraries.ask(libraries.v1.users.by_user_id(cloud.shared.upn).get()).id == cloud.shared.id

    def test_is_listed(self, cloud: Microsoft, libraries: Libraries) -> None:
        cloud.cloud.add_user(cloud.contoso.id, "second-admin", "Second Admin", "Another-Password-1")
        listed = libraries.ask(libraries.v1.users.get())
        assert {one.id for one in listed.value} == set(cloud.contoso.users)

    def test_gets_a_new_password(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        profile = PasswordProfile(password="New-Password-2", force_change_password_next_sign_in=False)
        libraries.ask(user.patch(User(password_profile=profile)))
        assert cloud.shared.password == "New-Password-2"

    def test_has_its_sessions_ended(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        cloud.cloud.advance(60)
        before = cloud.shared.sessions_valid_from
        assert libraries.ask(user.revoke_sign_in_sessions.post()).value is True
        assert cloud.shared.sessions_valid_from > before


class EveryKindOfMethod:
    @pytest.mark.parametrize("kind", READABLE, ids=named)
    def test_is_read_as_its_own_class(
        self, cloud: Microsoft, libraries: Libraries, user: Any, kind: kinds.Kind
    ) -> None:
        if kind.name != "password":
            cloud.registers(kind.name, label="Ana's phone")
        listed = libraries.ask(user.authentication.methods.get())
        assert class_of(kind) in {type(method).__name__ for method in listed.value}

    @pytest.mark.parametrize("kind", REMOVABLE, ids=named)
    def test_is_removed_through_its_own_collection(
        self, cloud: Microsoft, libraries: Libraries, user: Any, kind: kinds.Kind
    ) -> None:
        method_id = cloud.registers(kind.name)
        collection = collection_of(user, kind)
        assert [one.id for one in libraries.ask(collection.get()).value] == [method_id]
        libraries.ask(one_of(collection, method_id).delete())
        assert cloud.method_ids() == []

    def test_that_is_not_known_yet_is_read_as_a_method_without_a_class(
        self, cloud: Microsoft, libraries: Libraries, user: Any
    ) -> None:
        cloud.registers("future", label="Ana's phone")
        read = {type(one).__name__: one for one in libraries.ask(user.authentication.methods.get()).value}
        assert read["AuthenticationMethod"].odata_type == "#microsoft.graph.someFutureAuthenticationMethod"


def collection_of(user: Any, kind: kinds.Kind) -> Any:
    """The library's way to a typed collection: phoneMethods is phone_methods there."""
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.collection)
    return getattr(user.authentication, name)


def one_of(collection: Any, method_id: str) -> Any:
    (by_id,) = [name for name in dir(collection) if name.startswith("by_") and name.endswith("_method_id")]
    return getattr(collection, by_id)(method_id)


class WhenAMethodIsMade:
    def test_a_pass_is_shown_once(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        cloud.contoso.policies.methods["TemporaryAccessPass"] = "enabled"
        asked = TemporaryAccessPassAuthenticationMethod(lifetime_in_minutes=60, is_usable_once=True)
        made = libraries.ask(user.authentication.temporary_access_pass_methods.post(asked))
        assert made.temporary_access_pass
        (kept,) = libraries.ask(user.authentication.temporary_access_pass_methods.get()).value
        assert (kept.id, kept.temporary_access_pass, kept.is_usable) == (made.id, None, True)

    def test_an_address_is_kept(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        asked = EmailAuthenticationMethod(email_address="ana@partner.example")
        made = libraries.ask(user.authentication.email_methods.post(asked))
        assert (cloud.method_ids(), made.email_address) == ([made.id], "ana@partner.example")


class TheTenant:
    def test_names_itself_and_its_plans(self, cloud: Microsoft, libraries: Libraries) -> None:
        (found,) = libraries.ask(libraries.v1.organization.get()).value
        assert (found.id, found.display_name) == (cloud.contoso.id, "Contoso")
        assert [str(plan.service) for plan in found.assigned_plans] == ["AADPremiumService"]

    def test_names_its_domains(self, cloud: Microsoft, libraries: Libraries) -> None:
        cloud.grant(("Domain.Read.All",))
        cloud.contoso.federated.append("adfs.contoso.example")
        found = libraries.ask(libraries.v1.domains.get()).value
        kinds_of_sign_in = {one.id: one.authentication_type for one in found}
        assert kinds_of_sign_in == {"contoso.example": "Managed", "adfs.contoso.example": "Federated"}

    def test_names_its_roles(self, cloud: Microsoft, libraries: Libraries) -> None:
        builder = libraries.v1.role_management.directory.role_assignments
        asked = type(builder).RoleAssignmentsRequestBuilderGetQueryParameters(
            filter=f"principalId eq '{cloud.shared.id}'", expand=["roleDefinition"]
        )
        found = libraries.ask(builder.get(RequestConfiguration(query_parameters=asked)))
        assert [one.role_definition.display_name for one in found.value] == ["Global Administrator"]

    def test_knows_our_own_application(self, cloud: Microsoft, libraries: Libraries) -> None:
        cloud.grant(("Application.Read.All",))
        builder = libraries.v1.service_principals
        asked = type(builder).ServicePrincipalsRequestBuilderGetQueryParameters(filter=f"appId eq '{APP}'")
        (found,) = libraries.ask(builder.get(RequestConfiguration(query_parameters=asked))).value
        assert (found.app_id, found.account_enabled) == (APP, True)

    def test_tells_what_it_allows(self, cloud: Microsoft, libraries: Libraries) -> None:
        cloud.contoso.policies.conditional_access.append({"displayName": "Second factor for all"})
        policies = libraries.v1.policies
        assert libraries.ask(policies.identity_security_defaults_enforcement_policy.get()).is_enabled is True
        states = libraries.ask(policies.authentication_methods_policy.get()).authentication_method_configurations
        assert {one.id: str(one.state.value) for one in states}["SoftwareOath"] == "enabled"
        (access,) = libraries.ask(libraries.v1.identity.conditional_access.policies.get()).value
        assert access.display_name == "Second factor for all"

    def test_reports_who_registered_what(self, cloud: Microsoft, libraries: Libraries) -> None:
        cloud.registers("software_oath")
        report = libraries.v1.reports.authentication_methods.user_registration_details
        (line,) = libraries.ask(report.get()).value
        assert (line.id, line.methods_registered) == (cloud.shared.id, ["softwareOneTimePasscode"])


class TheLogs:
    def test_say_who_was_changed_and_when(self, cloud: Microsoft, libraries: Libraries) -> None:
        cloud.set_password("New-Password-2")
        events = libraries.ask(libraries.v1.audit_logs.directory_audits.get()).value
        event = next(one for one in events if one.activity_display_name == "Reset user password")
        assert [target.id for target in event.target_resources] == [cloud.shared.id]
        assert event.result is OperationResult.Success
        assert abs((event.activity_date_time - cloud.cloud.now()).total_seconds()) < 600

    def test_say_who_signed_in_and_with_what_result(self, cloud: Microsoft, libraries: Libraries) -> None:
        seed = cloud.cloud.register(cloud.contoso.id, cloud.shared.upn, "software_oath").seed
        code = totp.code(seed, cloud.cloud.now().timestamp())
        cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, "Wrong-Password-1")
        cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD, code)
        found = libraries.ask(libraries.v1.audit_logs.sign_ins.get()).value
        assert {(one.user_id, one.status.error_code) for one in found} == {
            (cloud.shared.id, 50126),
            (cloud.shared.id, 0),
        }


class ThePartner:
    """Contoso as the partner, Fabrikam as its customer."""

    @pytest.fixture
    def fabrikam(self, cloud: Microsoft) -> SimTenant:
        cloud.grant(("DelegatedAdminRelationship.Read.All", "Directory.Read.All"))
        customer = cloud.cloud.add_tenant("Fabrikam", "fabrikam.example")
        group = delegation.add_group(cloud.cloud, cloud.contoso.id, [cloud.shared.id])
        delegation.add_relationship(
            cloud.cloud, cloud.contoso.id, customer.id, roles=[GLOBAL_ADMINISTRATOR], group=group
        )
        facts = {"customerId": customer.id, "displayName": customer.name, "defaultDomainName": customer.domain}
        cloud.contoso.contracts.append({"id": cloud.cloud.new_id()} | facts)
        return customer

    def test_reads_its_relationships_and_their_grants(self, libraries: Libraries, fabrikam: SimTenant) -> None:
        relationships = libraries.v1.tenant_relationships.delegated_admin_relationships
        (found,) = libraries.ask(relationships.get()).value
        assert found.customer.tenant_id == fabrikam.id
        assert found.status is DelegatedAdminRelationshipStatus.Active
        assert (found.duration, found.auto_extend_duration) == (dt.timedelta(days=365), dt.timedelta(0))
        assert [role.role_definition_id for role in found.access_details.unified_roles] == [GLOBAL_ADMINISTRATOR]
        one = relationships.by_delegated_admin_relationship_id(found.id)
        (grant,) = libraries.ask(one.access_assignments.get()).value
        assert grant.access_container.access_container_type is DelegatedAdminAccessContainerType.SecurityGroup

    def test_reads_its_customers_of_both_kinds(self, libraries: Libraries, fabrikam: SimTenant) -> None:
        (customer,) = libraries.ask(libraries.v1.tenant_relationships.delegated_admin_customers.get()).value
        (contract,) = libraries.ask(libraries.v1.contracts.get()).value
        assert customer.tenant_id == str(contract.customer_id) == fabrikam.id
        assert contract.default_domain_name == "fabrikam.example"


class ARefusal:
    def test_is_raised_as_the_librarys_own_error(self, cloud: Microsoft, libraries: Libraries) -> None:
        with pytest.raises(ODataError) as refused:
            libraries.ask(libraries.v1.users.by_user_id("nobody@contoso.example").get())
        error = refused.value.error
        assert (refused.value.response_status_code, error.code) == (404, "Request_ResourceNotFound")
        assert error.inner_error.request_id

    def test_of_the_default_method_keeps_its_words(self, cloud: Microsoft, libraries: Libraries, user: Any) -> None:
        default = cloud.registers("microsoft_authenticator")
        cloud.registers("software_oath")
        methods = user.authentication.microsoft_authenticator_methods
        with pytest.raises(ODataError) as refused:
            libraries.ask(methods.by_microsoft_authenticator_authentication_method_id(default).delete())
        assert (refused.value.response_status_code, refused.value.error.code) == (400, "badRequest")
        assert "default" in refused.value.error.message


class ABatch:
    def test_is_read_item_by_item_up_to_the_bodies(self, libraries: Libraries, user: Any) -> None:
        """msgraph-core 1.5 reads a body only when it is Base64, where Microsoft's documented answer has an object."""
        answered, (known, unknown) = libraries.ask_together(
            libraries.v1,
            user.to_get_request_information(),
            libraries.v1.users.by_user_id("nobody").to_get_request_information(),
        )
        assert answered.get_response_status_codes() == {known: 200, unknown: 404}
        assert {item.content_type for item in answered.responses.values()} == {"application/json"}
        assert {item.body for item in answered.responses.values()} == {None}
