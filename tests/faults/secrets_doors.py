"""Every door through which a secret could leave: pages of all roles, crashes, mails, processes, what Celery tells."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.log import AdminEmailHandler

from msp.access.actions import make_link
from msp.celery import app
from msp.ops import services
from msp.ops.home import Home
from msp.ops.processes import Child
from technicians.actions.mail_notices import mail_notices
from tenants.actions.rotate import rotate
from tenants.models import Run, Step
from tenants.plans import StepKind
from tenants.tasks import work_target
from tests.faults.secrets_story import Story, as_csv, as_text
from tests.pages.addresses import TABLE, known
from tests.pages.cast import ROLES, make_side, url_of
from tests.support.media import running
from tests.support.scan import answer_of
from tests.support.visitor import Visitor

SHOWS_A_SEED_ONCE = {"access:second_factor"}
GIVES_FILES = ("reports:", "ledger:")


# --- pages -------------------------------------------------------------------------------------------------------


def every_page_is_opened(story: Story, runs: list[Run]) -> None:
    """By everybody: a customer's corner with an object of every kind; what the day left for those who see all of it."""
    side = make_side(story.world, f"Here-{story.word}", f"Hidden-{story.word}")
    of_the_day = {role: _objects_of(story, run) for role, run in zip(("owner", "manager"), runs, strict=True)}
    for role in ROLES:
        visitor = story.desk(side.people[role])
        _open_all(story, visitor, side.own_objects(role) | of_the_day.get(role, {}))
    session = visitor.session
    session["note"] = story.word
    session.save()


def _objects_of(story: Story, run: Run) -> dict[str, Any]:
    step = Step.objects.filter(target__run=run, kind=StepKind.REMOVE_METHOD).first()
    assert step is not None
    return {
        "tenant_id": step.target.account.tenant_id,
        "account_id": step.target.account_id,
        "run_id": run.pk,
        "target_id": step.target_id,
        "step_id": step.pk,
        "technician_id": story.ben.pk,
        "assignment_id": story.ben.assignments.all()[0].pk,
    }


def _open_all(story: Story, visitor: Visitor, objects: dict[str, Any]) -> None:
    for address in known():
        page, url = TABLE[address.name], url_of(address, objects | {"token": "not-a-token"})
        if "GET" in page.methods and address.name not in SHOWS_A_SEED_ONCE:
            story.saw_page(visitor.get(f"{url}?{page.words}", follow=True))
        if "POST" in page.methods and address.name.startswith(GIVES_FILES):
            story.saw("files of reports", answer_of(visitor.post(url, page.form, follow=True)))


# --- crashes -----------------------------------------------------------------------------------------------------


class Crash(Exception):
    """A mistake in the program."""


def breaks(word: str) -> Callable[..., Any]:
    """Takes the place of a function, and falls over with everything in hand that it was given."""

    def broken(*args: Any, **named: Any) -> Any:
        in_hand = (args, named)
        raise Crash(f"It broke at {word}, with {len(in_hand)} things in hand.")

    return broken


def everything_breaks(story: Story, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Each door once, at the moment in which the secret is in a local variable; administrators get their mails."""
    settings.ADMINS = [("Ada", "ada@reseller.example")]
    handler, log = AdminEmailHandler(include_html=True), logging.getLogger("django.request")
    log.addHandler(handler)
    try:
        for place, door in _doors(story).items():
            with monkeypatch.context() as patch:
                patch.setattr(place, breaks(story.word))
                answer = door()
            assert answer.status_code == 500, f"{place} was not reached: {answer.status_code}"
            story.saw("error pages", answer_of(answer))
    finally:
        log.removeHandler(handler)
    # The page says nothing of the cause, so a canary cannot come there by a crash.
    story.saw("error pages", story.word.encode())


def _doors(story: Story) -> dict[str, Callable[[], Any]]:
    """Where it breaks, and what somebody does to come there."""
    ben, owner, mia, nobody = (
        story.desk(story.ben),
        story.desk(story.world.owner),
        story.new_desk(story.manager),
        Client(),
    )
    for browser in (ben, owner, mia, nobody):
        browser.raise_request_exception = False
    account = story.accounts[0]
    words = {"reason": "the printer is down"}
    hand_over = words | {"recipient": "Carla", "life": "60"}
    password = story.planted_password("password in hand at a crash")
    export = words | {"scope": "all", "passphrase": password, "again": password}
    token = make_link(story.ben, minutes=15)
    story.scan.plant("link in hand at a crash", token)
    row = [["tenant", "user_principal_name", "password"], [account.tenant.default_domain, "new@x.example", password]]
    file = SimpleUploadedFile("x.csv", as_csv(row))

    def of_account(name: str) -> str:
        return reverse(f"tenants:{name}", args=[account.pk])

    return {
        "msp.access.views.authenticate": lambda: nobody.post(
            reverse("access:sign_in"), {"email": story.ben.email, "password": password}
        ),
        "msp.access.views.use_link": lambda: nobody.post(reverse("access:link", args=[token])),
        "technicians.actions.enter_password.store_password": lambda: owner.post(
            of_account("enter_password"), words | {"password": password}
        ),
        "technicians.actions.reveal_password.Shown": lambda: ben.post(of_account("reveal"), words),
        "technicians.views.accounts.JsonResponse": lambda: ben.post(
            of_account("copy"), words, headers={"Accept": "application/json"}
        ),
        "technicians.actions.hand_over._sealed": lambda: ben.post(of_account("hand_over"), hand_over),
        "technicians.actions.hand_over.MadeLink": lambda: ben.post(of_account("hand_over"), hand_over),
        "technicians.actions.export_passwords.seal_file": lambda: owner.post(
            reverse("tenants:export_passwords"), export
        ),
        "msp.importing.uploads.keep_upload": lambda: owner.post(
            reverse("import:start"), {"kind": "accounts", "file": file}
        ),
        "msp.access.fresh.check_code": lambda: mia.post(
            of_account("rotate_password"), words | {"code": story.code_of(mia.seed)}
        ),
    }


def a_task_breaks(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the new password in hand. What Celery would tell of it is its traceback, its log and its result."""
    account = story.world.account(story.accounts[0].tenant, "spare")
    run = rotate([account], by=story.world.owner, reason=f"a try, {story.word}")
    with monkeypatch.context() as patch:
        patch.setattr("tenants.actions.rotate_password.SetPassword", breaks(story.word))
        result = work_target.apply(args=[str(run.targets.get().pk)])
    assert isinstance(result.result, Crash), result.result
    story.saw("what Celery tells", f"{result.traceback}\n{result.result!r}\n{result.info!r}".encode())


# --- mails -------------------------------------------------------------------------------------------------------


def mails_go_out(story: Story) -> None:
    """Of new passwords, to those who hold the account; and those of the crashes lie there already."""
    assert mail_notices(base="https://latchkey.example") > 0
    for message in mail.outbox:
        parts = [message.subject, message.body, *(content for content, _type in getattr(message, "alternatives", []))]
        story.saw("mails", "\n".join(map(str, parts)).encode())
        story.saw("mails as they travel", message.message().as_bytes())
    assert any("It broke" in message.body for message in mail.outbox), "administrators hear of crashes"


# --- processes ---------------------------------------------------------------------------------------------------


@contextmanager
def web_process(story: Story, environment: dict[str, str]) -> Iterator[Child]:
    """The pages in a process of their own, as the supervisor starts it; what it printed is seen at the end."""
    said: list[str] = []
    service = services.web(
        Home(Path(environment["LATCHKEY_HOME"])), environment, host="127.0.0.1", port=services.free_port(), workers=1
    )
    with running(Child(service, lambda _name, line: said.append(line))) as child:
        yield child
    story.saw("log of the web process", "\n".join(said).encode())


def somebody_types_at(story: Story, child: Child) -> None:
    """A password into a form without its token, and into an address."""
    host, _, port = child.service.command[child.service.command.index("--host") + 1 :][:3]
    password = story.planted_password("password typed at the web process")
    token = make_link(story.ben, minutes=15)
    story.scan.plant("link used at the web process", token)
    line = http.client.HTTPConnection(host, int(port), timeout=60)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"email": password, "password": password})
    for method, path in (
        ("POST", reverse("access:sign_in")),
        ("HEAD", reverse("access:link", args=[token])),
        ("GET", f"/nothing/{story.word}"),
        ("GET", reverse("hand_over:open", args=[token])),
    ):
        line.request(method, path, body if method == "POST" else None, form | {"Host": "localhost"})
        story.saw("pages of the web process", line.getresponse().read())
    line.close()
    story.saw("pages of the web process", story.word.encode())


def celery_is_asked(story: Story) -> None:
    """Whoever may talk to the broker may ask a worker these things."""
    app.control.add_consumer(f"queue-of-{story.word}")
    ask = app.control.inspect(timeout=30, limit=1)
    for question in ("active_queues", "active", "reserved", "scheduled", "stats", "registered", "conf", "report"):
        answer = getattr(ask, question)()
        assert answer, f"the worker says nothing about {question}"
        story.saw("what Celery tells", as_text(answer))
