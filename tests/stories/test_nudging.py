"""Messages only wake workers: without a broker a decision is taken all the same, and at once."""

from __future__ import annotations

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from tenants.actions.nudge import nudge
from tests.support.world import World


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How often a broker that is away was asked."""
    asked: list[object] = []

    def away(*arguments: object, **_: object) -> None:
        asked.append(arguments)
        raise OperationalError("nobody there")

    monkeypatch.setattr(current_app, "send_task", away)
    return asked


class WhenTheBrokerIsAway:
    def test_a_departure_begins_and_the_broker_is_asked_once(
        self, world: World, asked: list[object], django_capture_on_commit_callbacks
    ):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        for number in range(4):
            world.give(world.account(world.tenant(f"Tenant {number}")), ana, ben)
        with django_capture_on_commit_callbacks(execute=True):
            run = world.offboard(ana).run
        assert len(asked) == 1
        assert run.targets.filter(due_at__isnull=False).count() == 4

    def test_what_is_due_much_later_waits_in_its_row_and_nobody_is_asked(self, world: World, asked: list[object]):
        run = world.offboard(world.technician("Ana")).run
        assert nudge(run.pk, seconds=3600)
        assert asked == []
