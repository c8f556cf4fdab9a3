"""A Chromium, a running Latchkey, and a world behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from msp.celery import app
from msp.simulator.server import Simulator
from tests.pages.cast import installed
from tests.support.browser import FLAGS, Desk
from tests.support.servers import chromium_path
from tests.support.stage import build_world
from tests.support.visitor import Visitor
from tests.support.world import World

Desks = Callable[..., Desk]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Playwright's synchronous API runs an event loop in this thread, and Django would not touch a database there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def world(
    transactional_db: None, simulator: Simulator, credential: Path, tmp_path: Path, settings: Any
) -> Iterator[World]:
    """Northwind, whose pages use the world's keys and cloud."""
    made = build_world(simulator, credential, tmp_path)
    with installed(settings, made, credential, tmp_path):
        yield made
    app.control.purge()


@pytest.fixture
def desks(browser: Browser, world: World, live_server: Any) -> Iterator[Desks]:
    """Opens a window; at the end every window is closed, and none may have had anything to complain about."""
    opened: list[Desk] = []

    def desk(visitor: Visitor | None = None, **facts: Any) -> Desk:
        opened.append(Desk(browser, live_server.url, visitor=visitor, **facts))
        return opened[-1]

    yield desk
    for one in opened:
        one.leaves()
    complaints = [complaint for one in opened for complaint in one.complaints]
    assert complaints == [], "\n".join(complaints)
