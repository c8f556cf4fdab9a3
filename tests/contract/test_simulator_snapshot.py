"""The simulated cloud on disk: nothing that it knows is lost over a restart, whatever it will know one day."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from msp.simulator import delegation, records, snapshot, state
from msp.simulator.cloud import Cloud
from msp.simulator.timeline import Planned
from tests.support.simulated import microsoft

NOW = dt.datetime(2026, 11, 25, 12, 30, 15, 250_000, tzinfo=dt.UTC)
RECORDS = [kind for kind in vars(state).values() if is_dataclass(kind) and kind.__module__ == state.__name__]


class Filler:
    """Makes records in which no field has its usual value."""

    def __init__(self) -> None:
        self._numbers = itertools.count(41)

    def record(self, kind: type) -> Any:
        hints = typing.get_type_hints(kind)
        names = [one.name for one in fields(kind) if one.init and one.name not in records.LEFT_OUT]
        return kind(**{name: self.value(hints[name]) for name in names})

    def value(self, hint: Any) -> Any:
        number = next(self._numbers)
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin in (types.UnionType, typing.Union):
            return self.value(inner[0])
        if origin is list:
            return [self.value(inner[0]), self.value(inner[0])]
        if origin is dict:
            return {f"key-{number}": self.value(inner[1])}
        if origin is tuple:
            return tuple(self.value(one) for one in (inner[:1] * 2 if Ellipsis in inner else inner))
        if is_dataclass(hint):
            return self.record(typing.cast(type, hint))
        usual: dict[Any, Any] = {
            bool: True,
            int: number,
            float: number + 0.5,
            str: f"word-{number}",
            dt.datetime: NOW + dt.timedelta(days=number),
            Any: {"deep": [number, None, {"true": True}]},
        }
        return usual[hint]


def fields_of(record: Any) -> dict[str, Any]:
    return {one.name: getattr(record, one.name) for one in fields(record) if one.name not in {"lock", "past"}}


@pytest.fixture
def full() -> Cloud:
    """A cloud with one of everything, and no field of it as it usually is."""
    cloud, filler = Cloud(3), Filler()
    tenant = filler.record(state.SimTenant)
    users = list(tenant.users.values())
    tenant.users.clear()
    for user in users:
        tenant.place(user)
    for session in tenant.sessions.values():
        session.ended = False
    cloud.place(tenant)
    app = filler.record(state.AppRegistration)
    cloud.apps[app.client_id] = app
    cloud.remember_consent(app.client_id, ("User.Read.All",), ("a-role",))
    cloud.knobs.set(latency_ms=5, throttle=5)
    cloud.knobs.set(tenant.id, dead="503", read_lag=2.5)
    cloud.faults.plan({"kind": "status", "status": 502, "operation": "batch", "occurrence": 2}, {"kind": "lie"})
    cloud.faults.next_for("POST", "/v1.0/$batch", ("any",))
    cloud.timeline.plan([Planned(NOW, "password", {"tenant": tenant.id, "upn": "x"}, "done")])
    cloud.note("method_added", tenant, users[0], by="person")
    cloud.log_delay, cloud.log_noise, cloud.login_trouble = (1.5, 60.0), 0.25, {tenant.id: 90033}
    cloud.advance(86_400)
    return cloud


def restarted(cloud: Cloud) -> Cloud:
    return snapshot.restore(json.loads(json.dumps(snapshot.dump(cloud))))


class ASnapshot:
    def test_keeps_every_field_of_a_tenant_and_of_all_that_is_in_it(self, full: Cloud) -> None:
        (before,), (after,) = full.tenants.values(), restarted(full).tenants.values()
        assert fields_of(after) == fields_of(before)
        assert after.user(next(iter(before.users.values())).upn.upper()) is not None

    def test_leaves_no_record_out_of_this_test(self, full: Cloud) -> None:
        def inside(value: Any) -> Iterator[type]:
            if is_dataclass(value):
                yield type(value)
                for one in fields(value):
                    yield from inside(getattr(value, one.name))
            elif isinstance(value, dict | list | tuple):
                for one in value.values() if isinstance(value, dict) else value:
                    yield from inside(one)

        assert {kind for root in (full.tenants, full.apps) for kind in inside(root)} == set(RECORDS)

    def test_keeps_applications_and_consent_for_tenants_to_come(self, full: Cloud) -> None:
        again = restarted(full)
        assert again.apps == full.apps
        assert again.consented_everywhere() == full.consented_everywhere()

    def test_keeps_how_the_cloud_behaves(self, full: Cloud) -> None:
        again = restarted(full)
        assert (again.knobs.everywhere, again.knobs.by_tenant) == (full.knobs.everywhere, full.knobs.by_tenant)
        assert again.faults.rules() == full.faults.rules()
        assert [rule.seen for rule in again.faults.rules()] == [1, 1]
        assert (again.log_delay, again.log_noise) == ((1.5, 60.0), 0.25)
        assert again.login_trouble == full.login_trouble != {}

    def test_keeps_what_a_partners_sign_in_left_behind(self) -> None:
        cloud = Cloud()
        home, customer = cloud.add_tenant("Reseller"), cloud.add_tenant("Contoso")
        user, app = cloud.add_user(home.id, "gdap", roles=()), cloud.register_app(secret="a-secret")
        group = delegation.add_group(cloud, home.id, [user.id])
        delegation.add_relationship(cloud, home.id, customer.id, roles=["a-role"], group=group)
        delegation.consent_delegated(cloud, app, customer.id, ["User.Read.All"])
        token = delegation.partner_refresh_token(cloud, home.id, user.upn, app)
        again = restarted(cloud)
        assert again.refresh_tokens == cloud.refresh_tokens != {}
        code, granted = delegation.redeem(again, again.tenant(customer.id), app, token)
        assert (code, granted["scope"]) == (0, "User.Read.All")

    def test_keeps_the_clock_and_what_is_still_to_come(self, full: Cloud) -> None:
        again = restarted(full)
        assert again.timeline.events() == full.timeline.events()
        assert abs(again.now() - full.now()) < dt.timedelta(minutes=1)

    def test_keeps_what_happened(self, full: Cloud) -> None:
        assert list(restarted(full).effects) == list(full.effects) != []

    def test_taken_again_is_the_same(self, full: Cloud) -> None:
        kept = snapshot.dump(full)
        assert snapshot.dump(restarted(full)) | {"generation": 0} == kept

    def test_of_a_cloud_that_was_used_over_http_brings_everything_back(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made:
            for kind in ("software_oath", "hardware_oath", "phone", "microsoft_authenticator"):
                made.registers(kind, label="Ana")
            made.cloud.sign_in(made.contoso.id, made.shared.upn, "Wrong-Password-1")
            made.set_password("New-Password-2")
            kept = snapshot.dump(made.cloud)
        assert snapshot.dump(restarted(made.cloud)) | {"generation": 0} == kept

    def test_forgets_sessions_that_have_ended(self, full: Cloud) -> None:
        (tenant,) = full.tenants.values()
        for session in tenant.sessions.values():
            session.ended = True
        (again,) = restarted(full).tenants.values()
        assert again.sessions == {}

    def test_never_gives_an_id_twice(self, full: Cloud) -> None:
        before = {full.new_id() for _ in range(50)}
        again = restarted(full)
        assert not before & {again.new_id() for _ in range(50)}


class ASnapshotOfTheFirstFormat:
    KEPT: typing.ClassVar[dict[str, Any]] = {
        "format": 1,
        "seed": 7,
        "generation": 2,
        "clock_offset": 60.0,
        "knobs": {"everywhere": {"latency_ms": 1.0, "token_life": 3599.0}, "by_tenant": {"t-1": {"lies": True}}},
        "consented_everywhere": [["app-1", ["User.Read.All"], []]],
        "apps": [{"client_id": "app-1", "certificate_pem": "", "secret": "s", "secret_expired": True}],
        "tenants": [
            {
                "id": "t-1",
                "name": "Contoso",
                "domain": "contoso.example",
                "users": [
                    {
                        "id": "u-1",
                        "upn": "admin@contoso.example",
                        "display_name": "Admin",
                        "password": "Old-Password-1",
                        "password_changed_at": "2026-11-24T10:00:00+00:00",
                        "sessions_valid_from": "2026-11-24T11:00:00+00:00",
                        "enabled": False,
                        "roles": ["r-1"],
                        "default": "oath",
                        "wrong_passwords": ["abc"],
                        "lockouts": 1,
                        "locked_until": "2026-11-25T11:00:00+00:00",
                        "methods": [
                            {
                                "id": "m-1",
                                "kind": "software_oath",
                                "created_at": "2026-11-24T12:00:00+00:00",
                                "label": "Ana",
                                "seed": "JBSWY3DPEHPK3PXP",
                                "used_steps": [5],
                            }
                        ],
                    }
                ],
                "sessions": {"s-1": {"user_id": "u-1", "issued_at": "2026-11-24T13:00:00+00:00", "ended": False}},
                "consents": {
                    "app-1": {"service_principal_id": "p-1", "permissions": ["User.Read.All"], "roles": ["r-2"]}
                },
            }
        ],
        "effects": [
            {"kind": "method_added", "tenant_id": "t-1", "user_id": "u-1", "upn": "x", "by": "person", "at": "then"}
        ],
    }

    def test_is_read_whole(self) -> None:
        cloud = snapshot.restore(self.KEPT)
        tenant = cloud.tenant("contoso.example")
        user = cloud.user("t-1", "admin@contoso.example")
        assert (user.enabled, user.roles, user.default, user.lockouts) == (False, ["r-1"], "oath", 1)
        assert user.locked_until == dt.datetime(2026, 11, 25, 11, tzinfo=dt.UTC)
        assert user.methods["m-1"].created_at == dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
        assert user.methods["m-1"].used_steps == [5]
        assert tenant.sessions["s-1"].issued_at == dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC)
        assert tenant.consents["app-1"].permissions == ("User.Read.All",)
        assert cloud.apps["app-1"].secret_expired
        assert cloud.knobs.of("t-1").lies
        assert (cloud.clock_offset, cloud.generation, len(cloud.effects)) == (60.0, 3, 1)

    def test_has_the_usual_values_where_it_knew_nothing(self) -> None:
        tenant = snapshot.restore(self.KEPT).tenant("t-1")
        assert (tenant.cloud, tenant.policies.security_defaults, tenant.tokens) == ("global", True, {})


class ASnapshotThatCannotBeRead:
    def test_is_not_guessed_at_when_its_format_is_another(self) -> None:
        with pytest.raises(ValueError, match="format 99"):
            snapshot.restore({"format": 99})

    def test_names_what_it_has_and_this_version_does_not_know(self, full: Cloud) -> None:
        kept = snapshot.dump(full)
        kept["tenants"][0]["colour"] = "red"
        with pytest.raises(ValueError, match="SimTenant has colour"):
            snapshot.restore(kept)

    def test_names_what_is_missing(self, full: Cloud) -> None:
        kept = snapshot.dump(full)
        del kept["tenants"][0]["name"]
        with pytest.raises(ValueError, match=r"SimTenant is not complete.*name"):
            snapshot.restore(kept)
