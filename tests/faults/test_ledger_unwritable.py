"""With the ledger's table made unwritable, no secret leaves by any door: page, fragment, link, command or mail.

Two lists say where secrets can leave. Whoever opens a secret in a new place, or puts a new door before such a place,
has to say here what becomes of it, and walk the door below when it lets a secret out.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import datetime as dt
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grimp
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP

from msp.access.models import TotpDevice
from msp.errors import LatchkeyError, LedgerClosed
from msp.ledger.models import Entry
from technicians.actions.assign import assign
from technicians.actions.begin_bulk import begin_bulk
from technicians.actions.enrol import begin_enrolment
from technicians.actions.hand_over import MadeLink, make_link
from technicians.actions.keep_code import keep_code
from technicians.actions.mail_notices import mail_notices
from technicians.actions.open_enrolments import open_enrolments
from technicians.actions.prove_key import keep_pasted_key
from technicians.actions.reveal_password import copy_password, reveal_password
from technicians.actions.tell_holders import tell_holders
from technicians.models import Enrolment, HandOverLink, PasswordNotice, Reveal
from tenants.actions.observe_account import observe_account
from tenants.actions.rotate import rotate
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.actions.store_password import store_password
from tenants.models import CustomerExit, EnrolmentPolicy, SecretVersion, SharedAccount, Step
from tenants.password_plans import Place
from tenants.plans import StepState
from tests.pages.addresses import TABLE, known
from tests.pages.cast import Side, installed, make_side, url_of
from tests.support import source
from tests.support.mail_server import mail_server
from tests.support.scan import spellings
from tests.support.source import PACKAGES, dotted, python_files
from tests.support.visitor import Visitor
from tests.support.world import World

OPENED = {
    "technicians.actions.reveal_password:_fetch": "to a person, after the record: LETS_OUT",
    "technicians.actions.reveal_candidate:reveal_candidate": "to a person, after the record: LETS_OUT",
    "technicians.actions.hand_over:_message": "into a link for somebody outside, after the record: LETS_OUT",
    "technicians.actions.export_passwords:_entry": "into an encrypted file for a person, with the record: LETS_OUT",
    "technicians.actions.show_code:show_code": "to make one code for one person, after the record: LETS_OUT",
    "technicians.actions.show_seed:show_seed": "to the person whose it is, after the record: LETS_OUT",
    "technicians.actions.hand_out_seeds:_opened": "to the person whose they are, after the record: LETS_OUT",
    "technicians.actions.prove_bulk_code:_wrong": "compared with codes",
    "technicians.actions.prove_enrolment:_prove": "compared with a code",
    "technicians.actions.settle_enrolment:active": "sealed again in another place, or nowhere",
    "tenants.actions.work_token:_made": "sent to Microsoft, after the record",
    "tenants.actions.work_token:_activated": "makes a code that is sent to Microsoft, after the record",
    "technicians.actions.show_seed_again:show_seed_again": "to the person whose it is, after the record: LETS_OUT",
    "msp.access.views:_pending_device": "a person's own new authenticator, nothing until its record: walked below",
    "msp.ops.management.commands.demo_code:handle": "in a demo only, where nobody is real: walked below",
    "msp.access.actions:check_code": "compared with a code",
    "msp.access.actions:confirm_device": "compared with a code",
    "msp.importing.known_passwords:_value": "compared with what a file brings",
    "msp.importing.uploads:_opened": "read by the import, which stores what is in it",
    "msp.rehearsals.sign_in:_passwords_known": "of a copy, which knows no real secret; tried at its own cloud",
    "msp.vault.kept:_opened": "sent to Microsoft",
    "tenants.actions.rotate_password:rotate_password": "sent to Microsoft, after the record",
    "tenants.actions.try_password:try_password": "sent to Microsoft",
    "tenants.actions.try_old:_sign_in": "sent to Microsoft, after the record",
    "tenants.actions.try_old_session:open_old_session": "sent to Microsoft, after the record",
    "tenants.actions.try_old_session:_ask": "sent to Microsoft, after the record",
    "tenants.actions.store_password:_opens_as": "compared with what was typed",
    "tenants.actions.reshare:reshare": "opened to see that it opens",
    "tenants.actions.work_by_hand:_hand_over": "opened to see that it opens",
}
"""Every place that opens a sealed secret, as `module:function`, and what becomes of it."""

LETS_OUT = {
    "technicians.actions.reveal_password": {
        "technicians.views.accounts": "walked below",
        "msp.ops.outside_check": "the demo's own sign-ins at the simulator; prints verdicts",
        "technicians.actions.reveal_candidate": "asks who may, and writes down who saw it",
    },
    "technicians.actions.reveal_candidate": {
        "technicians.views.by_hand": "walked below",
    },
    "technicians.actions.hand_over": {
        "technicians.views.hand_over": "walked below",
        "technicians.tasks": "closes links",
        "technicians.actions.end_access": "closes links",
        "technicians.actions.exit_customer": "closes links",
    },
    "technicians.actions.show_code": {
        "technicians.views.codes": "walked below",
        "technicians.views.enrol_at_microsoft": "walked below",
    },
    "technicians.actions.show_seed": {
        "technicians.views.enrol_by_seed": "walked below",
        "technicians.views.bulk": "knows how entries are named",
        "technicians.actions.hand_out_seeds": "knows how entries are named",
        "technicians.actions.show_seed_again": "knows how entries are named",
    },
    "technicians.actions.hand_out_seeds": {
        "technicians.actions.show_bulk_code": "makes QR codes and files of them",
    },
    "technicians.actions.show_bulk_code": {
        "technicians.views.bulk": "walked below",
    },
    "technicians.actions.show_seed_again": {
        "technicians.views.codes": "walked below",
        "technicians.seed_care_queries": "says until when",
    },
    "technicians.actions.export_passwords": {
        "technicians.views.export": "walked below",
        "msp.ops.management.commands.export_passwords": "walked below",
        "msp.importing.sources.latchkey": "knows the format",
        "technicians.actions.hand_customer_over": "makes the package of a customer who goes",
    },
    "technicians.actions.hand_customer_over": {
        "technicians.views.exits": "walked below",
    },
    "msp.vault.root_keys": {
        "msp.ops.management.commands.recovery_kit": "walked below",
    },
}
"""What lets a secret out, and every module that imports it: what for."""


COMMANDS = {
    "recovery_kit": "walked below",
    "demo_code": "walked below",
    "export_passwords": "walked below",
    "demo_once": "prints verdicts about the demo",
    "fill_demo": "prints nothing secret; its people are of the demo",
    "create_owner": "prints a one-time link to a sign-in, which is recorded before it opens anything",
    "sign_in_link": "the same",
    "set_up_link": "the same",
    "check_tenant": "prints findings",
    "sweep_tokens": "prints serial numbers",
    "doctor": "prints findings",
    "evidence": "writes what was done, and no secret",
    "import": "prints what a file would change, and no value of it",
    "observe": "prints what a directory shows",
    "offboard": "prints a plan",
    "partner_token": "takes a secret in",
    "rehearse": "prints how a departure would end",
    "person_disabled": "prints the id of a run",
    "rotate_keys": "prints counts",
    "run": "prints the state of a run",
    "shred_secrets": "destroys",
}
"""Every management command, and why it lets no secret out or where that is tried."""

PASSPHRASE = "seven quiet herons over the lake"
HOW = {
    "as a page": {},
    "by htmx": {"HX-Request": "true"},
    "by the script that copies": {"Accept": "application/json"},
}


def openings() -> set[str]:
    """`module:function` of every call of `open` on a vault."""
    found = set()
    for path in python_files():
        for function in ast.walk(source.tree_of(path)):
            if isinstance(function, ast.FunctionDef) and any(_opens_a_vault(node) for node in ast.walk(function)):
                found.add(f"{dotted(path)}:{function.name}")
    return found


def _opens_a_vault(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "open"):
        return False
    opener = ast.unparse(node.func.value)
    return opener.removesuffix("()").endswith("vault")


class EveryPlaceThatOpensASecret:
    def test_is_known_here_with_what_becomes_of_it(self):
        assert openings() == set(OPENED)

    def test_that_lets_it_out_has_no_other_doors_than_those_known_here(self):
        graph = grimp.build_graph(*PACKAGES, cache_dir=None)
        doors = {module: graph.find_modules_that_directly_import(module) for module in LETS_OUT}
        assert doors == {module: set(known_doors) for module, known_doors in LETS_OUT.items()}


class Scene:
    """Tess holds Contoso's account; nothing can be written to the ledger once it is shut."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, credential: Path, tmp_path: Path, settings: Any) -> Iterator[None]:
        self.world = world
        self.side: Side = make_side(world, "Contoso", "Fabrikam")
        self.account, self.tess = self.side.here.account, self.side.people["technician"]
        self.password = world.passwords_known(self.account)["current"]
        with installed(settings, world, credential, tmp_path):
            yield

    def shut_the_ledger(self) -> None:
        """In the database, for whoever writes; the rollback at the end of the test opens it again."""
        with connection.cursor() as cursor:
            cursor.execute("""
                CREATE FUNCTION nobody_writes_the_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION 'permission denied for table %', TG_TABLE_NAME
                        USING ERRCODE = 'insufficient_privilege';
                END $$;
                CREATE TRIGGER nobody_writes BEFORE INSERT ON ledger_entry
                    FOR EACH ROW EXECUTE FUNCTION nobody_writes_the_ledger();
            """)

    def link(self) -> MadeLink:
        return make_link(
            self.tess, self.account, recipient="Carla", reason="hers", life=dt.timedelta(hours=1),
            outside=self.world.outside,
        )  # fmt: skip

    def tells(self, said: bytes) -> bool:
        return any(spelt in said for spelt in spellings(self.password.encode()).values())


class WhenTheLedgerIsShut(Scene):
    def test_nothing_is_written_there(self):
        self.shut_the_ledger()
        before = Entry.objects.count()
        with pytest.raises(LedgerClosed, match="SQLSTATE 42501"):
            reveal_password(self.tess, self.account, reason="work", outside=self.world.outside)
        assert Entry.objects.count() == before

    def test_no_act_gives_a_password_and_nobody_is_said_to_have_one(self):
        before = Reveal.objects.count()
        self.shut_the_ledger()
        for act in (reveal_password, copy_password):
            with pytest.raises(LedgerClosed):
                act(self.tess, self.account, reason="work", outside=self.world.outside)
        with pytest.raises(LedgerClosed):
            self.link()
        assert Reveal.objects.count() == before

    def test_no_page_tells_it(self):
        self.shut_the_ledger()
        told, asked = self.walk()
        assert told == []
        assert asked > 200

    def test_pages_do_tell_it_while_it_is_open(self):
        """So that the walk cannot find nothing because it looks wrongly."""
        told, _asked = self.walk()
        assert {door.partition(":")[2].split()[0] for door in told} == {"reveal", "copy"}

    def walk(self) -> tuple[list[str], int]:
        """(doors that told the password, how many answers there were): every address, three ways, two people."""
        told, asked = [], 0
        for person, role in ((self.tess, "technician"), (self.side.people["owner"], "owner")):
            visitor = Visitor(person)
            visitor.raise_request_exception = False
            for name, method, how, answer in self.answers(visitor, role):
                asked += 1
                if self.tells(b"".join([*answer, str(answer.headers).encode()])):
                    told.append(f"{name} {method} {how}")
        return told, asked

    def answers(self, visitor: Visitor, role: str) -> Iterator[tuple[str, str, str, Any]]:
        objects = self.side.own_objects(role) | {"token": "not-a-token"}
        for address in known():
            page = TABLE[address.name]
            if address.name == "access:sign_out":
                continue
            url = url_of(address, objects)
            for method in page.methods:
                for how, headers in HOW.items():
                    ask = visitor.get if method == "GET" else visitor.post
                    yield address.name, method, how, ask(url, page.form, headers=headers)

    def test_a_link_that_was_made_before_does_not_open_and_is_not_spent(self):
        made = self.link()
        ciphertext = bytes(HandOverLink.objects.get(pk=made.link.pk).ciphertext)
        self.shut_the_ledger()
        answer = Visitor(self.tess).post(made.link_path.partition("#")[0])
        assert answer.json() == {"situation": "trouble"}
        assert base64.b64encode(ciphertext) not in answer.content
        assert bytes(HandOverLink.objects.get(pk=made.link.pk).ciphertext) == ciphertext

    @pytest.mark.parametrize("shut", [False, True])
    def test_no_file_of_passwords_is_handed_out(self, shut: bool):
        """And one is while it is open, so that this cannot pass because the form was filled in wrongly."""
        if shut:
            self.shut_the_ledger()
        form = {"scope": "all", "reason": "moving house", "passphrase": PASSPHRASE, "again": PASSPHRASE}
        answer = Visitor(self.side.people["owner"]).post(reverse("tenants:export_passwords"), form)
        assert ("attachment" in answer.headers.get("Content-Disposition", "")) is not shut

    @pytest.mark.parametrize("shut", [False, True])
    def test_no_package_of_a_customer_who_goes_is_handed_out(self, shut: bool):
        going = CustomerExit.objects.get(pk=self.side.here.objects["exit_id"])
        account = SharedAccount.objects.select_related("tenant").get(targets__run=going.run)
        owner = self.side.people["owner"]
        store_password(account, "Start-of-theirs-1!", by=owner, outside=self.world.outside, source="entered")
        Step.objects.filter(target__run=going.run).update(status=StepState.VERIFIED, verified_at=timezone.now())
        if shut:
            self.shut_the_ledger()
        form = {"recipient": "Carla", "passphrase": PASSPHRASE, "again": PASSPHRASE}
        visitor = Visitor(owner)
        visitor.raise_request_exception = False
        answer = visitor.post(reverse("technicians:exit_package", args=[going.pk]), form)
        assert ("attachment" in answer.headers.get("Content-Disposition", "")) is not shut

    @pytest.mark.parametrize("shut", [False, True])
    def test_no_new_password_that_is_to_be_set_by_hand_is_shown(self, shut: bool):
        if shut:
            self.shut_the_ledger()
        visitor = Visitor(self.tess)
        visitor.raise_request_exception = False
        step_id = self.side.here.objects["hand_step_id"]
        answer = visitor.post(reverse("tenants:hand_password", args=[step_id]))
        assert ("secret-value" in answer.content.decode()) is not shut
        status = SecretVersion.objects.filter(steps=step_id).values_list("status", flat=True)
        assert list(status) == ([] if shut else ["unverified"])

    @pytest.mark.parametrize("shut", [False, True])
    @pytest.mark.parametrize(("door", "sign"), [("my_code", "secret-value"), ("my_seed", "qr-code")])
    def test_no_code_and_no_seed_that_is_kept_here_is_shown(self, door: str, sign: str, shut: bool):
        until = timezone.now() + dt.timedelta(days=1) if door == "my_seed" else None
        rules = facts_of(EnrolmentPolicy()) | {"keep_for_later_days": 1}
        set_enrolment_policy(Place(account=self.account), rules, by=self.side.people["owner"])
        keep_code(self.account, self.tess, bytes(range(20)), until=until, outside=self.world.outside)
        if shut:
            self.shut_the_ledger()
        visitor = Visitor(self.tess)
        visitor.raise_request_exception = False
        answer = visitor.post(reverse(f"tenants:{door}", args=[self.account.pk]))
        assert (sign in answer.content.decode()) is not shut

    @pytest.mark.parametrize("shut", [False, True])
    @pytest.mark.parametrize(
        ("door", "way", "sign"),
        [
            ("enrol_show", Enrolment.Way.OUR_SEED, "qr-code"),
            ("enrol_pass", Enrolment.Way.MICROSOFT_PAGE, "secret-value"),
            ("enrol_code", Enrolment.Way.KEPT_HERE, "secret-value"),
        ],
    )
    def test_nothing_that_an_enrolment_shows_once_is_shown(self, door: str, way: Enrolment.Way, sign: str, shut: bool):
        enrolment = self.enrolment_of_tess(way)
        if shut:
            self.shut_the_ledger()
        visitor = Visitor(self.tess)
        visitor.raise_request_exception = False
        answer = visitor.post(reverse(f"technicians:{door}", args=[enrolment.pk]))
        assert (sign in answer.content.decode()) is not shut

    @pytest.mark.parametrize("shut", [False, True])
    @pytest.mark.parametrize("door", ["bulk_show", "bulk_file"])
    def test_no_qr_code_and_no_file_of_many_seeds_is_handed_out(self, door: str, shut: bool):
        rules = facts_of(EnrolmentPolicy()) | {"files": True}
        set_enrolment_policy(Place(), rules, by=self.side.people["owner"])
        account = self.account_for_tokens()
        bulk = begin_bulk(self.tess, [account], by=self.tess, app="aegis", outside=self.world.outside).bulk
        assert bulk.run is not None
        self.world.work(bulk.run)
        if shut:
            self.shut_the_ledger()
        visitor = Visitor(self.tess)
        visitor.raise_request_exception = False
        form = {"passphrase": PASSPHRASE, "again": PASSPHRASE}
        answer = visitor.post(reverse(f"technicians:{door}", args=[bulk.pk]), form)
        out = "attachment" in answer.headers.get("Content-Disposition", "") or "qr-code" in answer.content.decode()
        assert out is not shut

    def account_for_tokens(self) -> SharedAccount:
        tenant = self.world.tenant("Litware")
        self.world.allow_tokens(tenant)
        account = self.world.account(tenant)
        assign(self.tess, account, by=self.world.owner, reason="on the team")
        observe_account(account, outside=self.world.outside)
        return account

    def enrolment_of_tess(self, way: Enrolment.Way) -> Enrolment:
        account, outside = self.account_for_tokens(), self.world.outside
        if way == Enrolment.Way.OUR_SEED:
            begun = open_enrolments(self.tess, [account], by=self.tess, outside=outside)
            assert begun.run is not None
            self.world.work(begun.run)
            return begun.enrolments[0]
        rules = facts_of(EnrolmentPolicy()) | {"kept_here": True}
        set_enrolment_policy(Place(account=account), rules, by=self.side.people["owner"])
        enrolment = begin_enrolment(self.tess, account, by=self.tess, outside=outside, way=way)
        if way == Enrolment.Way.KEPT_HERE:
            keep_pasted_key(enrolment, bytes(range(20)), by=self.tess, outside=outside)
        return enrolment

    def test_no_new_second_factor_comes_into_force(self):
        visitor = Visitor(self.tess)
        url = reverse("access:second_factor")
        key = re.search(r"secret=([A-Z2-7]+)", visitor.get(url).content.decode())
        assert key, "the seed of one's own new authenticator is shown to set it up"
        seed = base64.b32decode(key[1] + "=" * (-len(key[1]) % 8))
        before = set(TotpDevice.objects.filter(user=self.tess, confirmed=True))
        self.shut_the_ledger()
        totp = TOTP(seed)
        totp.time = time.time()
        visitor.raise_request_exception = False
        assert visitor.post(url, {"code": f"{totp.token():06d}"}).status_code in (409, 500)
        assert set(TotpDevice.objects.filter(user=self.tess, confirmed=True)) == before

    def test_no_mail_tells_it(self, settings: Any):
        with mail_server() as server:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.MAIL_FROM = "Latchkey <latchkey@reseller.example>"
            settings.MAIL_SERVER = lambda: server.reach
            version = SecretVersion.objects.select_related("secret__account").get(
                secret__account=self.account, status="current"
            )
            tell_holders(version)
            assert PasswordNotice.objects.exists()
            self.shut_the_ledger()
            mail_notices(base="https://latchkey.example")
            assert not any(self.tells(message.as_bytes()) for message in server.taken)
            with pytest.raises(LedgerClosed):
                rotate([self.account], by=self.world.owner, reason="now")

    def test_no_new_password_is_sent_to_microsoft(self):
        run = rotate([self.account], by=self.world.owner, reason="now")
        before = self.world.password_at_microsoft(self.account)
        self.shut_the_ledger()
        with pytest.raises(LatchkeyError):
            self.world.work(run)
        assert self.world.password_at_microsoft(self.account) == before


class EveryCommand(Scene):
    def test_is_known_here(self):
        found = {path.stem for path in python_files() if "commands" in path.parts and path.stem != "__init__"}
        assert found == set(COMMANDS)

    @pytest.mark.parametrize("arguments", [["--print"], ["--to", "DIRECTORY"]])
    def test_keeps_the_root_key_off_paper(self, arguments: list[str], tmp_path: Path, settings: Any):
        paper = tmp_path / "paper"
        paper.mkdir()
        given = [str(paper) if argument == "DIRECTORY" else argument for argument in arguments]
        settings.KEYS = settings.KEYS | {"named": "file"}
        open_said = self.run("recovery_kit", "make", *given)
        assert "Share 1 of 5" in open_said or len(list(paper.iterdir())) == 5
        for sheet in paper.iterdir():
            sheet.unlink()
        self.shut_the_ledger()
        assert "Share 1" not in self.run("recovery_kit", "make", *given, refused=True)
        assert list(paper.iterdir()) == []

    @pytest.mark.parametrize("shut", [False, True])
    def test_keeps_a_file_of_passwords_in(self, shut: bool, tmp_path: Path):
        if shut:
            self.shut_the_ledger()
        place, passphrase = tmp_path / "passwords.json", tmp_path / "passphrase"
        passphrase.write_text(PASSPHRASE)
        passphrase.chmod(0o600)
        self.run(
            "export_passwords", "--all", "--to", str(place), "--reason", "moving house",
            "--passphrase-file", str(passphrase), "--as", self.side.people["owner"].email, refused=shut,
        )  # fmt: skip
        assert place.exists() is not shut

    def test_tells_no_code_outside_a_demo(self):
        self.shut_the_ledger()
        assert self.run("demo_code", self.tess.email, refused=True) == ""

    def run(self, *arguments: str, refused: bool = False) -> str:
        out = io.StringIO()
        expected = pytest.raises(CommandError) if refused else contextlib.nullcontext()
        with expected:
            call_command(*arguments, stdout=out, stderr=io.StringIO())
        return out.getvalue()
