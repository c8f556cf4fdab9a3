"""Who is told about a run: whoever asked for it, and whoever may decide about its steps."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from tenants.models import Run


def people_who_answer_for(run: Run) -> list[Any]:
    """The active people who may decide about the steps of this run and see some of it, by name."""
    people = get_user_model()._default_manager.filter(reseller_id=run.reseller_id, status="active").order_by("name")
    deciding = [person for person in people if person.may("waive")]
    return [person for person in deciding if Run.objects.visible_to(person).filter(pk=run.pk).exists()]


def people_to_tell_the_end(run: Run) -> list[Any]:
    """Whoever asked for the run; when nobody did, or that person is gone, those who answer for it."""
    asked = run.requested_by
    return [asked] if asked is not None and asked.is_active else people_who_answer_for(run)
