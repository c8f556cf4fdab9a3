"""The whole way without a browser: every act is a command, and the answer is asked at Microsoft's sign-in page."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import resolve
from django.utils import timezone

from msp.access.actions import find_link
from msp.access.models import OneTimeLink
from msp.ops.observe_all import observe_all
from msp.ops.work_here import work_until_settled
from msp.outside import outside
from msp.simulator.server import Simulator
from msp.vault.database import Vault
from msp.vault.envelope import Place
from technicians.actions.offboard import offboard
from technicians.models import Assignment, Role, Technician
from tenants.actions.lease import take_lease
from tenants.models import Finding, Lease, Run, SharedAccount, Step, Tenant
from tenants.models.run import UNDER_WAY
from tenants.plans import RunState, StepKind

WITH_THREADS = pytest.mark.django_db(transaction=True)
"""Threads see only what is committed."""
OWNER = "olga@reseller.example"


class Said:
    """What a command printed, and how it ended."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.error = ""
        try:
            call_command(*[str(a) for a in arguments], stdout=out, stderr=err, **options)
        except CommandError as trouble:
            self.error = str(trouble)
            assert trouble.returncode == 1
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Office:
    """An empty installation, connected to a cloud with two tenants: Contoso with two accounts, Fabrikam with one."""

    @pytest.fixture(autouse=True)
    def _office(self, simulator: Simulator, credential: Path, settings: Any, tmp_path: Path) -> Any:
        self.cloud, self.files = simulator.cloud, tmp_path
        client_id = self.cloud.register_app(certificate_pem=credential.read_text())
        self.cloud.consent(client_id)
        settings.MICROSOFT = settings.MICROSOFT | {
            "client_id": client_id,
            "client_certificate": str(credential),
            "login_url": simulator.url,
            "graph_url": simulator.url,
            "ca_bundle": str(simulator.ca_path),
            "timeout_seconds": 10,
        }
        settings.KEY_DIRECTORY = tmp_path / "keys"
        outside.cache_clear()
        self.contoso, self.fabrikam = (
            self.cloud.add_tenant(name, f"{name.lower()}.example") for name in ("Contoso", "Fabrikam")
        )
        self.users = [
            self.cloud.add_user(tenant.id, name, password=f"Start-{name}-9")
            for tenant, name in ((self.contoso, "admin"), (self.contoso, "second"), (self.fabrikam, "admin"))
        ]
        yield
        outside.cache_clear()

    def file(self, *lines: str) -> Path:
        path = self.files / f"file-{len(list(self.files.iterdir()))}.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    def tenant_of(self, user: Any) -> Any:
        return self.contoso if user in self.users[:2] else self.fabrikam

    def enter(self) -> None:
        """Owner, customers, accounts and people; nothing was read from the directories yet."""
        Said("create_owner", OWNER, "--reseller", "Northwind IT")
        imports = {
            "partner-center": [
                "Microsoft ID,Company name,Primary domain name",
                *(f"{t.id},{t.name},{t.domain}" for t in (self.contoso, self.fabrikam)),
            ],
            "accounts": [
                "tenant,user_principal_name,password",
                *(f"{self.tenant_of(u).domain},{u.upn},{u.password}" for u in self.users),
            ],
            "technicians": ["email,name", *(f"{name.lower()}@x.example,{name}" for name in ("Ana", "Ben"))],
            "assignments": [
                "technician,tenant,account,from,until,reason",
                *(
                    f"{name}@x.example,{self.tenant_of(u).domain},{u.upn},,,on the team"
                    for name in ("ana", "ben")
                    for u in self.users
                ),
            ],
        }
        for kind, lines in imports.items():
            said = Said("import", kind, self.file(*lines))
            assert not said.error

    def bind(self) -> None:
        """Ana and Ben register an authenticator each on every account; what is observed is said to be theirs."""
        self.phones = {}
        lines = ["technician,tenant,account,method_id,kind,label"]
        for user in self.users:
            for name in ("ana", "ben"):
                method_id, _seed = self.cloud.register_software_oath(self.tenant_of(user).id, user.upn)
                self.phones[user.id, name] = method_id
                lines.append(f"{name}@x.example,{self.tenant_of(user).domain},{user.upn},{method_id},software_oath,")
        assert not Said("observe").error
        assert not Said("import", "authenticators", self.file(*lines)).error

    def gets_in(self, user: Any, name: str, password: str) -> bool:
        tenant = self.tenant_of(user).id
        code = self.cloud.code(tenant, user.upn, self.phones[user.id, name])
        return bool(self.cloud.sign_in(tenant, user.upn, password, code).session)

    def password_known(self, user: Any) -> str:
        account = SharedAccount.objects.get(object_id=user.id)
        version = account.secret.versions.select_related("secret__account").get(status="current")
        return outside().vault.open(bytes(version.sealed), version.place).decode()


@WITH_THREADS
class TheWholeWayFromAnEmptyInstallation(Office):
    @pytest.fixture(autouse=True)
    def _ready(self, _office: None) -> None:
        self.enter()
        self.bind()

    def test_the_leaver_is_out_and_those_who_stay_get_in(self):
        old = {user.id: user.password for user in self.users}
        for user in self.users:
            assert self.gets_in(user, "ana", old[user.id])
        said = Said("offboard", "Ana@X.example", "--reason", "resigned", "--wait", "--json")
        assert said.error == ""
        assert (said.json["state"], said.json["accounts"]) == (RunState.CLEAN_SO_FAR, 3)
        for user in self.users:
            left = {method.id for method in self.cloud.methods(self.tenant_of(user).id, user.upn)}
            assert self.phones[user.id, "ana"] not in left
            assert not self.gets_in(user, "ben", old[user.id])
            assert self.gets_in(user, "ben", self.password_known(user))

    def test_the_preview_says_what_would_happen_and_changes_nothing(self):
        said = Said("offboard", "ana@x.example", "--preview", "--json").json
        assert (said["tenants"], said["accounts"], said["methods_to_go"], said["held_back"]) == (2, 3, 3, 0)
        assert said["accounts_detail"][0]["who_stays"] == [{"name": "Ben", "has_method": True}]
        assert "3 accounts in 2 tenants" in Said("offboard", "ana@x.example", "--preview").out
        assert Technician.objects.get(email="ana@x.example").is_active
        assert not Run.objects.exists()

    def test_without_waiting_the_run_is_left_to_the_workers(self):
        said = Said("offboard", "ana@x.example", "--reason", "resigned", "--json")
        assert (said.error, said.json["state"]) == ("", RunState.RUNNING)
        assert not Technician.objects.get(email="ana@x.example").is_active

    def test_what_needs_a_person_ends_with_an_error(self):
        Assignment.objects.filter(technician__email="ben@x.example").update(until_at=timezone.now())
        last = Said("offboard", "ana@x.example", "--reason", "resigned", "--wait", "--json")
        assert last.error
        assert last.json["state"] == RunState.NEEDS_ATTENTION
        assert "last way in" in json.dumps(last.json)
        assert all(
            self.phones[user.id, "ana"] in {m.id for m in self.cloud.methods(self.tenant_of(user).id, user.upn)}
            for user in self.users
        )

    def test_no_reason_and_nobody_there_change_nothing(self):
        assert "reason" in Said("offboard", "ana@x.example").error
        assert "nobody@x.example" in Said("offboard", "nobody@x.example", "--reason", "x").error
        assert not Run.objects.exists()


@WITH_THREADS
class WhenARunIsWorkedHere(Office):
    """Beside any worker; leases in the rows keep them apart."""

    @pytest.fixture(autouse=True)
    def _leaving(self, _office: None) -> None:
        self.enter()
        self.bind()
        owner = Technician.objects.get(email=OWNER)
        self.run = offboard(Technician.objects.get(email="ana@x.example"), by=owner, reason="resigned").run

    def state(self) -> RunState:
        return Run.objects.with_counts().get(pk=self.run.pk).state

    def test_it_returns_when_only_the_second_look_is_left(self):
        work_until_settled(self.run, outside(), threads=4)
        assert self.state() == RunState.CLEAN_SO_FAR

    def test_a_tenant_that_asks_for_patience_holds_up_nobody_and_is_finished_too(self):
        self.cloud.faults.plan(path="/users/", kind="429", times=1, delay=2, tenant=self.fabrikam.id)
        work_until_settled(self.run, outside(), threads=1)
        assert self.state() == RunState.CLEAN_SO_FAR

    def test_an_account_in_other_hands_is_waited_for_and_its_password_changes_once(self, settings):
        settings.LEASE_SECONDS = 1
        target = self.run.targets.select_related("account").first()
        assert target is not None
        assert take_lease(target.pk)
        settings.LEASE_SECONDS = 180
        work_until_settled(self.run, outside())
        assert self.state() == RunState.CLEAN_SO_FAR
        assert self.cloud.effects.count(kind="password_changed", user_id=target.account.object_id) == 1
        assert not Lease.objects.filter(until__gt=timezone.now()).exists()

    def test_our_own_error_on_one_account_is_raised_after_the_others_are_done(self, monkeypatch):
        broken = self.run.targets.select_related("account__secret").first().account
        opened = Vault.open

        def breaks(vault: Vault, envelope: bytes, place: Place) -> bytes:
            if place.object_id == str(broken.secret.pk):
                raise RuntimeError("a bug of ours")
            return opened(vault, envelope, place)

        monkeypatch.setattr(Vault, "open", breaks)
        with pytest.raises(RuntimeError):
            work_until_settled(self.run, outside())
        left = Step.objects.filter(target__run=self.run, status__in=UNDER_WAY).exclude(kind=StepKind.SECOND_LOOK)
        assert {step.target.account_id for step in left} == {broken.pk}
        assert self.state() == RunState.RUNNING


@WITH_THREADS
class WhenTheTenantsAreObserved(Office):
    @pytest.fixture(autouse=True)
    def _entered(self, _office: None) -> None:
        self.enter()

    def test_accounts_without_an_object_id_get_one_and_methods_are_listed(self):
        method_id, _seed = self.cloud.register_software_oath(self.contoso.id, self.users[0].upn)
        said = Said("observe", "--json")
        assert (said.error, said.json["read"], said.json["unknown_methods"]) == ("", 3, 1)
        assert {a["object_id"] for a in said.json["accounts"]} == {user.id for user in self.users}
        (found,) = [a for a in said.json["accounts"] if a["methods"]]
        assert [(m["id"], m["kind"], m["holder"]) for m in found["methods"]] == [(method_id, "software_oath", None)]

    @pytest.mark.parametrize("key", ["domain", "id"])
    def test_one_tenant_alone(self, key):
        said = Said("observe", "--tenant", getattr(self.contoso, key), "--json")
        assert said.json["read"] == 2
        assert Tenant.objects.get(directory_id=self.fabrikam.id).observed_at is None

    def test_one_tenants_trouble_does_not_stop_the_others_and_ends_with_an_error(self):
        Tenant.objects.filter(directory_id=self.fabrikam.id).update(directory_id="99999999-9999-4999-8999-999999999999")
        said = Said("observe", "--json")
        assert "1 of 3 accounts" in said.error
        assert (said.json["read"], said.json["failed"]) == (2, 1)
        assert [bool(a["problem"]) for a in said.json["accounts"]] == [False, False, True]
        assert Finding.objects.get(kind=Finding.Kind.NO_CONNECTION).tenant.default_domain == "fabrikam.example"

    def test_an_account_that_is_not_there_is_said_and_its_neighbour_is_read(self):
        SharedAccount.objects.filter(user_principal_name=self.users[0].upn).update(user_principal_name="gone@x.example")
        said = Said("observe", "--tenant", "contoso.example")
        assert said.error
        assert "gone@x.example: " in said.out
        assert SharedAccount.objects.get(user_principal_name=self.users[1].upn).object_id == self.users[1].id

    def test_two_accounts_that_are_one_directory_user_are_said(self):
        assert not Said("observe").error
        # The second account was entered by the first one's id, where a name belongs.
        twin = SharedAccount.objects.select_related("tenant").get(object_id=self.users[1].id)
        twin.object_id, twin.user_principal_name = "", self.users[0].id
        twin.save()
        assert "same user" in observe_all([twin], outside=outside()).problems[twin]

    def test_an_unknown_tenant_is_said(self):
        assert "nowhere.example" in Said("observe", "--tenant", "nowhere.example").error


@pytest.mark.django_db
class WhenAFileIsImportedByCommand(Office):
    @pytest.fixture(autouse=True)
    def _owner(self, _office: None) -> None:
        Said("create_owner", OWNER)
        self.good = self.file("email,name,role", "ana@x.example,Ana,auditor", "ben@x.example,Ben,")
        self.bad = self.file("email,name,role", "ana@x.example,Ana,king", "ben@x.example,Ben,")

    def people(self) -> set[str]:
        return set(Technician.objects.exclude(role=Role.OWNER).values_list("email", flat=True))

    def test_a_preview_lists_rows_and_changes_nothing(self):
        said = Said("import", "technicians", self.good, "--preview")
        assert not said.error
        assert "ana@x.example" in said.out
        assert "2 would be added" in said.out
        assert self.people() == set()

    def test_an_error_is_printed_with_line_and_column_and_stops_everything(self):
        said = Said("import", "technicians", self.bad)
        assert "Rows with errors: 1" in said.error
        assert [word for word in ("line 2", "role", "king") if word not in said.out] == []
        assert self.people() == set()

    def test_a_partial_import_leaves_that_row_out_and_ends_well(self):
        said = Said("import", "technicians", self.bad, "--partial", "--json")
        assert not said.error
        assert said.json["imported"]
        assert [(e["line"], e["column"]) for e in said.json["errors"]] == [(2, "role")]
        assert self.people() == {"ben@x.example"}

    def test_another_person_can_act(self):
        Said("import", "technicians", self.good)
        assert "role" in Said("import", "technicians", self.good, "--as", "ana@x.example").error
        assert "nobody@x.example" in Said("import", "technicians", self.good, "--as", "nobody@x.example").error

    def test_with_two_owners_somebody_must_be_named(self):
        Said("create_owner", "otto@x.example")
        assert "--as" in Said("import", "technicians", self.good).error

    def test_a_file_that_is_not_there_or_no_such_file_is_said(self):
        assert "cannot be read" in Said("import", "technicians", self.files / "missing.csv").error
        assert "should name the columns" in Said("import", "accounts", self.good).error


@pytest.mark.django_db
class WhenALinkIsMade(Office):
    def token(self, said: Said) -> str:
        (line,) = said.out.splitlines()
        return str(resolve(urlsplit(line).path).kwargs["token"])

    def test_the_first_owner_gets_one_that_lets_in_that_person(self):
        said = Said(
            "create_owner", OWNER, "--name", "Olga", "--reseller", "Northwind IT", "--base", "https://keys.example/"
        )
        link = find_link(self.token(said))
        assert link is not None
        assert said.out.startswith("https://keys.example/access/link/")
        owner = Technician.objects.get(email=OWNER)
        assert (link.person, owner.role, owner.name, owner.reseller.name) == (owner, Role.OWNER, "Olga", "Northwind IT")
        assert not owner.has_usable_password()

    def test_the_token_is_only_on_standard_output_and_not_in_the_database(self):
        said = Said("create_owner", OWNER)
        assert self.token(said) not in said.err
        assert self.token(said).encode() not in bytes(OneTimeLink.objects.get().token_hash)

    def test_an_owner_is_not_made_twice(self):
        Said("create_owner", OWNER)
        assert "already" in Said("create_owner", OWNER.upper()).error
        assert "not an e-mail address" in Said("create_owner", "olga").error

    def test_sign_in_links_are_for_the_only_owner_or_whoever_is_named(self):
        Said("create_owner", OWNER)
        link = find_link(self.token(Said("sign_in_link")))
        assert link is not None
        assert link.person.email == OWNER
        assert "nobody@x.example" in Said("sign_in_link", "nobody@x.example").error

    def test_the_set_up_link_is_for_nobody_and_ends_with_the_first_owner(self):
        link = find_link(self.token(Said("set_up_link")))
        assert link is not None
        assert link.person is None
        Said("create_owner", OWNER)
        assert Said("set_up_link").out == ""

    def test_without_an_owner_nobody_acts(self):
        assert "create_owner" in Said("sign_in_link").error
