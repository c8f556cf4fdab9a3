"""The ledger as a page and as JSON lines. It lives here because it names tenants, which the cellar never does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs
from msp.errors import BadInput, LatchkeyError
from msp.ledger.models import Entry
from msp.reports.exporting import record_export
from msp.web.days import day_of, end_of, start_of
from technicians.models import Technician
from tenants.models import Reach, SharedAccount, Tenant

ENTRIES_PER_PAGE = 50
CHUNK = 1000
MATCHES = 200
"""So many tenants or technicians may fit a part of a name; more, and the filter is not one."""


@dataclass(frozen=True)
class Filters:
    """What was asked for; "" means any. Days are read in the reader's time zone, both included."""

    verb: str = ""
    actor: str = ""
    tenant: str = ""
    technician: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def read(cls, given: Any) -> Filters:
        return cls(**{field.name: given.get(field.name, "").strip()[:200] for field in fields(cls)})

    @property
    def name_days(self) -> bool:
        return bool(self.since or self.until)

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in asdict(self).items() if value})


@dataclass(frozen=True)
class Line:
    """One entry with the names that its ids stand for; "" for what the reader does not see."""

    entry: Entry
    tenant: str
    account: str
    technician: str

    @property
    def body(self) -> str:
        """The hashed bytes, laid out for reading."""
        return json.dumps(json.loads(bytes(self.entry.body)), indent=2, ensure_ascii=False)

    @property
    def leaf_hash(self) -> str:
        return bytes(self.entry.leaf_hash).hex()


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_ledger")
def entries(request: HttpRequest) -> HttpResponseBase:
    """GET is a page of the entries, newest first; POST exports all of them that the same filters name."""
    filters, trouble, page = Filters.read(request.GET), "", []
    try:
        asked = _filtered(seen_by(request.user), filters, request.user)
        if request.method == "POST":
            demand_code(request, request.POST.get("code", ""))
            record_export(request.user, "ledger", **asdict(filters))
            return _export(asked)
        page = list(_before(asked, request.GET.get("before", ""), request.user, filters)[: ENTRIES_PER_PAGE + 1])
    except LatchkeyError as wrong:
        trouble = str(wrong)
    older = page[ENTRIES_PER_PAGE - 1].pk if len(page) > ENTRIES_PER_PAGE else None
    context = {
        "filters": filters,
        "lines": lines_of(page[:ENTRIES_PER_PAGE], request.user),
        "older": older,
        "is_first": not request.GET.get("before"),
        "sees_everything": getattr(request.user, "reach", None) == Reach.EVERYTHING,
        "trouble": trouble,
    }
    return render(request, "ledger/list.html", context, status=422 if trouble else 200)


def seen_by(user: Any) -> Any:
    """Everything of the reseller, or the entries about the tenants in reach, for whoever does not see everything."""
    found = Entry.objects.of_reseller(user.reseller_id).order_by("-id")
    if user.reach == Reach.EVERYTHING:
        return found
    return found.filter(tenant_id__in=Tenant.objects.visible_to(user).values("pk"))


def _filtered(found: Any, filters: Filters, user: Any) -> Any:
    """Raises BadInput for what is not a day, and for a part of a name that fits too many."""
    if filters.verb:
        found = found.filter(verb=filters.verb)
    if filters.actor:
        found = found.filter(actor=filters.actor)
    if filters.tenant:
        tenants = Tenant.objects.visible_to(user).filter(default_domain__icontains=filters.tenant)
        found = found.filter(tenant_id__in=_few(tenants))
    if filters.technician:
        people = Technician.objects.visible_to(user).filter(email__icontains=filters.technician)
        found = found.filter(technician_id__in=_few(people))
    since, until = day_of(filters.since), day_of(filters.until)
    if since:
        found = found.filter(at__gte=start_of(since))
    if until:
        found = found.filter(at__lt=end_of(until))
    # By time where times are asked for: then the search begins at the day, and not at the newest entry.
    return found.order_by("-at", "-id") if filters.name_days else found


def _few(named: Any) -> list[UUID]:
    ids = list(named.values_list("pk", flat=True).order_by()[: MATCHES + 1])
    if len(ids) > MATCHES:
        raise BadInput(_("That part of a name fits more than %(count)d; write more of it.") % {"count": MATCHES})
    return ids


def _before(found: Any, place: str, user: Any, filters: Filters) -> Any:
    """Continue below an entry: the cost of a page does not depend on how far down it is."""
    if not place:
        return found
    last = Entry.objects.of_reseller(user.reseller_id).filter(pk=int(place)).first() if _is_id(place) else None
    if last is None:
        raise BadInput(_("This link is damaged; begin at the newest entry."))
    if filters.name_days:
        return found.filter(at__lte=last.at).exclude(at=last.at, pk__gte=last.pk)
    return found.filter(pk__lt=last.pk)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def lines_of(page: list[Entry], user: Any) -> list[Line]:
    """Three queries for the names, however many entries."""
    tenants = _names(Tenant, {e.tenant_id for e in page}, user)
    accounts = _names(SharedAccount, {e.account_id for e in page}, user)
    people = _names(Technician, {e.technician_id for e in page}, user)
    return [
        Line(e, tenants.get(e.tenant_id, ""), accounts.get(e.account_id, ""), people.get(e.technician_id, ""))
        for e in page
    ]


def _names(model: Any, ids: set[UUID | None], user: Any) -> dict[UUID | None, str]:
    return {row.pk: str(row) for row in model.objects.visible_to(user).filter(pk__in=ids - {None})}


def _export(asked: Any) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_json_lines(asked), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="latchkey-ledger-{timezone.localdate()}.jsonl"'
    return response


def _json_lines(asked: Any) -> Iterator[bytes]:
    """Oldest first; each body stands in its line byte for byte as it was hashed."""
    rows = asked.order_by("id").values_list("body", "leaf_hash").iterator(chunk_size=CHUNK)
    for body, leaf_hash in rows:
        yield b'{"leaf_hash":"%b","body":%b}\n' % (bytes(leaf_hash).hex().encode(), bytes(body))
