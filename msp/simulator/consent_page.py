"""`/{tenant}/adminconsent` as an administrator's browser meets it: what the app asks for, and two buttons.

It asks nobody to sign in: whoever is in front of this page is an administrator. Granting gives the app its permissions
and no directory role, which is a step of its own at Microsoft too: `Cloud.assign_role`. Who has no browser sends the
header X-Simulator-Decision, grant or deny, and is sent back at once.
Assumption: the AADSTS codes on the page, and that granting again takes no permission away.
"""

from __future__ import annotations

import re
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from . import hosts, organisation
from .answers import Answer, Request
from .cloud import Cloud
from .state import AppRegistration, Consent, SimTenant

DECISION = "x-simulator-decision"
_ADDRESS = re.compile(r"https?://[!-~]+")
"""A redirect address that can stand in a header: ASCII without blanks and line ends."""

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def answer(cloud: Cloud, request: Request, key: str) -> Answer:
    """The page, or once somebody decided the way back with Microsoft's words about it."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    asked = {name: (form | request.query).get(name, "") for name in ("client_id", "redirect_uri", "state")}
    tenant, app = cloud.find_tenant(key), cloud.apps.get(asked["client_id"].lower())
    if tenant is None or not hosts.serves(request.base, tenant.cloud):
        return _page(400, "AADSTS90002: Tenant not found.")
    if code := organisation.refusal_of(tenant):
        return _page(400, f"AADSTS{code}: The tenant {escape(tenant.domain)} is closed.")
    if app is None:
        return _page(400, "AADSTS700016: There is no such application.")
    if not _ADDRESS.fullmatch(asked["redirect_uri"]):
        return _page(400, "AADSTS50011: The redirect URI is not one.")
    match form.get("decision") or request.headers.get(DECISION, "").lower():
        case "grant":
            _grant(cloud, tenant, app)
            return _back(asked, {"tenant": tenant.id, "admin_consent": "True"})
        case "deny":
            words = "AADSTS65004: User declined to consent to access the app."
            return _back(asked, {"error": "permission_denied", "error_description": words})
    return _page(200, _question(tenant, app, asked))


def _grant(cloud: Cloud, tenant: SimTenant, app: AppRegistration) -> None:
    with tenant.lock:
        before = tenant.consents.get(app.client_id) or Consent(cloud.new_id(), (), ())
        granted = tuple(dict.fromkeys((*before.permissions, *app.wanted)))
        tenant.consents[app.client_id] = Consent(before.service_principal_id, granted, before.roles)
    cloud.changed()


def _back(asked: dict[str, str], said: dict[str, str]) -> Answer:
    join = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    query = urlencode(said | ({"state": asked["state"]} if asked["state"] else {}))
    return Answer(302, None, {"Location": f"{asked['redirect_uri']}{join}{query}", "Cache-Control": "no-store"})


def _question(tenant: SimTenant, app: AppRegistration, asked: dict[str, str]) -> str:
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in asked.items())
    rows = "".join(f"<li>{escape(permission)}</li>" for permission in app.wanted)
    return (
        f"<h1>Permissions requested</h1><p>The app {escape(app.client_id)} asks, for all of "
        f"{escape(tenant.name)} ({escape(tenant.domain)}):</p><ul>{rows}</ul>"
        f'<form method="post" action="">{hidden}<button name="decision" value="grant">Accept</button> '
        '<button name="decision" value="deny">Cancel</button></form>'
    )


def _page(status: int, body: str) -> Answer:
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Simulated consent</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>{body}</body></html>\n'
    )
    return Answer(status, page.encode(), dict(HEADERS))
