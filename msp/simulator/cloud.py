"""The cloud: everything that can be asked of it or done to it from inside the house, safe for many threads.

Tests hold it as `simulator.cloud`; the HTTP doors call the same methods. Names that others build on:
`add_tenant`, `add_user`, `register`, `register_software_oath`, `register_hardware_oath`, `register_app`, `consent`,
`sign_in`, `session_alive`, `code`, `knobs`, `faults`, `log`, `effects`, `advance`, `change_password_as_person`,
`remove_method_as_person`.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from . import events, inventory, kinds, passes, registering, signin, totp
from .applications import Applications, NotThere
from .faults import FaultPlan
from .grants import Grants
from .journal import Effect, Entry, Journal
from .knobs import KnobBoard
from .registering import NoRoom as NoRoom
from .state import (
    GLOBAL_ADMINISTRATOR,
    AppRegistration,
    SimMethod,
    SimSession,
    SimTenant,
    SimUser,
    stamp,
)
from .throttle import Throttle
from .timeline import TimeLine


class Cloud(Applications):
    """A whole Microsoft cloud. Deterministic by `seed` where chance plays a part."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed)
        self.tenants: dict[str, SimTenant] = {}
        self.apps: dict[str, AppRegistration] = {}
        self.knobs = KnobBoard()
        self.faults = FaultPlan()
        self.throttle = Throttle()
        self.timeline = TimeLine()
        self.log: Journal[Entry] = Journal()
        self.effects: Journal[Effect] = Journal()
        self.stopping = threading.Event()
        self.changes = 0
        self.clock_offset = 0.0
        self.log_delay = (0.0, 0.0)
        self.log_noise = 0.0
        self.login_trouble: dict[str, int] = {}
        self.refresh_tokens: dict[str, Any] = {}
        self._ids_by_domain: dict[str, str] = {}
        self._grants = Grants()
        self._everywhere: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._lock = threading.RLock()

    def reset(self, seed: int | None = None) -> None:
        """Forget everything, knobs, faults and journals too."""
        with self._lock:
            fresh = Cloud(self.seed if seed is None else seed)
            fresh.stopping, fresh.changes = self.stopping, self.changes + 1
            self.__dict__.update(fresh.__dict__)

    # Time

    def now(self) -> dt.datetime:
        """The cloud's clock: the machine's, plus what `advance` added."""
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.clock_offset)

    def advance(self, seconds: float) -> None:
        """Move the clock of users, sessions, codes, lockouts, lag and throttling. Tokens live by the real clock.

        What the time line has for the time that is jumped over happens on the way, each event at its moment.
        """
        end = self.clock_offset + seconds
        for moment in self.timeline.moments_until(self.now() + dt.timedelta(seconds=seconds)):
            self.clock_offset = max(self.clock_offset, (moment - dt.datetime.now(dt.UTC)).total_seconds())
            self.timeline.play(moment)
        self.clock_offset = end

    # Tenants and users

    def assign_role(self, client_id: str, tenant_id: str, role: str) -> None:
        """Give an application's service principal a directory role (template id): consent alone gives none."""
        tenant, client_id = self.tenant(tenant_id), client_id.lower()
        with tenant.lock:
            before = tenant.consents.get(client_id)
            if before is None:
                raise NotThere(f"{tenant.name} has not consented to the application {client_id}.")
            tenant.consents[client_id] = replace(before, roles=tuple(dict.fromkeys((*before.roles, role))))
        self.changed()

    def add_tenant(self, name: str, domain: str = "", tenant_id: str = "") -> SimTenant:
        """A new, empty tenant; applications consented everywhere are consented in it too."""
        domain = (domain or f"{''.join(c for c in name.lower() if c.isalnum())}.onmicrosoft.example").lower()
        with self._lock:
            tenant = SimTenant(id=(tenant_id or self.new_id()).lower(), name=name, domain=domain)
            if tenant.id in self.tenants or domain in self._ids_by_domain:
                raise ValueError(f"There is already a tenant {tenant.id} or a domain {domain}.")
            self.place(tenant)
            for client_id, permissions, roles in self.consented_everywhere():
                self._consent_in(tenant, client_id, permissions, roles)
        self.changed()
        return tenant

    def place(self, tenant: SimTenant) -> None:
        with self._lock:
            self.tenants[tenant.id] = tenant
            self._ids_by_domain[tenant.domain] = tenant.id

    def find_tenant(self, key: str) -> SimTenant | None:
        """By id or domain, in any case of letters."""
        key = key.lower()
        return self.tenants.get(self._ids_by_domain.get(key, key))

    def tenant(self, key: str) -> SimTenant:
        found = self.find_tenant(key)
        if found is None:
            raise NotThere(f"There is no tenant {key}.")
        return found

    def add_user(
        self,
        tenant_id: str,
        upn: str,
        display_name: str = "",
        password: str = "",
        *,
        roles: Iterable[str] = (GLOBAL_ADMINISTRATOR,),
        enabled: bool = True,
        synced: bool = False,
        user_type: str = "Member",
    ) -> SimUser:
        """A new user with a password method and nothing else. `upn` without a domain gets the tenant's."""
        tenant = self.tenant(tenant_id)
        upn = upn if "@" in upn else f"{upn}@{tenant.domain}"
        # Created a day ago, so that a change right after creation moves the times visibly.
        born = self.now() - dt.timedelta(days=1)
        with tenant.lock:
            if tenant.user(upn):
                raise ValueError(f"There is already a user {upn}.")
            user = SimUser(
                id=self.new_id(),
                upn=upn,
                display_name=display_name or upn.partition("@")[0],
                password=password or f"Start-{secrets.token_urlsafe(9)}-1aA",
                password_changed_at=born,
                sessions_valid_from=born,
                enabled=enabled,
                synced=synced,
                user_type=user_type,
                roles=list(roles),
            )
            user.methods[kinds.PASSWORD_METHOD_ID] = SimMethod(kinds.PASSWORD_METHOD_ID, "password", born)
            tenant.place(user)
        self.changed()
        return user

    def user(self, tenant_id: str, upn: str) -> SimUser:
        """By user principal name or object id."""
        found = self.tenant(tenant_id).user(upn)
        if found is None:
            raise NotThere(f"There is no user {upn} in tenant {tenant_id}.")
        return found

    def methods(self, tenant_id: str, upn: str, kind: str = "") -> list[SimMethod]:
        """What is really registered now, whatever lagging reads show; the password is left out."""
        with self.tenant(tenant_id).lock:
            found = [m for m in self.user(tenant_id, upn).methods.values() if m.kind != "password"]
        return [m for m in found if kind in ("", m.kind)]

    @contextmanager
    def changing(self, tenant: SimTenant, user: SimUser) -> Iterator[None]:
        """Hold the tenant's lock for one change of one user; reads lag behind it as the knob says."""
        with tenant.lock:
            lag = self.knobs.of(tenant.id).read_lag
            if lag > 0:
                user.remember_for_lagging_reads(self.now() + dt.timedelta(seconds=lag))
            yield
        self.changed()

    def changed(self) -> None:
        """Note that a snapshot would differ now."""
        self.changes += 1

    # Methods

    def register(self, tenant_id: str, upn: str, kind: str, label: str = "", **details: Any) -> SimMethod:
        """Register a method of any kind, as its holder would. Raises NoRoom.

        `details` are Graph's own field names (phoneType, phoneNumber, serialNumber ...) plus seed, interval, digest.
        The first method that can be the default becomes it.
        """
        tenant, user, info = self.tenant(tenant_id), self.user(tenant_id, upn), kinds.KINDS[kind]
        with tenant.lock:
            method = registering.new_method(
                info, label, details, now=self.now(), new_id=self.new_id, new_seed=self.new_seed
            )
            registering.demand_room(user, info, method)
            self.admit(tenant, user, method, by="person")
            if kind == inventory.KIND:
                tenant.tokens[method.id] = inventory.behind(user, method)
        return method

    def admit(self, tenant: SimTenant, user: SimUser, method: SimMethod, *, by: str, request_id: str = "") -> None:
        """Take a method in; no rule is asked here."""
        with self.changing(tenant, user):
            registering.admit(user, method)
            self.note("method_added", tenant, user, by=by, method=method, request_id=request_id)

    def register_software_oath(self, tenant_id: str, upn: str) -> tuple[str, str]:
        """(method id, Base32 seed) of a new software OATH token."""
        method = self.register(tenant_id, upn, "software_oath")
        return method.id, method.seed

    def register_hardware_oath(self, tenant_id: str, upn: str, serial: str = "") -> tuple[str, str]:
        """(method id, Base32 seed) of a new, activated hardware OATH token."""
        method = self.register(tenant_id, upn, "hardware_oath", **({"serialNumber": serial} if serial else {}))
        return method.id, method.seed

    def drop_method(
        self, tenant: SimTenant, user: SimUser, method: SimMethod, *, by: str, request_id: str = ""
    ) -> None:
        """Take a method away; no rule is asked here."""
        with self.changing(tenant, user):
            registering.drop(tenant, user, method)
            self.note("method_removed", tenant, user, by=by, method=method, request_id=request_id)

    def move_default(self, tenant: SimTenant, user: SimUser, word: str, *, by: str, request_id: str = "") -> None:
        """Make another kind the default second factor; no rule is asked here."""
        with self.changing(tenant, user):
            user.default = word
            self.note("default_moved", tenant, user, by=by, request_id=request_id)

    def remove_method_as_person(self, tenant_id: str, upn: str, method_id: str) -> None:
        """What the security info page of the account does."""
        tenant, user = self.tenant(tenant_id), self.user(tenant_id, upn)
        with tenant.lock:
            if method_id not in user.methods:
                raise NotThere(f"{upn} has no method {method_id}.")
            self.drop_method(tenant, user, user.methods[method_id], by="person")

    def code(self, tenant_id: str, upn: str, method_id: str, *, ahead: int = 0) -> str:
        """The six digits that this method's phone shows now, or so many steps later (1 is still accepted now)."""
        method = self.user(tenant_id, upn).methods[method_id]
        step = totp.step_of(self.now().timestamp(), method.interval) + ahead
        return totp.code_of_step(method.seed, step, digest=method.digest)

    def set_enabled(self, tenant_id: str, upn: str, enabled: bool) -> None:
        """Block or unblock a user, as an administrator at Microsoft's own page."""
        self.block_or_unblock(self.tenant(tenant_id), self.user(tenant_id, upn), enabled, by="person")

    def block_or_unblock(
        self, tenant: SimTenant, user: SimUser, enabled: bool, *, by: str, request_id: str = ""
    ) -> None:
        """Change accountEnabled; no rule is asked here."""
        with self.changing(tenant, user):
            user.enabled = enabled
            self.note("user_enabled" if enabled else "user_disabled", tenant, user, by=by, request_id=request_id)

    # Passwords and sessions

    def set_password(self, tenant: SimTenant, user: SimUser, password: str, *, by: str, request_id: str = "") -> None:
        """Replace the password and end every session; no rule is asked here.

        Assumption: signInSessionsValidFromDateTime is moved by a revocation only, not by a password change.
        """
        with self.changing(tenant, user):
            user.password, user.password_changed_at = password, self.now()
            for session in tenant.sessions.values():
                session.ended = session.ended or session.user_id == user.id
            self.note("password_changed", tenant, user, by=by, request_id=request_id)

    def change_password_as_person(self, tenant_id: str, upn: str, password: str) -> None:
        """Somebody at Microsoft's own page, past Latchkey."""
        self.set_password(self.tenant(tenant_id), self.user(tenant_id, upn), password, by="person")

    def revoke(self, tenant: SimTenant, user: SimUser, *, by: str, request_id: str = "") -> None:
        """End every session issued up to now."""
        with self.changing(tenant, user):
            user.sessions_valid_from = self.now()
            self.note("sessions_revoked", tenant, user, by=by, request_id=request_id)

    def sign_in(
        self,
        tenant_id: str,
        upn: str,
        password: str,
        code: str | None = None,
        push: str | None = None,
        access_pass: str | None = None,
    ) -> signin.SignInResult:
        """Can this person get in? A real try: it counts towards lockout and uses the code up.

        An `access_pass` (Temporary Access Pass) takes the place of password and second factor.
        """
        tenant = self.tenant(tenant_id)
        with tenant.lock:
            now, user = self.now(), tenant.user(upn)
            codes = events.used_steps(user) if user else {}
            if access_pass is None:
                result = signin.judge(user, password, code, push, now)
            else:
                result = passes.judge(tenant, user, access_pass, now)
            if user is None:
                return signin.SignInResult(result)
            error, factor = events.SIGN_IN_ERRORS[result], events.factor_of(user, codes, push)
            events.signed_in(self, tenant, user, error=error, factor=factor)
            if result != "signed_in":
                return signin.SignInResult(result)
            token = secrets.token_urlsafe(24)
            tenant.sessions[token] = SimSession(user.id, now)
        self.changed()
        return signin.SignInResult(result, token)

    def session_alive(self, tenant_id: str, session: str) -> bool:
        tenant = self.tenant(tenant_id)
        with tenant.lock:
            return signin.session_lives(tenant, session)

    # Journals

    def note(
        self,
        kind: str,
        tenant: SimTenant,
        user: SimUser,
        *,
        by: str,
        method: SimMethod | None = None,
        request_id: str = "",
    ) -> None:
        """Write an effect into the journal; call it where the change happens, under the tenant's lock."""
        method_id, method_kind = (method.id, method.kind) if method else ("", "")
        at = stamp(self.now())
        effect = Effect(kind, tenant.id, user.id, user.upn, by, at, method_id, method_kind, request_id)
        self.effects.add(effect)
        events.changed(self, tenant, effect)
