"""Add a person who signs in to Latchkey."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.models import Role, Technician
from tenants.models import Customer, Reach, Reseller, TenantGroup


def create_technician(
    *,
    reseller: Reseller,
    email: str,
    name: str,
    role: str,
    by: Technician | None,
    groups: Iterable[TenantGroup] = (),
    customer: Customer | None = None,
) -> Technician:
    """Without a password: a one-time link lets the person in to set one. `by` None is the set-up itself.

    Raises BadInput (address, role, taken), NotPermitted (only an owner makes owners and managers).
    """
    try:
        validate_email(email)
    except ValidationError as wrong:
        raise BadInput(_("%(email)s is not an e-mail address.") % {"email": email}) from wrong
    if role not in Role.values:
        raise BadInput(
            _("%(role)s is no role; roles are: %(roles)s.") % {"role": role, "roles": ", ".join(Role.values)}
        )
    if by is not None:
        if not by.may("import"):
            raise NotPermitted(_("Your role may not add people; nothing was changed."))
        if by.reach != Reach.EVERYTHING and role != Role.TECHNICIAN:
            raise NotPermitted(
                _(
                    "You see only some tenants, so you may add technicians and nobody who sees more; nothing "
                    "was changed."
                )
            )
        if role in (Role.OWNER, Role.MANAGER) and not by.may("change_roles"):
            raise NotPermitted(_("Only an owner may add owners and managers; nothing was changed."))
    if role == Role.CUSTOMER_CONTACT and customer is None:
        raise BadInput(_("A customer contact belongs to a customer: say which one."))
    try:
        with transaction.atomic():
            person = Technician(reseller=reseller, email=email, name=name or email, role=role, customer=customer)
            person.set_unusable_password()
            person.save()
            person.groups.set(groups)
            record(
                "technician.added", reseller_id=reseller.pk, actor=by, technician_id=person.pk, email=email, role=role
            )
    except IntegrityError as clash:
        raise BadInput(_("%(email)s has a sign-in already.") % {"email": email}) from clash
    return person
