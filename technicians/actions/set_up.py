"""The first act in an empty installation: a reseller and its owner. Later it only adds an owner."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from technicians.actions.create_technician import create_technician
from technicians.models import Role, Technician
from tenants.models import Reseller

SET_UP_LOCK = 7_126_001


def has_owner() -> bool:
    return Technician.objects.active().filter(role=Role.OWNER).exists()


@transaction.atomic
def set_up(*, email: str, name: str, reseller_name: str, only_first: bool = True) -> Technician:
    """The owner, without a password: a one-time link lets the person in. The reseller is made if there is none.

    Raises BadInput: an owner exists already (unless `only_first` is off), no name for a new reseller, the address.
    """
    with connection.cursor() as cursor:  # two set-ups at once: the second waits, then finds the first one's owner
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SET_UP_LOCK])
    if only_first and has_owner():
        raise BadInput(_("This installation has an owner already; nothing was changed. Sign in instead."))
    reseller = Reseller.objects.order_by("created_at").first()
    if reseller is None:
        if not reseller_name.strip():
            raise BadInput(_("Give the name of your company; nothing was saved."))
        reseller = Reseller.objects.create(name=reseller_name.strip())
    return create_technician(reseller=reseller, email=email, name=name, role=Role.OWNER, by=None)
