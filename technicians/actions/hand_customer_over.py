"""The customer gets what is theirs: user names and new passwords in one encrypted file, and then they have a way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.departure_rules import demand_sees_everything
from technicians.actions.export_passwords import Exported, export_passwords
from technicians.models import Technician
from tenants.actions.mend import retry_target
from tenants.exit_queries import accounts_without_new_password
from tenants.models import CustomerExit, SecretVersion, SharedAccount, Target
from tenants.plans import StepKind, StepState

if TYPE_CHECKING:
    from msp.outside import Outside

MOST_NAMED = 5


@transaction.atomic
def make_package(going: CustomerExit, *, by: Technician, recipient: str, passphrase: str, outside: Outside) -> Exported:
    """Only once each password is proven to be new, or a person accepted that it is not.

    From then on the authenticators of ours may go: the customer has a way in without them. It can be made again until
    the exit ends, such as when the first file was lost; the newest one counts.
    Raises NotPermitted, BadInput (too early, ended, no recipient, a passphrase that could be guessed), KeyTrouble,
    LedgerClosed; then nothing was handed out and nothing was changed.
    """
    going = _held(going, by)
    if not by.may("export_secrets"):
        raise NotPermitted(_("Only an owner may make the package; nothing was handed out."))
    if not recipient.strip() or len(recipient) > 200:
        raise BadInput(_("Say in at most 200 characters who gets the package; nothing was handed out."))
    _demand_new_passwords(going)
    accounts = list(SharedAccount.objects.filter(targets__run=going.run_id))
    whom = {"recipient": recipient.strip(), "customer": going.customer}
    exported = export_passwords(
        accounts,
        by=by,
        reason=_("Package for %(recipient)s at %(customer)s") % whom,
        passphrase=passphrase,
        outside=outside,
    )
    going.recipient, going.package_sha256 = recipient.strip(), exported.sha256
    going.package, going.package_made_at, going.package_made_by = _versions(accounts), timezone.now(), by
    # What was confirmed was the file before this one.
    going.received_at, going.received_said_by, going.received_note = None, None, ""
    going.save()
    facts = {"sha256": exported.sha256, "accounts": exported.accounts, "without": exported.without}
    _record("customer.package_made", going, by, recipient=going.recipient, **facts)
    _let_go(going, by)
    return exported


@transaction.atomic
def confirm_receipt(going: CustomerExit, *, by: Technician, note: str) -> None:
    """The customer says that the package came and opens: `note` is who said so, and how.

    Raises NotPermitted, BadInput (no package, said already, no note), LedgerClosed.
    """
    going = _held(going, by)
    if going.package_made_at is None:
        raise BadInput(_("No package was made yet, so there is nothing that could have come. Nothing was changed."))
    if going.received_at is not None:
        raise BadInput(_("It is written down already that the package came; nothing was changed."))
    if not note.strip():
        raise BadInput(_("Say who at the customer confirmed it, and how; nothing was changed."))
    going.received_at, going.received_said_by, going.received_note = timezone.now(), by, note.strip()
    going.save(update_fields=["received_at", "received_said_by", "received_note"])
    _record("customer.package_received", going, by, note=note.strip(), sha256=going.package_sha256)


def _held(going: CustomerExit, by: Technician) -> CustomerExit:
    """The row, for this transaction ours alone."""
    demand_sees_everything(by, reseller_id=going.reseller_id)
    held: CustomerExit = (
        CustomerExit.objects.select_for_update(of=("self",)).select_related("run", "customer").get(pk=going.pk)
    )
    if held.ended_at is not None:
        raise BadInput(
            _("The exit has ended and its keys are destroyed: no password of it opens any more. Nothing was changed.")
        )
    if held.run.cancelled_at is not None:
        raise BadInput(_("The run of this exit was cancelled; begin another exit. Nothing was changed."))
    return held


def _demand_new_passwords(going: CustomerExit) -> None:
    missing = accounts_without_new_password(going)
    count = missing.count()
    if count:
        names = ", ".join(str(account) for account in missing[:MOST_NAMED])
        raise BadInput(
            _(
                "%(count)d passwords are not proven to be new: %(names)s. Wait for the run, try again there, or accept "
                "the gap. Nothing was handed out."
            )
            % {"count": count, "names": names + (", …" if count > MOST_NAMED else "")}
        )


def _versions(accounts: list[SharedAccount]) -> dict[str, int]:
    """Which password of each account is in the package as the one in force."""
    in_force = SecretVersion.objects.in_force().filter(secret__account__in=accounts)
    return {str(account_id): number for account_id, number in in_force.values_list("secret__account_id", "number")}


def _let_go(going: CustomerExit, by: Technician) -> None:
    """What waited for the package is planned again; the guard asks once more right before the act."""
    waiting = Target.objects.filter(
        run=going.run_id,
        account__in=list(going.package),
        account__break_glass=False,
        steps__kind=StepKind.REMOVE_METHOD,
        steps__status=StepState.BLOCKED,
    )
    for target in waiting.select_related("run", "account__tenant").distinct():
        retry_target(target, by=by)


def _record(verb: str, going: CustomerExit, by: Technician, **facts: Any) -> None:
    record(
        verb,
        reseller_id=going.reseller_id,
        actor=by,
        run_id=going.run_id,
        customer=going.customer.name,
        tenants=sorted({str(pk) for pk in going.customer.tenants.values_list("pk", flat=True)}),
        **facts,
    )
