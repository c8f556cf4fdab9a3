"""A QR code as a picture in a page: SVG, so that it is sharp at any size and needs no file."""

from __future__ import annotations

from itertools import groupby

import qrcode
from django.utils.html import format_html
from django.utils.safestring import SafeString
from qrcode.constants import ERROR_CORRECT_L, ERROR_CORRECT_M

QUIET_ZONE = 4
"""White modules on every side, which readers need (ISO/IEC 18004)."""
PIXELS = 5
"""Of a module on the page. A phone reads a code of ten accounts, 117 modules wide, from a screen at about this size."""


def qr_svg(text: str, *, alt: str, many: bool = False) -> SafeString:
    """The code of one text, for templates/components/qr.html: black on white whatever the theme.

    `alt` says in words what it is for. `many` is for the codes of several accounts: as small as can be, because these
    are read from a bright screen; all others survive a reflection on it (levels L and M of error correction).
    Raises qrcode.exceptions.DataOverflowError for a text that no code can hold.
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L if many else ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(text, optimize=0)
    rows = code.get_matrix()
    return format_html(
        '<svg class="qr-code" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{wide}" '
        'height="{wide}" role="img" aria-label="{alt}" shape-rendering="crispEdges">'
        '<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path fill="#000" d="{path}"/></svg>',
        size=len(rows),
        wide=len(rows) * PIXELS,
        alt=alt,
        path="".join(_runs(row, at) for at, row in enumerate(rows)),
    )


def _runs(row: list[bool], y: int) -> str:
    """Neighbouring black modules as one rectangle: no hair-line shows between them."""
    found, x = "", 0
    for black, modules in groupby(row):
        wide = len(list(modules))
        found += f"M{x} {y}h{wide}v1h-{wide}z" if black else ""
        x += wide
    return found
