"""The clouds: where each of them is, what it lacks, and how a setting puts it elsewhere."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from msp.errors import BadInput, NoConnection
from msp.microsoft.clouds import CLOUDS, Ability, cloud_named
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"


class EveryCloud:
    @pytest.mark.parametrize(
        ("name", "login", "graph"),
        [
            ("global", "login.microsoftonline.com", "graph.microsoft.com"),
            ("us_gov_l4", "login.microsoftonline.us", "graph.microsoft.us"),
            ("us_gov_l5", "login.microsoftonline.us", "dod-graph.microsoft.us"),
            ("china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
        ],
    )
    def test_has_its_own_hosts_and_asks_for_its_own_graph(self, name, login, graph):
        cloud = cloud_named(name)
        assert cloud.token_url(TENANT) == f"https://{login}/{TENANT}/oauth2/v2.0/token"
        assert cloud.scope == f"https://{graph}/.default"

    @pytest.mark.parametrize(
        ("ability", "where"),
        [
            (Ability.AUTHENTICATION_METHODS, {"global", "us_gov_l4", "us_gov_l5"}),
            (Ability.RESET_PASSWORD, {"global", "us_gov_l4", "us_gov_l5"}),
            (Ability.HARDWARE_OATH, {"global"}),
            (Ability.DELEGATED_ADMIN, {"global"}),
            (Ability.PASSKEY_PROVISIONING, {"global"}),
        ],
    )
    def test_can_what_its_page_says(self, ability, where):
        assert {name for name, cloud in CLOUDS.items() if ability not in cloud.lacks} == where

    def test_that_is_not_in_the_table_is_told_with_the_names_that_are(self):
        with pytest.raises(NoConnection, match="us_gov_l5"):
            cloud_named("moon")


class WhenAnAdministratorIsToConsent:
    def test_the_link_leads_to_the_tenants_own_page_and_brings_everything_along(self):
        link = urlsplit(
            cloud_named("global").admin_consent_url(TENANT, "client-1", "https://latchkey.example/back?x=1&y=2", "a&b=")
        )
        assert (link.scheme, link.netloc, link.path) == (
            "https",
            "login.microsoftonline.com",
            f"/{TENANT}/adminconsent",
        )
        assert parse_qs(link.query) == {
            "client_id": ["client-1"],
            "redirect_uri": ["https://latchkey.example/back?x=1&y=2"],
            "state": ["a&b="],
        }


class WhenASettingPutsCloudsElsewhere:
    def test_one_address_holds_for_every_cloud(self):
        moved = {c.elsewhere(login_url="https://box.example:8443/").login_url for c in CLOUDS.values()}
        assert moved == {"https://box.example:8443"}

    def test_pairs_hold_for_the_clouds_that_they_name(self):
        pairs = "global=https://g.example/, china=https://c.example:1/base"
        moved = {name: cloud.elsewhere(graph_url=pairs).graph_url for name, cloud in CLOUDS.items()}
        assert moved == {
            "global": "https://g.example",
            "china": "https://c.example:1/base",
            "us_gov_l4": "https://graph.microsoft.us",
            "us_gov_l5": "https://dod-graph.microsoft.us",
        }

    def test_nothing_is_moved_by_an_empty_one(self):
        assert [c.elsewhere(login_url="", graph_url=" ") for c in CLOUDS.values()] == list(CLOUDS.values())

    @pytest.mark.parametrize(
        "wrong",
        [
            "http://box.example",
            "box.example",
            "https://",
            "https://user:Planted-7@box.example",
            "https://box.example/?key=Planted-7",
            "moon=https://box.example",
            "global=http://box.example",
            "global=https://a.example,global=https://b.example",
            "https://a.example,china=https://b.example",
            "global=",
        ],
    )
    @pytest.mark.parametrize("setting", ["login_url", "graph_url"])
    def test_a_wrong_one_stops_everything_by_its_name_and_is_not_repeated(self, setting, wrong):
        with pytest.raises(BadInput, match=f"LATCHKEY_{setting.upper()}") as caught:
            Graph(Connection("client-1", client_secret="s", **{setting: wrong}))
        assert "Planted" not in str(caught.value)
