"""Whose password is being guessed: what django-axes counts by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest


def name_of(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """The e-mail address in lower case, whether asked before or after the form was read.

    Without it django-axes finds no name in our form, and counts everybody behind one address as one person.
    """
    given = (credentials or {}).get("username") or request.POST.get("email", "")
    return str(given).strip().lower()
