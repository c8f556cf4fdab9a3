"""`GET /`: what the cloud holds and what happened lately, to look at in a demo. Nothing can be changed here.

It shows no password, seed, code or token, needs none, and has no script. `?tenant=` (domain or id) shows one tenant.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from html import escape
from urllib.parse import quote

from . import signin
from .answers import Answer, Request
from .cloud import Cloud
from .faults import Fault
from .journal import Effect, Entry
from .state import SimMethod, SimTenant, SimUser, stamp

MOST_TENANTS, MOST_USERS, MOST_LINES = 25, 200, 50
_LONGEST_PATH = 160

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem; }
table { border-collapse: collapse; margin: .4rem 0 1.2rem; width: 100%; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .25rem .6rem .25rem 0;
  text-align: left; vertical-align: top; overflow-wrap: break-word; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 1.4rem 0 0; } ul { margin: 0; padding-left: 1rem; }
.wide { overflow-x: auto; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_for(request: Request, parts: tuple[str, ...]) -> bool:
    return request.method == "GET" and parts in ((), ("_state",))


def answer(cloud: Cloud, request: Request) -> Answer:
    key = request.query.get("tenant", "")
    chosen = cloud.find_tenant(key) if key else None
    tenants = [chosen] if chosen else [] if key else list(cloud.tenants.values())
    body = "".join(
        (
            _head(cloud, key),
            f"<p>There is no tenant {escape(key)}.</p>" if key and not chosen else "",
            *(_tenant(tenant, cloud.now()) for tenant in tenants[:MOST_TENANTS]),
            _more(len(tenants) - MOST_TENANTS, "tenants; see one with ?tenant="),
            _knobs(cloud),
            _faults(cloud.faults.rules()),
            _time_line(cloud),
            _requests(cloud.log.last(MOST_LINES)),
            _effects(cloud.effects.last(MOST_LINES)),
        )
    )
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Simulated cloud</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
    return Answer(200, page.encode(), dict(HEADERS))


def _head(cloud: Cloud, key: str) -> str:
    here = f"/_state?tenant={quote(key)}" if key else "/_state"
    back = ' &middot; <a href="/_state">All tenants</a>' if key else ""
    ahead = f", {cloud.clock_offset:+.0f} s from this machine's clock" if cloud.clock_offset else ""
    return (
        "<header><h1>Simulated Microsoft cloud</h1>"
        f"<p>{stamp(cloud.now())}{ahead}. Tenants: {len(cloud.tenants)}, requests: {len(cloud.log)}, "
        f"changes: {len(cloud.effects)}. "
        f'<a href="{escape(here)}">Look again</a>{back}</p></header><main>'
    )


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, nothing: str) -> str:
    """A table; its cells are HTML already."""
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    shown = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    return f"<section><h2>{title}</h2>{shown if lines else f'<p>{nothing}</p>'}</section>"


def _more(count: int, what: str) -> str:
    return f"<p>And {count} more {what}</p>" if count > 0 else ""


# Tenants


def _tenant(tenant: SimTenant, now: dt.datetime) -> str:
    with tenant.lock:
        alive = [tenant.sessions[key].user_id for key in tenant.sessions if signin.session_lives(tenant, key)]
        users = list(tenant.users.values())
        rows = [_user(user, alive.count(user.id), now) for user in users[:MOST_USERS]]
        words = [tenant.domain, tenant.cloud, tenant.condition, *tenant.plans, f"id {tenant.id}"]
    columns = ("User", "State", "Methods", "Default", "Sessions alive", "Password since")
    title = f"{escape(tenant.name)} <small>{escape(', '.join(word for word in words if word))}</small>"
    return _table(title, columns, rows, nothing="No users.") + _more(len(users) - MOST_USERS, "users.")


def _user(user: SimUser, sessions: int, now: dt.datetime) -> tuple[str, ...]:
    is_locked = user.locked_until is not None and now < user.locked_until
    states = ["enabled" if user.enabled else "blocked", f"MFA {user.mfa_state}"]
    states += ["locked"] * is_locked + ["synced"] * user.synced + ["guest"] * (user.user_type == "Guest")
    methods = [_method(method) for method in user.methods.values() if method.kind != "password"]
    return (
        f"{escape(user.upn)}<br><small>{escape(user.display_name)}</small>",
        escape(", ".join(states)),
        f"<ul>{''.join(f'<li>{one}</li>' for one in methods)}</ul>" if methods else "none",
        escape(user.default or "none"),
        str(sessions),
        stamp(user.password_changed_at),
    )


def _method(method: SimMethod) -> str:
    return escape(": ".join(word for word in (method.kind, method.label) if word))


# How it behaves, and what happened


def _knobs(cloud: Cloud) -> str:
    rows = [("all", asdict(cloud.knobs.everywhere))]
    rows += [
        (cloud.tenants[key].name if key in cloud.tenants else key, own) for key, own in cloud.knobs.by_tenant.items()
    ]
    cells = (
        (escape(who), escape(", ".join(f"{name} {value!r}" for name, value in own.items()))) for who, own in rows if own
    )
    return _table("Knobs", ("Tenant", "Settings"), cells, nothing="")


def _faults(rules: list[Fault]) -> str:
    columns = ("Kind", "Strikes", "Tenant", "Seen", "Struck")
    rows = (
        (
            escape(f"{rule.kind} {rule.status or ''}"),
            escape(" ".join(word for word in (rule.operation, rule.method, rule.path) if word) or "everything"),
            escape(rule.tenant or "all"),
            str(rule.seen),
            f"{rule.struck} of {rule.times or 'all'}",
        )
        for rule in rules
    )
    return _table("Faults", columns, rows, nothing="None are planned.")


def _time_line(cloud: Cloud) -> str:
    """Whom an event is about, and no more of it: a password or a secret may be among what it is given."""
    rows = (
        (
            stamp(event.at),
            escape(event.verb),
            escape(" ".join(str(event.given[name]) for name in ("tenant", "upn") if name in event.given)),
            escape(event.outcome or "waits"),
        )
        for event in cloud.timeline.events()
    )
    return _table("Time line", ("At", "What", "Whom", "Outcome"), rows, nothing="Nothing will happen by itself.")


def _requests(entries: list[Entry]) -> str:
    columns = ("At", "Request", "Answer", "Fault")
    rows = (
        (
            entry.at,
            escape(f"{'in a batch: ' if entry.in_batch else ''}{entry.method} {entry.path[:_LONGEST_PATH]}"),
            str(entry.status or "none"),
            escape(entry.fault),
        )
        for entry in reversed(entries)
    )
    return _table("Last requests", columns, rows, nothing="None so far.")


def _effects(effects: list[Effect]) -> str:
    rows = (
        (effect.at, escape(effect.kind), escape(effect.upn), escape(effect.method_kind), escape(effect.by))
        for effect in reversed(effects)
    )
    return _table("Last changes", ("At", "What", "Whom", "Method", "By"), rows, nothing="None so far.") + "</main>"
