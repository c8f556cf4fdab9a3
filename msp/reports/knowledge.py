"""Who knows which password: by customer, by person, by verdict. One row per person and account.

One function reads it for the page and for the sheet. It goes account by account, because a verdict needs everything
that happened to the account's password.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.errors import BadInput
from technicians.knowledge_plans import Verdict
from technicians.knowledge_queries import VERDICTS, KnowledgeRow, accounts_with_knowers, rows_of
from technicians.models import Technician
from tenants.models import SharedAccount

CHUNK = 500
LOST_ACCESS = "lost_access"
CHOICES: dict[str, Any] = {LOST_ACCESS: gettext_lazy("Known to somebody who lost access"), **VERDICTS}
"""What can be asked for, by the word in the address."""


@dataclass(frozen=True)
class Question:
    """Parts of a customer's name or domain and of a technician's name or address, one of CHOICES; "" asks for all."""

    customer: str = ""
    technician: str = ""
    verdict: str = ""

    @classmethod
    def read(cls, given: Any) -> Question:
        """From a query string. Raises BadInput for a verdict that does not exist."""
        verdict = given.get("verdict", "")
        if verdict and verdict not in CHOICES:
            raise BadInput(_("There is no such verdict; choose one of the list."))
        return cls(given.get("customer", "").strip()[:100], given.get("technician", "").strip()[:100], verdict)


def accounts_asked(user: Any, question: Question) -> Any:
    """The accounts that `user` sees and that may have a row: a queryset to page through."""
    accounts = SharedAccount.objects.visible_to(user).select_related("tenant__customer")
    if question.customer:
        accounts = accounts.filter(
            Q(tenant__customer__name__icontains=question.customer)
            | Q(tenant__default_domain__icontains=question.customer)
        )
    found = accounts_with_knowers(accounts, _people(user, question) if question.technician else None)
    if question.verdict in (LOST_ACCESS, Verdict.VALID, Verdict.GONE):
        found = found.filter(was_seen=True)
    return found.order_by("tenant__customer__name", "tenant__default_domain", "user_principal_name", "pk")


def every_row(user: Any, question: Question) -> Iterator[KnowledgeRow]:
    """All of it, in chunks: memory stays flat however many accounts there are."""
    accounts = iter(accounts_asked(user, question).iterator(chunk_size=CHUNK))
    while chunk := list(islice(accounts, CHUNK)):
        yield from rows_asked(chunk, user, question)


def rows_asked(accounts: Iterable[SharedAccount], user: Any, question: Question) -> list[KnowledgeRow]:
    """The rows of these accounts that the question asks for: six queries, however many accounts."""
    rows = [row for row in rows_of(accounts) if _fits(row, question.verdict)]
    if not question.technician:
        return rows
    people = set(_people(user, question).values_list("pk", flat=True))
    return [row for row in rows if row.technician is not None and row.technician.pk in people]


def _fits(row: KnowledgeRow, verdict: str) -> bool:
    """Whoever saw an older password and could read the new one as well is in both lists."""
    if verdict == LOST_ACCESS:
        return row.knowledge.lost_access_at is not None
    if verdict == Verdict.COULD:
        return bool(row.could_have_seen)
    return not verdict or row.verdict == verdict


def _people(user: Any, question: Question) -> Any:
    asked = Q(name__icontains=question.technician) | Q(email__icontains=question.technician)
    return Technician.objects.visible_to(user).filter(asked)


# --- as a sheet --------------------------------------------------------------------------------------------------


def header() -> list[str]:
    return [
        _("Customer"), _("Tenant"), _("Account"), _("Who"), _("E-mail"), _("Left at"), _("Verdict"),
        _("Knows it and lost access at"), _("Version"), _("State of the version"), _("Its value may sign in"), _("How"),
        _("First"), _("Last"), _("Times"), _("Reason"),
    ]  # fmt: skip


def as_cells(row: KnowledgeRow) -> Iterator[list[Any]]:
    """A line for each version that reached the person or could have, and one for somebody without any."""
    person = row.technician
    start = [
        row.account.tenant.customer.name, row.account.tenant.default_domain, row.account.user_principal_name,
        person.name if person else row.recipient, person.email if person else "", person.left_at if person else None,
        row.label, row.knowledge.lost_access_at,
    ]  # fmt: skip
    seen = [
        [s.number, s.state_label, s.may_sign_in, s.how, s.first_at, s.last_at, s.times, s.reason]
        for s in row.newest_first
    ]
    could = [[version.number, "", True, VERDICTS[Verdict.COULD], None, None, 0, ""] for version in row.could_have_seen]
    for line in [*seen, *could] or [[None, "", None, "", None, None, 0, ""]]:
        yield [*start, *line]
