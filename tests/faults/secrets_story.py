"""A day on which everything is done that touches a secret: who plants it, who types it wrong, who shows it."""

from __future__ import annotations

import base64
import csv
import io
import json
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
from msp.vault.models import DataKey
from technicians.actions.assign import assign
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Authenticator, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.models import Run, SecretVersion, SharedAccount
from tenants.plans import RunState
from tests.support.password_desk import KEEPASSXC, row
from tests.support.recipient import finder_of, key_of
from tests.support.scan import Scan, answer_of
from tests.support.visitor import Visitor
from tests.support.world import World

TENANTS, ACCOUNTS = 4, 8
"""In the cloud, with people who hold them."""
OTHERS = 968
"""Accounts of one large customer that Latchkey only keeps the passwords of."""
BY_HAND = 12
CANARY = "canary"
"""Must be found in every medium, by the same scan that must find nothing else there."""
AWKWARD = " \"'&<\\%,é+"


def a_password(number: int) -> str:
    """Awkward to quote, so that a leak cannot hide behind an escape; any eight letters of it are like no others."""
    return f"{secrets.token_urlsafe(6)}{AWKWARD[number % len(AWKWARD)]}{secrets.token_urlsafe(12)}"


class Story:
    """One reseller on the day when everything happens. What it planted is in `scan`; where to look is in `media`."""

    def __init__(self, world: World, home: Path) -> None:
        self.world, self.home = world, home
        self.scan = Scan()
        self.word = f"canary-{secrets.token_hex(10)}"
        self.scan.plant(CANARY, self.word, parts=False)
        self.media: dict[str, list[bytes]] = {}
        self.accounts: list[SharedAccount] = []
        self.phones: dict[Any, str] = {}

    def saw(self, medium: str, content: bytes) -> None:
        self.media.setdefault(medium, []).append(content)

    def saw_page(self, answer: Any) -> Any:
        self.saw("pages", answer_of(answer))
        return answer

    # --- people ---

    def people_come_in(self) -> None:
        self.ana, self.ben, self.cid = (self.comes_in(name) for name in ("Ana", "Ben", "Cid"))
        self.manager = self.comes_in("Mia", Role.MANAGER)
        for number in range(2):
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
        self.saw_page(browser.post(reverse("access:second_factor"), {"code": self.code_of(seed)}, follow=True))
        self.types_it_wrong(person, password)
        person.refresh_from_db()
        return person

    def types_it_wrong(self, person: Technician, password: str) -> None:
        browser, door = Client(), reverse("access:sign_in")
        self.saw_page(browser.post(door, {"email": f"not-{person.email}", "password": password}))
        browser.post(door, {"email": password, "password": password})  # into the wrong field, which shows it again
        self.saw_page(browser.post(door, {"email": person.email, "password": password}, follow=True))
        self.saw_page(browser.post(reverse("access:code"), {"code": "000000"}))

    def desk(self, person: Technician, *, fresh: bool = True) -> Visitor:
        """A browser with this person, and an authenticator beside it."""
        visitor = Visitor(person, fresh=fresh)
        self.scan.plant(f"second factor of {person} at a desk", visitor.seed)
        return visitor

    def new_desk(self, person: Technician) -> Visitor:
        """With a new authenticator, which is the only one, as after a change of phones; no code was given yet."""
        TotpDevice.objects.filter(user=person).delete()
        return self.desk(person, fresh=False)

    def code_of(self, seed: bytes) -> str:
        totp = TOTP(seed)
        totp.time = time.time()
        self.scan.plant_code(code := f"{totp.token():06d}")
        return code

    # --- accounts ---

    def accounts_are_imported(self) -> None:
        rows = [["tenant", "user_principal_name", "owner", "password"]]
        for number in range(TENANTS):
            tenant = self.world.tenant(f"Customer {number}")
            if number == 0:
                tenant.customer.name = f"Customer {self.word}"
                tenant.customer.save()
            for place in range(ACCOUNTS):
                password = self.planted_password(f"imported password {number}/{place}")
                user = self.world.cloud.add_user(str(tenant.directory_id), f"admin{place}", password=password)
                rows.append([tenant.default_domain, user.upn, "Olga", password])
        domain = self.world.tenant("Large").default_domain
        for number in range(OTHERS):
            password = self.planted_password(f"imported password {number}")
            rows.append([domain, f"admin{number}@{domain}", "Olga", password])
        wrong = [[self.word, "admin@nowhere.example", "", a_password(0)], [*rows[1][:2], "", rows[1][3]]]
        self.scan.plant("password of a row that was refused", wrong[0][3])
        self.import_by_page("accounts", as_csv(rows + wrong))
        for table, partial in ((rows + wrong, False), (rows + wrong, True), (rows, False)):
            self.import_("accounts", as_csv(table), partial=partial)
        found, by_name = SharedAccount.objects.select_related("tenant__customer"), ("tenant", "user_principal_name")
        self.accounts = list(found.exclude(tenant__default_domain=domain).order_by(*by_name))
        self.others = list(found.filter(tenant__default_domain=domain).order_by(*by_name))
        assert (len(self.accounts), len(self.others)) == (TENANTS * ACCOUNTS, OTHERS)

    def planted_password(self, name: str) -> str:
        password = a_password(len(self.scan.names))
        self.scan.plant(name, password)
        return password

    def import_by_page(self, kind: str, content: bytes, *, partial: str = "") -> None:
        """Chosen, looked at, and decided upon. What has wrong rows is not imported, and kept for a while."""
        owner = self.new_desk(self.world.owner)
        file = SimpleUploadedFile("passwords.csv", content)
        shown = self.saw_page(owner.post(reverse("import:start"), {"kind": kind, "file": file}, follow=True))
        self.upload = shown.context["upload"]
        url = reverse("import:apply", args=[self.upload.pk])
        self.saw_page(owner.post(url, {"code": "no code", "partial": partial}))
        self.saw_page(owner.post(url, {"code": self.code_of(owner.seed), "partial": partial}, follow=True))

    def import_(self, kind: str, content: bytes, *, partial: bool) -> None:
        by = self.world.owner
        shown = preview_import(kind, content, by=by, outside=self.world.outside)
        outcome = apply_import(kind, content, by=by, outside=self.world.outside, partial=partial)
        for plan in (shown.plan, outcome.preview.plan):
            said = [*plan.errors, *plan.warnings, *outcome.left_out, *((r.line, r.what, r.detail) for r in plan.rows)]
            self.saw("what an import says", "\n".join(map(str, said)).encode())

    def seeds_are_imported(self) -> None:
        """From another product, with passwords that are here already and some that are new."""
        rows = [KEEPASSXC]
        for number, account in enumerate(self.others[:12]):
            seed = secrets.token_bytes(20)
            self.scan.plant(f"seed in a file, {number}", seed)
            password = self.planted_password(f"password beside a seed, {number}")
            text = base64.b32encode(seed).decode()
            rows.append(row(account.user_principal_name, password, title=f"GA {self.word}", seed=text))
        self.import_by_page("passwords", "".join(rows).encode())
        self.import_("passwords", "".join(rows).encode(), partial=True)

    def everybody_enrols(self) -> None:
        for account in self.accounts:
            people = [self.ana, self.ben] if account.tenant.customer.name != "Customer 3" else [self.cid, self.ben]
            methods = {p: self.world.cloud.register(*self.ref(account), "software_oath", p.name) for p in people}
            self.phones[account.pk] = methods[self.ben].id
            observe_account(account, outside=self.world.outside)
            for person, made in methods.items():
                self.scan.plant(f"seed of {person} at {account}", base64.b32decode(made.seed), parts=False)
                assign(person, account, by=self.world.owner, reason="on the team")
                method = account.methods.present().get(directory_id=made.id)
                bind_authenticator(method, person, by=self.world.owner, proof=Authenticator.Proof.IMPORTED)

    def ref(self, account: SharedAccount) -> tuple[str, str]:
        return str(account.tenant.directory_id), account.user_principal_name

    def passwords_are_entered(self) -> None:
        """By hand: wrongly in every way that the page refuses, and rightly in the end."""
        owner = self.desk(self.world.owner)
        for number, account in enumerate([*self.accounts[-4:], *self.others[-BY_HAND:]]):
            url = reverse("tenants:enter_password", args=[account.pk])
            password = self.planted_password(f"password entered by hand, {number}")
            wrong = [{"password": password}, {"password": f"{password}\t", "reason": "a tab"}]
            wrong.append({"password": password * 11, "reason": "too long"})
            for form in wrong if number < 3 else ():
                self.saw_page(owner.post(url, form))
            form = {"password": password, "reason": f"changed on the phone, {self.word}"}
            for _twice in range(2 if number < 3 else 1):
                self.saw_page(owner.post(url, form, follow=True))
            if number < 4:
                self.becomes_true_at_microsoft(account, password)

    def becomes_true_at_microsoft(self, account: SharedAccount, password: str) -> None:
        cloud, (tenant_id, upn) = self.world.cloud, self.ref(account)
        cloud.set_password(cloud.tenant(tenant_id), cloud.user(tenant_id, upn), password, by="somebody")

    # --- passwords and keys on their way ---

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
        lost, ben = self.desk(self.ben), self.new_desk(self.ben)
        for account in self.accounts[:3]:
            url = reverse("tenants:reveal", args=[account.pk])
            self.saw_page(ben.post(url, {"reason": "the printer is down", "code": "no code"}))
            self.saw_page(ben.post(url, {"reason": "", "code": self.code_of(ben.seed)}))
        for door in ("tenants:reveal", "tenants:copy"):
            url = reverse(door, args=[self.accounts[0].pk])
            headers = {"Accept": "application/json"} if door == "tenants:copy" else {}
            shown = answer_of(Visitor(self.ben).post(url, {"reason": "the printer is down"}, headers=headers))
            found = {finding.partition(" in ")[0] for finding in self.scan.findings(door, shown)} - {CANARY}
            assert len(found) == 1, f"{door} gives one password away, so the scan must see that one there"
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

    def a_password_is_handed_over(self) -> None:
        """By a link, which its maker sees once; somebody opens it, and somebody else comes too late."""
        ben = self.desk(self.ben)
        for account in self.accounts[:2]:
            form = {"recipient": f"Carla, {self.word}", "reason": "she takes over", "life": "60"}
            url = reverse("tenants:hand_over", args=[account.pk])
            self.saw_page(ben.post(url, form | {"reason": ""}))
            path = ben.post(url, form).context["made"].link_path
            self.scan.plant(f"finder of the link to {account}", finder_of(path))
            self.scan.plant(f"key of the link to {account}", key_of(path))
            self.scan.plant(f"key of the link to {account} as it stands there", path.partition("#")[2])
            for ask in (Client().get, Client().post, Client().post, Client().get):
                self.saw_page(ask(path.partition("#")[0]))
        self.saw_page(ben.get(reverse("tenants:account", args=[self.accounts[0].pk])))

    def passwords_are_exported(self) -> None:
        """Into one encrypted file, under a passphrase that is typed wrongly first; and the file comes back."""
        passphrase = self.planted_password("passphrase of an export")
        owner, url = self.desk(self.world.owner), reverse("tenants:export_passwords")
        form = {"scope": "all", "reason": f"for the safe, {self.word}", "passphrase": passphrase, "again": passphrase}
        for wrong in ({"again": f"{passphrase}?"}, {"passphrase": passphrase[:15]}, {"reason": ""}, {"scope": "none"}):
            self.saw_page(owner.post(url, form | wrong))
        given = owner.post(url, form)
        assert given["Content-Type"] == "application/octet-stream", answer_of(given)
        self.saw("files of reports", answer_of(given))
        for typed in (f"{passphrase}!", passphrase):
            again = {"kind": "passwords", "passphrase": typed, "file": SimpleUploadedFile("x.json", given.content)}
            self.saw_page(owner.post(reverse("import:start"), again, follow=True))

    # --- departures ---

    def leaves(self, person: Technician) -> Run:
        """Decided on the page, by a manager, with a code."""
        mia = self.new_desk(self.manager)
        url = reverse("technicians:offboard", args=[person.pk])
        self.saw_page(mia.get(url))
        self.saw_page(mia.post(url, {"reason": self.word, "code": "000000"}))
        time.sleep(1.1)  # a wrong code slows down the next try
        form = {"reason": f"resigned, {self.word}", "code": self.code_of(mia.seed)}
        decided = self.saw_page(mia.post(url, form, follow=True))
        assert decided.redirect_chain, decided.context["trouble"]
        return Run.objects.get(offboardings__technician=person)

    def is_settled(self, run: Run) -> bool:
        return self.world.state(run) != RunState.RUNNING

    # --- what nobody typed ---

    def what_was_made_is_planted(self) -> int:
        """Every password that the vault holds by now, the keys it is sealed by, and what Microsoft gave out."""
        versions = list(SecretVersion.objects.select_related("secret__account"))
        for version in versions:
            value = self.world.outside.vault.open(bytes(version.sealed), version.place)
            made_here = version.source == SecretVersion.Source.GENERATED
            self.scan.plant(f"password of {version.secret.account}, {version}", value, parts=made_here)
        for key in DataKey.objects.that_open():
            self.scan.plant(str(key), self.world.outside.vault._key_of(key))
        cloud = self.world.cloud
        for tenant in cloud.tenants.values():
            for session in tenant.sessions:
                self.scan.plant(f"session at {tenant.domain}", session)
        for number, token in enumerate(cloud._grants._by_token):
            # Its first two parts say what every such token says.
            self.scan.plant(f"access token {number}", token.rpartition(".")[2])
        return len(versions)

    def sessions_begin_at_microsoft(self) -> None:
        for account in self.accounts[:4]:
            code = self.world.cloud.code(*self.ref(account), self.phones[account.pk])
            [password] = self.world.passwords_known(account).values()
            assert self.world.cloud.sign_in(*self.ref(account), password, code).session


def as_csv(table: list[list[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(table)
    return written.getvalue().encode()


def as_text(facts: Any) -> bytes:
    return json.dumps(facts, default=str).encode()
