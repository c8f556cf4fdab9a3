"""How far a customer's exit is, as its page shows it: a constant number of queries."""

from __future__ import annotations

from dataclasses import dataclass

from technicians.actions.finish_exit import why_not_yet
from technicians.models import Technician
from tenants.exit_queries import Part, accounts_without_new_password, part_of
from tenants.models import CustomerExit, Run
from tenants.plans import RunState, StepKind

MOST_NAMED = 10


@dataclass(frozen=True)
class ExitPage:
    """`missing` are some of the accounts that keep the package waiting; `not_yet` is what keeps the end waiting."""

    state: RunState
    passwords: Part
    methods: Part
    missing: list[str]
    not_yet: str
    may_make_package: bool
    may_confirm: bool
    may_end: bool

    @property
    def is_over(self) -> bool:
        return not (self.may_make_package or self.may_confirm or self.may_end)


def exit_page(going: CustomerExit, reader: Technician) -> ExitPage:
    passwords = part_of(going, StepKind.ROTATE_PASSWORD)
    open_still = going.ended_at is None and going.run.cancelled_at is None
    owner = reader.may("export_secrets") and reader.may("shred_secrets")
    not_yet = why_not_yet(going)
    return ExitPage(
        state=Run.objects.with_counts().get(pk=going.run_id).state,
        passwords=passwords,
        methods=part_of(going, StepKind.REMOVE_METHOD),
        missing=[str(account) for account in accounts_without_new_password(going)[:MOST_NAMED]],
        not_yet=not_yet,
        may_make_package=open_still and owner and passwords.settled,
        may_confirm=open_still and going.package_made_at is not None and going.received_at is None,
        may_end=open_still and owner and not not_yet,
    )
