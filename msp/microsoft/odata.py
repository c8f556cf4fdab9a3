"""Addresses with OData options, quoted as Graph reads them."""

from __future__ import annotations

from urllib.parse import quote


def asking(path: str, **options: str | int) -> str:
    """`path` with its options: `asking("/v1.0/users", select="id", top=999)`."""
    return f"{path}?" + "&".join(f"${name}={quote(str(value), safe=',')}" for name, value in options.items())


def literal(text: str) -> str:
    """A text inside a filter; an apostrophe in it is doubled, so that nobody's name ends the literal early."""
    return "'" + text.replace("'", "''") + "'"
