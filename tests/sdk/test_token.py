"""azure-identity obtains a token from the simulated sign-in service."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ClientAuthenticationError

from tests.sdk.libraries import Libraries
from tests.support.simulated import APP, Microsoft


class WhenAzureIdentityAsksForAToken:
    def test_the_certificate_is_enough(self, cloud: Microsoft, libraries: Libraries) -> None:
        with libraries.signed_in() as signed_in:
            token = signed_in.get_token(f"{cloud.url}/.default")
        grant = cloud.cloud.grant_of(token.token)
        assert grant is not None
        assert (grant.client_id, grant.tenant_id) == (APP, cloud.contoso.id)

    def test_a_refusal_is_told_by_its_number(self, cloud: Microsoft, libraries: Libraries) -> None:
        cloud.cloud.withdraw_consent(APP, cloud.contoso.id)
        with libraries.signed_in() as signed_in, pytest.raises(ClientAuthenticationError, match="AADSTS700016"):
            signed_in.get_token(f"{cloud.url}/.default")
