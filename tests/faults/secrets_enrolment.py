"""A part of the day in `secrets_story`: somebody enrols in every way, typing wrongly first."""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any

from django.conf import settings
from django.urls import reverse

from msp.ops.work_here import work_until_settled
from msp.outside import outside
from msp.simulator.state import DEFAULT_PERMISSIONS
from technicians.actions.assign import assign
from technicians.actions.begin_bulk import begin_bulk
from technicians.actions.show_bulk_code import show_bulk_code
from technicians.codes import SECONDS, code_at
from technicians.models import BulkEnrolment, Enrolment, KeptCode, Technician
from tenants.models import EnrolmentPolicy, Registration, Run, SharedAccount
from tests.faults.secrets_story import Story
from tests.support.visitor import Visitor

TO_KEEP_TOKENS = "Policy.ReadWrite.AuthenticationMethod"


class Enrolling:
    """Dora comes to four accounts of the story, each in another way."""

    def __init__(self, story: Story) -> None:
        self.story, self.world = story, story.world
        self.dora: Technician = story.comes_in("Dora")
        self.desk: Visitor = story.desk(self.dora)
        self.accounts = story.accounts[:5]
        for account in self.accounts:
            there = self.world.cloud.tenant(str(account.tenant.directory_id))
            there.policies.methods |= {"HardwareOath": "enabled", "TemporaryAccessPass": "enabled"}
            permissions = (*DEFAULT_PERMISSIONS, TO_KEEP_TOKENS)
            self.world.cloud.consent(settings.MICROSOFT["client_id"], there.id, permissions=permissions)
            assign(self.dora, account, by=self.world.owner, reason="on the team")
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, kept_here=True)

    def in_every_way(self) -> int:
        """How many seeds were planted."""
        self.by_our_seed(self.accounts[0])
        self.on_microsofts_page(self.accounts[1])
        self.kept_here(self.accounts[2])
        self.in_bulk(self.accounts[3:5])
        for account in self.accounts:
            self.story.saw_page(self.desk.get(reverse("tenants:account", args=[account.pk])))
        self.story.saw_page(self.desk.get(reverse("technicians:enrolment_list")))
        return self.seeds

    seeds = 0

    def plant(self, name: str, seed: bytes) -> bytes:
        """As bytes, as an app takes it, and in the groups of four in which it is read out."""
        self.seeds += 1
        letters = base64.b32encode(seed).decode()
        self.story.scan.plant(name, seed, parts=False)
        self.story.scan.plant(f"{name}, grouped", " ".join(letters[at : at + 4] for at in range(0, len(letters), 4)))
        self.story.scan.plant(f"{name}, lower case", letters.lower(), parts=False)
        return seed

    def code(self, seed: bytes, *, steps: int = 0) -> str:
        code = code_at(seed, int(time.time() // SECONDS) + steps)
        self.story.scan.plant_code(code)
        return code

    def begins(self, account: SharedAccount, way: str) -> Enrolment:
        url = reverse("technicians:enrol", args=[account.pk])
        self.story.saw_page(self.desk.get(url))
        self.story.saw_page(self.desk.post(url, {"way": "another"}))
        self.story.saw_page(self.desk.post(url, {"way": way}, follow=True))
        return Enrolment.objects.filter(technician=self.dora, account=account).latest("requested_at")

    def does(self, enrolment: Enrolment, door: str, **form: str) -> Any:
        return self.desk.post(reverse(f"technicians:{door}", args=[enrolment.pk]), form)

    def looks(self, enrolment: Enrolment) -> None:
        self.story.saw_page(self.desk.get(reverse("technicians:enrolment", args=[enrolment.pk])))

    def work(self) -> None:
        work_until_settled(Run.objects.filter(kind=Run.Kind.ENROLMENT).latest("started_at"), outside(), threads=2)

    def sealed_seed(self, enrolment: Enrolment) -> bytes:
        registration = Registration.objects.select_related("account").get(enrolment=enrolment)
        seed = self.world.outside.vault.open(bytes(registration.sealed or b""), registration.place)
        return self.plant(f"seed of {enrolment}", seed)

    def by_our_seed(self, account: SharedAccount) -> None:
        enrolment = self.begins(account, "our_seed")
        seed = self.sealed_seed(enrolment)
        self.work()
        self.looks(enrolment)
        shown = self.does(enrolment, "enrol_show")  # gives the seed to its owner, once
        found = self.story.scan.findings("this page", shown.content)
        assert f"seed of {enrolment}, grouped" in " ".join(found), "the scan must see the seed where it is shown"
        self.story.saw_page(self.does(enrolment, "enrol_show"))
        for code in ("000000", self.code(seed, steps=9), self.code(seed)):
            self.story.saw_page(self.does(enrolment, "enrol_prove", app_code=code))
        self.work()
        self.looks(enrolment)

    def on_microsofts_page(self, account: SharedAccount) -> None:
        enrolment = self.begins(account, "microsoft_page")
        given = self.does(enrolment, "enrol_pass")  # gives the pass to one person, once
        self.story.scan.plant_word("temporary access pass", given.context["issued"].code)
        seed = self.plant("key of Microsoft's page", secrets.token_bytes(20))
        key = base64.b32encode(seed).decode()
        for pasted in (key[:-1] + "1", f"phonefactor://activate_account?code={key}", f"{key} {key}"):
            self.story.saw_page(self.does(enrolment, "enrol_key", seed=pasted, app_code=self.code(seed)))
        self.story.saw_page(self.does(enrolment, "enrol_key", seed=key, app_code="000000"))
        self.story.saw_page(self.does(enrolment, "enrol_key", seed=key.lower(), app_code=self.code(seed)))
        self.story.saw_page(self.does(enrolment, "enrol_finish"))
        self.looks(enrolment)
        self.story.saw_page(self.does(enrolment, "enrol_cancel"))

    def kept_here(self, account: SharedAccount) -> None:
        enrolment = self.begins(account, "kept_here")
        self.sealed_seed(enrolment)
        self.work()
        self.looks(enrolment)
        assert KeptCode.objects.live().filter(technician=self.dora).count() == 1
        # Shows one code, to one person; the seed is looked for there, the code is not.
        self.story.saw_page(self.desk.post(reverse("tenants:my_code", args=[account.pk])))

    def in_bulk(self, accounts: list[SharedAccount]) -> None:
        bulk = begin_bulk(
            self.dora, accounts, by=self.dora, app=BulkEnrolment.App.GOOGLE, outside=self.world.outside
        ).bulk
        seeds = {str(e.pk): self.sealed_seed(e) for e in bulk.enrolments.all()}
        work_until_settled(bulk.run, outside(), threads=2)
        page = reverse("technicians:bulk", args=[bulk.pk])
        self.story.saw_page(self.desk.get(page))
        shown = show_bulk_code(bulk, by=self.dora, outside=self.world.outside)
        self.story.scan.plant("data of a bulk code", shown.text.partition("data=")[2], parts=False)
        for wrong in (True, False):
            typed = {f"code-{pk}": "000000" if wrong else self.code(seed) for pk, seed in seeds.items()}
            form = typed | {"number": str(shown.code.number)}
            self.story.saw_page(self.desk.post(reverse("technicians:bulk_prove", args=[bulk.pk]), form))
        work_until_settled(bulk.run, outside(), threads=2)
        self.story.saw_page(self.desk.get(page))
        assert set(bulk.enrolments.values_list("status", flat=True)) == {Enrolment.Status.ACTIVE}
