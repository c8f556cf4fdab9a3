"""A tenant is checked at the simulated cloud: what is read, what is kept, and what a finding says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction

from msp.errors import NoConnection, NotAllowed, NotPermitted, Unreachable
from msp.ledger.models import Entry
from msp.microsoft.partner_ports import Relationship
from msp.outside import outside
from technicians.models import Role
from tenants.actions.check_tenant import KEPT, check_tenant
from tenants.check_facts import CheckItem, CheckState
from tenants.models import Finding, TenantCheck
from tests.pages.cast import installed
from tests.support.world import World, found_reseller

KEY_OF_ALL = "permission.all"


class Checked:
    """Contoso, with one shared account that everything is right about, and its owner Olga who checks."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, credential: Path, tmp_path: Path, settings: Any) -> Iterator[None]:
        with installed(settings, world, credential, tmp_path):
            self.world, self.cloud = world, world.cloud
            self.client_id = world.connection.client_id
            self.tenant = world.tenant("Contoso")
            self.there = self.cloud.tenant(str(self.tenant.directory_id))
            self.account = world.account(self.tenant)
            self.user = self.cloud.user(self.there.id, self.account.object_id)
            yield

    def check(self, **ways: Any) -> TenantCheck:
        return check_tenant(self.tenant, by=self.world.owner, outside=replace(outside(), **ways))

    def item(self, key: str, check: TenantCheck | None = None) -> CheckItem:
        found = {i.key: i for i in (check or self.check()).found}
        assert key in found, sorted(found)
        return found[key]

    def open_findings(self) -> set[str]:
        return set(Finding.objects.open().filter(tenant=self.tenant).values_list("kind", flat=True))


class WhenATenantIsChecked(Checked):
    def test_everything_that_is_in_order_is_seen_to_be(self):
        self.there.plans = ["AAD_PREMIUM"]
        check = self.check()
        assert [(i.key, i.sentence) for i in check.found if i.state != CheckState.OK] == []
        assert check.worst == CheckState.OK
        groups = {i.group for i in check.found}
        assert groups == {
            "credential",
            "tenant",
            "consent",
            "permission",
            "role",
            "account",
            "licence",
            "policy",
            "clock",
        }

    def test_who_checked_and_what_came_of_it_is_in_the_ledger(self):
        self.check()
        entry = Entry.objects.filter(verb="tenant.checked").latest("at")
        assert (entry.actor, entry.tenant_id) == (self.world.owner.email, self.tenant.pk)
        facts = json.loads(bytes(entry.body))["facts"]
        assert facts["items"]["wrong"] == 0

    def test_nothing_is_changed_there(self):
        before = len(self.cloud.effects)
        self.check()
        assert len(self.cloud.effects) == before
        written = {e.method for e in self.cloud.log if e.path.startswith(("/v1.0", "/beta"))}
        assert written == {"GET"}

    def test_only_the_newest_are_kept(self):
        first = self.check()
        for _ in range(KEPT):
            last = self.check()
        kept = TenantCheck.objects.filter(tenant=self.tenant)
        assert kept.count() == KEPT
        assert not kept.filter(pk=first.pk).exists()
        assert kept.first() == last

    def test_a_permission_granted_a_moment_ago_counts(self):
        self.cloud.consent(self.client_id, self.there.id, permissions=["User.Read.All"])
        assert self.item("permission.User.RevokeSessions.All").state == CheckState.WRONG
        self.cloud.consent(self.client_id, self.there.id)
        assert self.item("permission.User.RevokeSessions.All").state == CheckState.OK


class WhenSomethingIsWrong(Checked):
    def test_a_finding_says_how_many_things_and_names_no_account(self):
        self.user.enabled = True
        self.cloud.consent(self.client_id, self.there.id, roles=())
        check = self.check()
        assert check.worst == CheckState.WRONG
        finding = Finding.objects.open().get(tenant=self.tenant, kind=Finding.Kind.CHECK_FAILED)
        assert finding.detail.startswith("1 thing is wrong.")
        assert self.account.user_principal_name not in finding.detail
        assert finding.account is None

    def test_the_finding_is_resolved_when_it_is_mended(self):
        self.cloud.consent(self.client_id, self.there.id, roles=())
        self.check()
        self.check()
        assert self.open_findings() == {"check_failed"}
        self.cloud.consent(self.client_id, self.there.id)
        self.check()
        assert self.open_findings() == set()

    def test_a_tenant_that_lets_nobody_in_says_so_on_its_page_and_again_when_it_does(self):
        self.cloud.withdraw_consent(self.client_id, self.there.id)
        check = self.check()
        assert self.item("consent", check).consent
        self.tenant.refresh_from_db()
        assert "700016" in self.tenant.connection_problem
        assert self.open_findings() == {"check_failed", "no_connection"}
        self.cloud.consent(self.client_id, self.there.id)
        self.check()
        self.tenant.refresh_from_db()
        assert self.tenant.connection_problem == ""
        assert self.open_findings() == set()


class SilentReader:
    """A tenant that says the same to every question; it remembers how often it was asked."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def __getattr__(self, _name: str) -> Any:
        def question(*_args: Any) -> Any:
            self.asked += 1
            raise self.error

        return question


class WhenATenantDoesNotAnswer(Checked):
    @pytest.mark.parametrize("error", [Unreachable("No answer came."), NoConnection("Not let in.", code="AADSTS65001")])
    def test_it_is_an_item_and_each_further_question_is_spared(self, error: Exception):
        reader = SilentReader(error)
        check = self.check(reader_for=lambda *_: reader)
        assert check.worst == CheckState.WRONG
        assert self.item(KEY_OF_ALL, check).state == CheckState.UNKNOWN
        assert reader.asked == 1

    def test_what_may_not_be_read_is_not_known_and_the_rest_is_asked(self):
        reader = SilentReader(NotAllowed("Not allowed."))
        check = self.check(reader_for=lambda *_: reader)
        assert check.worst == CheckState.WRONG
        assert reader.asked > 5

    def test_one_that_falls_silent_in_the_middle_is_never_said_to_be_in_order(self):
        self.there.plans = ["AAD_PREMIUM"]
        whole = outside().reader_for(*self.tenant.way)
        silent = SilentReader(Unreachable("It broke off."))

        class Half:
            """Answers up to the domains, and then no more."""

            own_access, organisation, security_defaults = whole.own_access, whole.organisation, whole.security_defaults

            def __getattr__(self, name: str) -> Any:
                return getattr(silent, name)

        check = self.check(reader_for=lambda *_: Half())
        assert (self.item("tenant", check).state, check.worst) == (CheckState.WRONG, CheckState.WRONG)
        assert silent.asked == 1

    def test_silence_for_a_moment_does_not_take_the_connection_finding_away(self):
        self.cloud.withdraw_consent(self.client_id, self.there.id)
        self.check()
        self.check(reader_for=lambda *_: SilentReader(Unreachable("No answer came.")))
        assert "no_connection" in self.open_findings()


class PartnerWith:
    def __init__(self, *relationships: Relationship) -> None:
        self._relationships = relationships

    def relationships(self) -> Iterator[Relationship]:
        yield from self._relationships


class WhenTheResellerComesByDelegatedAdministration(Checked):
    def test_a_tenant_without_a_relationship_is_wrong(self):
        assert self.item("gdap", self.check(partner=lambda: PartnerWith())).state == CheckState.WRONG

    def test_a_partner_tenant_that_does_not_answer_is_an_item(self):
        silent = SilentReader(Unreachable("No answer came."))
        assert self.item("gdap", self.check(partner=lambda: silent)).state == CheckState.UNKNOWN


class WhoMayNotCheck(Checked):
    def test_reads_nothing_and_leaves_nothing(self):
        ana = self.world.technician("Ana")
        self.world.give(self.account, ana)
        for person in (ana, self.world.technician("Aud", Role.AUDITOR)):
            with pytest.raises(NotPermitted):
                check_tenant(self.tenant, by=person, outside=outside())
        assert not TenantCheck.objects.exists()


class AKeptCheck(Checked):
    def test_cannot_be_of_another_resellers_tenant(self):
        foreign, owner = found_reseller("Other MSP", "other@elsewhere.example")
        for wrong in ({"reseller": foreign}, {"by": owner}):
            facts: dict[str, Any] = {"reseller": self.world.reseller, "tenant": self.tenant, "worst": "ok"} | wrong
            with pytest.raises(IntegrityError), transaction.atomic():
                TenantCheck.objects.create(**facts)
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class WhenTheCommandIsRun(Checked):
    def run(self, *arguments: str) -> tuple[str, str]:
        """(standard output, the error that ended it)."""
        out, error = StringIO(), ""
        try:
            call_command("check_tenant", *arguments, stdout=out)
        except CommandError as wrong:
            error = str(wrong)
        return out.getvalue(), error

    def test_it_prints_each_item_and_ends_well_when_nothing_is_wrong(self):
        said, error = self.run(self.tenant.default_domain)
        assert error == ""
        assert "ok       User.Read.All is granted" in said
        assert "warning  The tenant has no Entra ID P1" in said
        assert "-> Buy one Entra ID P1 licence" in said

    def test_it_ends_badly_with_the_remedy_when_something_is(self):
        self.cloud.withdraw_consent(self.client_id, self.there.id)
        said, error = self.run(str(self.tenant.directory_id))
        assert "WRONG    Nobody has consented to the app" in said
        assert f"/tenants/{self.tenant.pk}/check/" in said
        assert error == "Something is wrong in 1 tenant of 1; see above."

    def test_it_says_all_of_it_as_json(self):
        said, _error = self.run(self.tenant.default_domain, "--json")
        (told,) = json.loads(said)["tenants"]
        assert (told["tenant"], told["worst"]) == (self.tenant.default_domain, "warning")
        assert {"key", "state", "sentence", "remedy"} <= told["items"][0].keys()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [((), "or say --all"), (("nowhere.example",), "no tenant nowhere.example"), ((str(uuid4()),), "no tenant")],
    )
    def test_it_says_what_it_needs(self, arguments: tuple[str, ...], words: str):
        assert words in self.run(*arguments)[1]


@pytest.mark.django_db(transaction=True)
class WhenEveryTenantIsChecked(Checked):
    def test_one_that_is_wrong_does_not_hold_up_the_others(self):
        second = self.world.tenant("Fabrikam")
        self.cloud.withdraw_consent(self.client_id, str(second.directory_id))
        out = StringIO()
        with pytest.raises(CommandError, match="1 tenant of 2"):
            call_command("check_tenant", "--all", stdout=out)
        assert TenantCheck.objects.get(tenant=self.tenant).worst == CheckState.WARNING
        assert TenantCheck.objects.get(tenant=second).worst == CheckState.WRONG
