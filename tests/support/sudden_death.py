"""A process that dies at a commit: from that moment on nothing of it reaches the database any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper


class Died(BaseException):
    """Not an Exception: nothing in the product may catch it, as nothing catches SIGKILL."""


class Commits:
    """Counts commits; dies right before or right after the one that was named."""

    def __init__(self) -> None:
        self.count = 0
        self.dies_at: int | None = None
        self.before = False
        self.is_dead = False

    def die_at(self, number: int, *, before: bool) -> None:
        """`number` counts from 1 and from now."""
        self.count, self.dies_at, self.before, self.is_dead = 0, number, before, False

    def live(self) -> None:
        """Start again, as another process with a connection of its own."""
        self.count, self.dies_at, self.is_dead = 0, None, False
        connection.close()

    def commit(self, really: Callable[[], None]) -> None:
        self._check()
        self.count += 1
        mine = self.count == self.dies_at
        if mine and self.before:
            self._die()
        really()
        if mine:
            self._die()

    def guard(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self._check()
        return execute(sql, params, many, context)

    def _check(self) -> None:
        if self.is_dead:
            raise Died

    def _die(self) -> None:
        self.is_dead = True
        # What was not committed goes with the process's connection.
        connection.close()
        raise Died


@contextmanager
def commits_watched(monkeypatch: Any) -> Iterator[Commits]:
    """Every commit of this thread's connection passes through the answer."""
    commits, really = Commits(), BaseDatabaseWrapper.commit
    monkeypatch.setattr(BaseDatabaseWrapper, "commit", lambda wrapper: commits.commit(lambda: really(wrapper)))
    with connection.execute_wrapper(commits.guard):
        yield commits
