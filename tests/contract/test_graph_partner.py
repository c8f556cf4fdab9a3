"""A customer's tenant reached as the partner's user, against a Microsoft cloud in a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from msp.errors import NoConnection, NotAllowed, RoleMissing
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.ports import Access, AccountRef, Directory, MethodKind, RemoveMethod, SetPassword
from msp.simulator import delegation
from msp.simulator.state import PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from tests.support.box import CLIENT_ID, NEW, OLD, Place

SCOPES = ("User.Read.All", "UserAuthenticationMethod.ReadWrite.All", "User-PasswordProfile.ReadWrite.All")
HELPDESK = "729827e3-9c14-49f7-bb1b-9608f156bbb8"


class Pocket:
    """Keeps one refresh token, as the vault does."""

    def __init__(self, token: str) -> None:
        self.token = token

    def read(self) -> str:
        return self.token

    def replace(self, used: str, new: str) -> None:
        if self.token == used:
            self.token = new


@dataclass
class Way:
    """One customer's tenant, the partner that looks after it, and the way there."""

    place: Place
    home: Any
    user: Any
    relationship: Any
    pocket: Pocket
    connection: Connection

    @property
    def directory(self) -> Directory:
        """With tokens of its own: what changed at Microsoft counts at once."""
        graph = Graph(self.connection, keeper=self.pocket)
        return graph.directory(self.place.tenant, "global", Access.PARTNER)


@pytest.fixture
def way(box, pem) -> Way:
    cloud = box.cloud
    home = cloud.add_tenant("Reseller", f"r{len(cloud.tenants)}.example")
    user = cloud.add_user(home.id, "gdap", "Gdap", OLD, roles=())
    customer = cloud.add_tenant("Contoso", f"p{len(cloud.tenants)}.example")
    shared = cloud.add_user(customer.id, "admin", "Shared Admin", OLD)
    group = delegation.add_group(cloud, home.id, [user.id])
    relationship = delegation.add_relationship(
        cloud, home.id, customer.id, roles=[PRIVILEGED_AUTHENTICATION_ADMINISTRATOR], group=group
    )
    delegation.consent_delegated(cloud, CLIENT_ID, customer.id, SCOPES)
    pocket = Pocket(delegation.partner_refresh_token(cloud, home.id, user.upn, CLIENT_ID))
    connection = Connection(
        CLIENT_ID, client_certificate=str(pem), login_url=box.url, graph_url=box.url, ca_bundle=str(box.ca_path),
        timeout_seconds=10,
    )  # fmt: skip
    account = AccountRef(customer.id, shared.id, shared.upn)
    place = Place(box, Graph(connection).directory(customer.id, "global"), account)
    return Way(place, home, user, relationship, pocket, connection)


class WhenTheRelationshipGivesTheRole:
    def test_accounts_are_read_and_changed(self, way):
        method = way.place.add(MethodKind.FIDO2)
        directory = way.directory
        assert directory.observe(way.place.account).object_id == way.place.user
        directory.act(way.place.account, (SetPassword(NEW), RemoveMethod(method)))
        assert way.place.lets_in(NEW)
        assert not way.place.holds(method.directory_id)

    def test_the_refresh_token_that_comes_along_is_kept(self, way):
        first = way.pocket.token
        way.directory.observe(way.place.account)
        assert way.pocket.token != first
        way.directory.observe(way.place.account)


class WhenSomethingIsMissing:
    @pytest.mark.parametrize(
        ("what", "code", "words"),
        [
            (lambda w, c: c.change_password_as_person(w.home.id, w.user.id, NEW), "AADSTS50173", "partner_token"),
            (lambda w, c: setattr(w.user, "at_risk", True), "AADSTS530034", "risk"),
            (lambda w, c: setattr(w.relationship, "status", "terminated"), "AADSTS90099", "Partner Center"),
            (lambda w, c: setattr(w.pocket, "token", ""), "partner_token_missing", "partner_token"),
        ],
        ids=["new password of the partner", "at risk", "relationship ended", "none kept"],
    )
    def test_the_code_and_the_way_out_are_told_and_nothing_is_changed(self, box, way, what, code, words):
        what(way, box.cloud)
        with pytest.raises(NoConnection, match=words) as caught:
            way.directory.set_password(way.place.account, NEW)
        assert caught.value.code == code
        assert way.place.lets_in(OLD)

    def test_too_low_a_role_is_told_apart_from_a_missing_permission(self, box, way):
        way.relationship.grants[0]["roles"] = [HELPDESK]
        with pytest.raises(RoleMissing, match="role"):
            way.directory.set_password(way.place.account, NEW)
        delegation.consent_delegated(box.cloud, CLIENT_ID, way.place.tenant, ["User.Read.All"])
        with pytest.raises(NotAllowed) as caught:
            way.directory.set_password(way.place.account, NEW)
        assert not isinstance(caught.value, RoleMissing)
        assert way.place.lets_in(OLD)
