"""Write down who is to be told of an event outside Latchkey. The sending follows by beat (`send_deliveries`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Delivery, Reseller, Run

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def tell(
    reseller: Reseller,
    about: str,
    *,
    key: str,
    facts: dict[str, Any],
    run: Run | None = None,
    people: Iterable[Technician] = (),
) -> None:
    """One mail for each active person in `people`, and a webhook when the departure policy names one.

    `about` is the event (`run.finished`, `run.alarm`, `request.waiting`, ...) and `key` this one occurrence of it:
    told twice, it is delivered once to each address. `facts` are values for JSON without fractions, never a secret:
    "title" (one line) and "text" (what happened, what stands, what to do) become the mail, "path" (of a page here,
    "/...") its link; a webhook gets all of them. Without a mail server no mail is written down: people are told in
    Latchkey only.
    Call it in the transaction of what it is about.
    """
    now = timezone.now()
    addressed: list[tuple[str, str, Any]] = []
    if settings.MAIL_FROM:
        addressed += [(Delivery.Way.MAIL, person.email, person) for person in people if person.is_active]
    if webhook := departure_policy_of(reseller.pk).webhook_url:
        addressed.append((Delivery.Way.WEBHOOK, webhook, None))
    rows = [
        Delivery(
            reseller=reseller, run=run, way=way, about=about, key=key, to=to, address=address, facts=facts,
            made_at=now, due_at=now,
        )
        for way, address, to in addressed
    ]  # fmt: skip
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
