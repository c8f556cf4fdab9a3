"""An administrator's consent: the link that asks for it, and the answer that comes back with the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.microsoft.clouds import cloud_named
from tenants.actions.check_tenant import require_check_rights
from tenants.models import Tenant

if TYPE_CHECKING:
    from technicians.models import Technician

SALT = "latchkey.consent"
LONGEST_SECONDS = 3600
"""So long may the administrator take; then the page makes a new link."""


def consent_link(tenant: Tenant, *, person: Technician, session: str, redirect_uri: str) -> str:
    """Microsoft's consent page for this tenant. The answer is good for an hour, for this person in this session.

    `session` is the session's own key; only a keyed hash of it leaves the house. Raises BadInput without a client id.
    """
    known = settings.MICROSOFT
    if not known["client_id"]:
        raise BadInput(_("LATCHKEY_CLIENT_ID is not set, so nobody can consent to the app. Set it, then try again."))
    cloud = cloud_named(tenant.cloud).elsewhere(login_url=known["login_url"], graph_url=known["graph_url"])
    said = {
        "reseller": str(tenant.reseller_id),
        "tenant": str(tenant.pk),
        "person": str(person.pk),
        "session": _mark_of(session),
    }
    state = signing.dumps(said, salt=SALT)
    return cloud.admin_consent_url(str(tenant.directory_id), known["client_id"], redirect_uri, state)


@transaction.atomic
def receive_consent(answer: Mapping[str, str], *, by: Technician, session: str) -> Tenant:
    """Judge what the browser brought back, write it down, and give the tenant that was asked.

    Raises BadInput when the answer is not to a question of this person in this session, when another tenant answered,
    or when the administrator said no; NotPermitted. It grants nothing: what counts is what the next token carries.
    """
    tenant = _asked(answer.get("state", ""), by, session)
    require_check_rights(tenant, by)
    name = str(tenant.default_domain)
    if error := answer.get("error", ""):
        raise BadInput(_why_not(error, name))
    if not _same_directory(answer.get("tenant", ""), tenant.directory_id):
        raise BadInput(
            _(
                "Consent was given in another tenant than %(tenant)s, so nothing was noted here. Sign out at "
                "Microsoft, then open the link again and sign in as an administrator of %(tenant)s."
            )
            % {"tenant": name}
        )
    if answer.get("admin_consent", "").lower() != "true":
        raise BadInput(_("Microsoft did not say that consent was given for %(tenant)s. Try again.") % {"tenant": name})
    record("consent.given", reseller_id=tenant.reseller_id, actor=by, tenant_id=tenant.pk, domain=name)
    return tenant


def _asked(state: str, by: Technician, session: str) -> Tenant:
    """The tenant that this person asked about in this session within the hour."""
    stranger = _(
        "This answer is not to a question that you asked here in this session. Nothing was noted. Open the tenant's "
        "check and follow its consent link again."
    )
    try:
        said = signing.loads(state, salt=SALT, max_age=LONGEST_SECONDS)
    except signing.SignatureExpired:
        raise BadInput(
            _("It took more than an hour, so the answer counts no more. Open the tenant's check to see what is so.")
        ) from None
    except signing.BadSignature:
        raise BadInput(stranger) from None
    ours = constant_time_compare(said["session"], _mark_of(session)) and said["person"] == str(by.pk)
    if not ours or said["reseller"] != str(by.reseller_id):
        raise BadInput(stranger)
    tenant: Tenant | None = Tenant.objects.visible_to(by).filter(pk=said["tenant"]).first()
    if tenant is None:
        raise NotPermitted(_("You do not see this tenant any more; nothing was noted."))
    return tenant


def _why_not(error: str, tenant: str) -> str:
    if error == "permission_denied":
        return _(
            "The administrator of %(tenant)s did not consent, or may not. Nothing was granted. Ask a Global "
            "Administrator or Privileged Role Administrator of that tenant to open the link."
        ) % {"tenant": tenant}
    return _("Microsoft says that consent for %(tenant)s failed (%(error)s). Nothing was granted. Try again.") % {
        "tenant": tenant,
        "error": error if error.isidentifier() and len(error) <= 40 else _("no known reason"),
    }


def _same_directory(said: str, asked: UUID) -> bool:
    try:
        return UUID(said) == asked
    except ValueError:
        return False


def _mark_of(session: str) -> str:
    """A keyed hash: the address of the consent page is seen by others, the session's key must not be."""
    return salted_hmac(SALT, session, algorithm="sha256").hexdigest()
