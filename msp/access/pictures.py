"""The QR codes in a picture that somebody uploads: opened in memory, read, forgotten.

Pillow opens it and zxing-cpp reads it. What a picture may cost is decided from its head, before a pixel is unpacked:
a file of a few kilobytes can unpack to gigabytes.
"""

from __future__ import annotations

from io import BytesIO

import zxingcpp
from django.utils.translation import gettext as _
from PIL import Image

from msp.errors import BadInput

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 40_000_000
"""A screenshot of 8K has 33 million, the photograph of a phone 12 as a rule."""
WIDEST = 4096
"""Pixels of the longer side at which it is looked for codes; of a larger picture a smaller copy is taken."""
KINDS = ("PNG", "JPEG", "WEBP", "GIF")


class PictureRefused(BadInput):
    """Nothing was read of the picture, and nothing of it was kept."""


class TooLarge(PictureRefused):
    """More bytes or pixels than a picture of a code needs."""


class NotAPicture(PictureRefused):
    """None of the kinds of picture that are read, or a damaged one."""


class NoQr(PictureRefused):
    """A picture without a QR code that could be read."""


def texts_in(picture: bytes) -> list[str]:
    """The texts of all QR codes in it, each once. PNG, JPEG, WebP, or the first frame of a GIF; at most 5 MB.

    Raises TooLarge, NotAPicture or NoQr, with a sentence for the person who sent it.
    """
    if len(picture) > MAX_BYTES:
        raise TooLarge(
            _("This picture is larger than %(size)d MB. Nothing was read. Cut out the code and send that.")
            % {"size": MAX_BYTES // 1024**2}
        )
    gray = _gray(picture)
    pixels = memoryview(gray.tobytes()).cast("B", (gray.height, gray.width))
    found = zxingcpp.read_barcodes(
        pixels, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode]), text_mode=zxingcpp.TextMode.Plain
    )
    texts = list(dict.fromkeys(code.text for code in found if code.text))
    if not texts:
        raise NoQr(
            _(
                "No QR code could be read in this picture. Take it again, sharp and straight, with the whole code and "
                "its white border in it; or paste the key instead."
            )
        )
    return texts


def _gray(picture: bytes) -> Image.Image:
    """One byte per pixel; what is transparent becomes white."""
    try:
        with Image.open(BytesIO(picture), formats=KINDS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise TooLarge(
                    _("This picture has more than %(count)d million pixels. Nothing was read. Cut out the code.")
                    % {"count": MAX_PIXELS // 1_000_000}
                )
            # A JPEG is unpacked at half or a quarter of its size at once.
            image.draft("L", (WIDEST // 2, WIDEST // 2))
            return _fitting(_on_white(image))
    except Image.DecompressionBombError:
        raise TooLarge(_("This picture unpacks to too many pixels. Nothing was read. Cut out the code.")) from None
    # A damaged picture makes the decoders fail in many ways; which of them is no help to anybody.
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, RuntimeError, OverflowError):
        raise NotAPicture(
            _("This file is no picture that can be opened, or it is damaged. Send a PNG, JPEG, WebP or GIF file.")
        ) from None


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("L")
    coloured = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    white = Image.new("L", image.size, 255)
    white.paste(coloured.convert("L"), mask=coloured.getchannel("A"))
    return white


def _fitting(gray: Image.Image) -> Image.Image:
    times = -(-max(gray.size) // WIDEST)
    return gray.reduce(times) if times > 1 else gray
