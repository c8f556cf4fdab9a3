"""A scenario: one JSON file with tenants, people, methods, applications, faults and what happens when.

`scenario.schema.json` describes every field. A file is loaded whole into a new cloud, and its time line is played once
on a copy to see that it can happen; whatever is wrong is told in one sentence with its JSON path.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import control, schema_check, snapshot
from .cloud import Cloud
from .timeline import DONE, Planned

SCHEMA = Path(__file__).with_name("scenario.schema.json")
_OF_TENANT = ("cloud", "condition", "plans", "federated", "policies")
_OF_NEW_USER = ("upn", "display_name", "password", "roles", "enabled", "synced", "user_type")
_OF_USER = ("mfa_state", "default", "password_expired")


class ScenarioWrong(ValueError):
    """The file cannot be played; the sentence names the file, the place in it and what is wrong there."""


@functools.cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA.read_text())
    return found


def cloud_of(file: Path, seed: int = 1) -> Cloud:
    """A new cloud as the file describes it, its time line waiting. Raises ScenarioWrong."""
    try:
        asked = _read(file)
        schema_check.check(asked, schema())
        return _Loader(Cloud(seed), asked, file.parent).load()
    except schema_check.DoesNotFit as wrong:
        sentence = wrong.sentence.rstrip(".")
        raise ScenarioWrong(f"{file} at {wrong.path}: {sentence}. Nothing of it was loaded.") from None


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as wrong:
        raise ScenarioWrong(f"{file}, line {wrong.lineno}, column {wrong.colno}: {wrong.msg}. It is no JSON.") from None
    except UnicodeDecodeError:
        raise ScenarioWrong(f"{file} is not written in UTF-8.") from None
    except OSError as wrong:
        raise ScenarioWrong(f"{file} cannot be read: {wrong.strerror}.") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise schema_check.DoesNotFit("$", f"{schema_check.shown(twice[0])} stands twice in the same object.")
    return dict(pairs)


@contextmanager
def _at(path: str) -> Iterator[None]:
    """What goes wrong inside is wrong at this place of the file."""
    try:
        yield
    except control.Wrong as wrong:
        raise schema_check.DoesNotFit(path, str(wrong)) from None


def _some(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


class _Loader:
    """Fills one cloud from one file, by the verbs of the control API."""

    def __init__(self, cloud: Cloud, asked: dict[str, Any], beside: Path) -> None:
        self.cloud, self.asked, self.beside = cloud, asked, beside

    def load(self) -> Cloud:
        with _at("$.knobs"):
            self._do("knobs", self.asked.get("knobs", {}))
        with _at("$.logs"):
            self._do("logs", self.asked.get("logs", {}))
        for number, tenant in enumerate(self.asked["tenants"]):
            self._tenant(f"$.tenants[{number}]", tenant)
        for number, app in enumerate(self.asked.get("apps", [])):
            self._app(f"$.apps[{number}]", app)
        for number, relationship in enumerate(self.asked.get("relationships", [])):
            self._relationship(f"$.relationships[{number}]", relationship)
        for number, fault in enumerate(self.asked.get("faults", [])):
            with _at(f"$.faults[{number}]"):
                self._known_tenant(fault)
                self._do("faults", {"plan": [fault]})
        self._time_line(self.asked.get("time_line", []))
        self.cloud.effects.clear()
        return self.cloud

    def _do(self, verb: str, given: dict[str, Any]) -> dict[str, Any]:
        return control.do(self.cloud, verb, given)

    def _known_tenant(self, given: dict[str, Any]) -> None:
        if given.get("tenant") and self.cloud.find_tenant(given["tenant"]) is None:
            raise control.Wrong(f"There is no tenant {given['tenant']}.")

    def _tenant(self, path: str, asked: dict[str, Any]) -> None:
        with _at(path):
            names = _some(asked, ("name", "domain")) | {"tenant_id": asked.get("id", "")}
            key = self._do("tenants", names)["id"]
            self._do("tenant", {"tenant": key} | _some(asked, _OF_TENANT))
            self._do("knobs", {"tenant": key} | asked.get("knobs", {}))
        for number, person in enumerate(asked.get("people", [])):
            self._person(f"{path}.people[{number}]", key, person)

    def _person(self, path: str, tenant: str, asked: dict[str, Any]) -> None:
        with _at(path):
            upn = self._do("users", {"tenant": tenant} | _some(asked, _OF_NEW_USER))["upn"]
        for number, method in enumerate(asked.get("methods", [])):
            with _at(f"{path}.methods[{number}]"):
                named = {name: value for name, value in method.items() if name != "details"}
                self._do("methods", method.get("details", {}) | named | {"tenant": tenant, "upn": upn})
        with _at(path):
            # After the methods: the default must be one of them, and a registration moves the state of MFA.
            self._do("user", {"tenant": tenant, "upn": upn} | _some(asked, _OF_USER))

    def _app(self, path: str, asked: dict[str, Any]) -> None:
        given = {name: value for name, value in asked.items() if name not in ("certificate_file", "consents")}
        if "certificate_file" in asked:
            with _at(f"{path}.certificate_file"):
                given["certificate_pem"] = self._certificate(asked["certificate_file"])
                self._do("apps", given)
        else:
            with _at(path):
                self._do("apps", given)
        for number, consent in enumerate(asked.get("consents", [])):
            with _at(f"{path}.consents[{number}]"):
                self._consent(asked["client_id"], consent)

    def _certificate(self, name: str) -> str:
        try:
            return (self.beside / name).read_text(encoding="ascii")
        except OSError as wrong:
            raise control.Wrong(f"{name} cannot be read: {wrong.strerror}.") from None
        except UnicodeDecodeError:
            raise control.Wrong(f"{name} is no certificate in PEM.") from None

    def _consent(self, client_id: str, asked: dict[str, Any]) -> None:
        self._do("consents", {"client_id": client_id} | _some(asked, ("tenant", "permissions", "roles")))
        if not asked.get("enabled", True):
            self._do("consents/enabled", {"client_id": client_id, "enabled": False} | _some(asked, ("tenant",)))

    def _relationship(self, path: str, asked: dict[str, Any]) -> None:
        with _at(path):
            self._do("relationships", asked)

    def _time_line(self, asked: list[dict[str, Any]]) -> None:
        began = self.cloud.now()
        events = [
            Planned(began + dt.timedelta(seconds=one["at_seconds"]), one["do"], one.get("with", {})) for one in asked
        ]
        self._rehearse(asked, events)
        self.cloud.timeline.plan(events)

    def _rehearse(self, asked: list[dict[str, Any]], events: list[Planned]) -> None:
        """Play the time line on a copy of the cloud, so that what cannot happen is told now and not in an hour."""
        copy = snapshot.restore(json.loads(json.dumps(snapshot.dump(self.cloud))))
        control.attend(copy)
        tried = [Planned(one.at, one.verb, json.loads(json.dumps(one.given))) for one in events]
        copy.timeline.plan(tried)
        copy.advance(max((one["at_seconds"] for one in asked), default=0) + 1)
        for number, event in enumerate(tried):
            if event.outcome != DONE:
                raise schema_check.DoesNotFit(f"$.time_line[{number}]", event.outcome.removeprefix("failed: "))
