from __future__ import annotations

from django.db import models

from .base import Row


class Reseller(Row):
    """The MSP. Everything else belongs to exactly one."""

    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
