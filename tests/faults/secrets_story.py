"""A day on which everything is done that touches a secret: who plants it, who types it wrong, who shows it."""

from __future__ import annotations

import base64
import csv
import io
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from msp.access.actions import make_link
from msp.access.models import TotpDevice
from msp.importing.flow import apply_import, preview_import
from msp.outside import outside
from msp.vault.kept import PARTNER_REFRESH_TOKEN, Kept
from technicians.actions.assign import assign
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Authenticator, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.models import Run, SecretVersion, SharedAccount, Step
from tenants.plans import RunState, StepKind
from tests.pages.addresses import TABLE, known
from tests.pages.cast import url_of
from tests.support.scan import (
    Scan,
    answer_of,
)
from tests.support.visitor import Visitor
from tests.support.world import World

TENANTS, ACCOUNTS = 4, 8
AWKWARD = ("plain", "sp ace", 'qu"ote', "a'postrophe", "amp&ersand", "less<than", "back\\slash", "per%cent", "comma,")
SHOWS_A_SEED_ONCE = {"access:second_factor"}


def a_password(number: int) -> str:
    """Awkward to quote, so that a leak cannot hide behind an escape."""
    return f"Pw-{AWKWARD[number % len(AWKWARD)]}-{secrets.token_hex(8)}-Z9"


class Story:
    """One reseller on the day when everything happens. What it planted is in `scan`; where to look is in `media`."""

    def __init__(self, world: World, home: Path) -> None:
        self.world, self.home = world, home
        self.scan, self.canary = Scan(), Scan()
        self.word = f"canary-{secrets.token_hex(10)}"
        self.canary.plant("canary", self.word)
        self.media: dict[str, list[bytes]] = {}
        self.accounts: list[SharedAccount] = []
        self.passwords: dict[Any, str] = {}

    def saw(self, medium: str, content: bytes) -> None:
        self.media.setdefault(medium, []).append(content)

    def saw_page(self, answer: Any) -> Any:
        self.saw("pages", answer_of(answer))
        return answer

    # --- people ---

    def people_come_in(self) -> None:
        self.ana, self.ben, self.cid = (self.comes_in(name) for name in ("Ana", "Ben", "Cid"))
        self.manager = self.comes_in("Mia", Role.MANAGER)
        for number in range(4):
            self.comes_in(f"Person-{number}")

    def comes_in(self, name: str, role: str = Role.TECHNICIAN) -> Technician:
        """By a one-time link, to a password and a second factor, as everybody does; then once more by sign-in."""
        person, password = self.world.technician(name, role), a_password(len(name))
        token = make_link(person, minutes=15)
        self.scan.plant(f"link of {name}", token)
        self.scan.plant(f"password of {name}", password)
        browser = Client()
        url = reverse("access:link", args=[token])
        browser.head(url)  # a mail scanner
        browser.get(url)
        browser.post(url)
        self.saw_page(Client().get(url))  # somebody tries the used link again
        self.saw_page(browser.post(reverse("access:set_password"), {"password": password, "again": f"{password}?"}))
        self.saw_page(browser.post(reverse("access:set_password"), {"password": password, "again": password}))
        # This one page shows the seed, to its owner, once; so it is not among those that are looked at.
        key = browser.get(reverse("access:second_factor")).context["key"].replace(" ", "")
        seed = base64.b32decode(key + "=" * (-len(key) % 8))
        self.scan.plant(f"second factor of {name}", seed)
        self.saw_page(browser.post(reverse("access:second_factor"), {"code": code_of(seed)}, follow=True))
        self.types_it_wrong(person, password)
        person.refresh_from_db()
        return person

    def types_it_wrong(self, person: Technician, password: str) -> None:
        browser, door = Client(), reverse("access:sign_in")
        self.saw_page(browser.post(door, {"email": f"not-{person.email}", "password": password}))
        browser.post(door, {"email": password, "password": password})  # into the wrong field, which shows it again
        self.saw_page(browser.post(door, {"email": person.email, "password": password}, follow=True))
        self.saw_page(browser.post(reverse("access:code"), {"code": "000000"}))

    # --- accounts ---

    def accounts_are_imported(self) -> None:
        rows = [["tenant", "user_principal_name", "owner", "password"]]
        for number in range(TENANTS):
            tenant = self.world.tenant(f"Customer {number}")
            if number == 0:
                tenant.customer.name = f"Customer {self.word}"
                tenant.customer.save()
            for place in range(ACCOUNTS):
                password = a_password(number * ACCOUNTS + place)
                self.scan.plant(f"imported password {number}/{place}", password)
                user = self.world.cloud.add_user(str(tenant.directory_id), f"admin{place}", password=password)
                rows.append([tenant.default_domain, user.upn, "Olga", password])
        wrong = [[self.word, "admin@nowhere.example", "", a_password(0)], [*rows[1][:2], "", rows[1][3]]]
        self.scan.plant("password of a row that was refused", wrong[0][3])
        self.import_by_page(rows + wrong)
        for table, partial in ((rows + wrong, False), (rows + wrong, True), (rows, False)):
            self.import_(table, partial)
        self.accounts = list(SharedAccount.objects.select_related("tenant__customer").order_by("pk"))
        assert len(self.accounts) == TENANTS * ACCOUNTS

    def import_by_page(self, table: list[list[str]]) -> None:
        """Looked at, not imported because of its wrong rows, and kept for a while."""
        owner = at_a_new_desk(self.world.owner)
        file = SimpleUploadedFile("passwords.csv", as_csv(table))
        shown = self.saw_page(owner.post(reverse("import:start"), {"kind": "accounts", "file": file}, follow=True))
        self.upload = shown.context["upload"]
        url = reverse("import:apply", args=[self.upload.pk])
        self.saw_page(owner.post(url, {"code": "no code"}))
        self.saw_page(owner.post(url, {"code": owner.code()}))

    def import_(self, table: list[list[str]], partial: bool) -> None:
        data, by = as_csv(table), self.world.owner
        shown = preview_import("accounts", data, by=by, outside=self.world.outside)
        outcome = apply_import("accounts", data, by=by, outside=self.world.outside, partial=partial)
        for plan in (shown.plan, outcome.preview.plan):
            said = [*plan.errors, *plan.warnings, *outcome.left_out, *((r.line, r.what, r.detail) for r in plan.rows)]
            self.saw("what an import says", "\n".join(map(str, said)).encode())

    def everybody_enrols(self) -> None:
        for account in self.accounts:
            people = [self.ana, self.ben] if account.tenant.customer.name != "Customer 3" else [self.cid, self.ben]
            methods = {p: self.world.cloud.register(*self.ref(account), "software_oath", p.name).id for p in people}
            observe_account(account, outside=self.world.outside)
            for person, method_id in methods.items():
                assign(person, account, by=self.world.owner, reason="on the team")
                method = account.methods.present().get(directory_id=method_id)
                bind_authenticator(method, person, by=self.world.owner, proof=Authenticator.Proof.IMPORTED)

    def ref(self, account: SharedAccount) -> tuple[str, str]:
        return str(account.tenant.directory_id), account.user_principal_name

    # --- reveals ---

    def the_partner_signs_in(self) -> None:
        """A refresh token is kept, and replaced by the one that its use brings."""
        first, second = (f"0.{secrets.token_urlsafe(60)}" for _ in range(2))
        kept = Kept(self.world.outside.vault, PARTNER_REFRESH_TOKEN)
        kept.store(first, reseller_id=self.world.reseller.pk)
        kept.replace(first, second)
        assert kept.read() == second
        self.scan.plant("first refresh token of the partner", first)
        self.scan.plant("second refresh token of the partner", second)

    def passwords_are_revealed(self) -> None:
        lost, ben = Visitor(self.ben), at_a_new_desk(self.ben)
        for account in self.accounts[:3]:
            url = reverse("tenants:reveal", args=[account.pk])
            self.saw_page(ben.post(url, {"reason": "the printer is down", "code": "no code"}))
            self.saw_page(ben.post(url, {"reason": "", "code": ben.code()}))
        url = reverse("tenants:reveal", args=[self.accounts[0].pk])
        shown = answer_of(Visitor(self.ben).post(url, {"reason": "the printer is down"}))
        found = self.scan.findings("the reveal", shown)
        assert found, "the reveal shows the password, so the scan must see it there"
        assert len({finding.partition(" in ")[0] for finding in found}) == 1, "a reveal shows one password and no other"
        with self.another_root_key():
            self.saw_page(lost.post(url, {"reason": "the printer is down"}))

    @contextmanager
    def another_root_key(self) -> Iterator[None]:
        place = self.home / "keys" / "root.key"
        right = place.read_bytes()
        self.scan.plant("root key as it lies in its file", right.strip())
        self.scan.plant("root key", base64.b64decode(right))
        place.write_bytes(base64.b64encode(secrets.token_bytes(32)))
        outside.cache_clear()
        try:
            yield
        finally:
            place.write_bytes(right)
            outside.cache_clear()

    # --- departures ---

    def leaves(self, person: Technician) -> Run:
        """Decided on the page, by a manager, with a code."""
        mia = at_a_new_desk(self.manager)
        url = reverse("technicians:offboard", args=[person.pk])
        self.saw_page(mia.get(url))
        self.saw_page(mia.post(url, {"reason": self.word, "code": "000000"}))
        time.sleep(1.1)  # a wrong code slows down the next try
        decided = self.saw_page(mia.post(url, {"reason": f"resigned, {self.word}", "code": mia.code()}, follow=True))
        assert decided.redirect_chain, decided.context["trouble"]
        return Run.objects.get(offboardings__technician=person)

    def is_settled(self, run: Run) -> bool:
        return self.world.state(run) != RunState.RUNNING

    # --- looking ---

    def every_page_is_opened(self, run: Run) -> None:
        step = Step.objects.filter(target__run=run, kind=StepKind.REMOVE_METHOD).first()
        assert step is not None
        account = step.target.account
        objects = {
            "tenant_id": account.tenant_id, "account_id": account.pk, "run_id": run.pk, "target_id": step.target_id,
            "step_id": step.pk, "technician_id": self.ben.pk, "token": "not-a-token",
            "assignment_id": self.ben.assignments.all()[0].pk, "enrolment_id": account.pk, "upload_id": self.upload.pk,
        }  # fmt: skip
        for person in (self.world.owner, self.manager):
            visitor = Visitor(person)
            for address in known():
                page, url = TABLE[address.name], url_of(address, objects)
                if "GET" in page.methods and address.name not in SHOWS_A_SEED_ONCE:
                    self.saw_page(visitor.get(f"{url}?{page.words}", follow=True))
                if "POST" in page.methods and address.name.startswith(("reports:", "ledger:")):
                    self.saw_page(visitor.post(url, page.form, follow=True))
        session = visitor.session
        session["note"] = self.word
        session.save()

    def versions_are_planted(self) -> int:
        """Every password that the vault holds by now, the new ones too."""
        versions = SecretVersion.objects.select_related("secret__account").exclude(source="imported")
        for version in versions:
            value = self.world.outside.vault.open(bytes(version.sealed), version.place)
            self.scan.plant(f"new password of {version.secret.account}, {version}", value)
        return len(versions)


def as_csv(table: list[list[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(table)
    return written.getvalue().encode()


def at_a_new_desk(person: Technician) -> Visitor:
    """With a new authenticator, which is the only one, as it is after a change of phones; no code was given yet."""
    TotpDevice.objects.filter(user=person).delete()
    return Visitor(person, fresh=False)


def code_of(seed: bytes) -> str:
    totp = TOTP(seed)
    totp.time = time.time()
    return f"{totp.token():06d}"
