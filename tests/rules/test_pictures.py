"""The QR code in an uploaded picture: read in memory, whatever kind of picture it is, and within limits."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from msp.access.migration import MigrationAccount, codes_of, read_codes
from msp.access.otpauth import address_of, label_of
from msp.access.pictures import MAX_BYTES, NoQr, NotAPicture, PictureRefused, TooLarge, texts_in
from msp.web.qr import PIXELS, QUIET_ZONE, qr_svg

ADDRESS = address_of(key=bytes(range(20)), issuer="Contoso (T07)", account="admin@contoso.example")


def drawn(text: str = ADDRESS, scale: int = 4) -> Image.Image:
    """A code by another writer than ours."""
    pixels = zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode), scale=scale)
    view = memoryview(pixels)
    image = Image.frombytes("L", (view.shape[1], view.shape[0]), view.tobytes())
    framed = Image.new("L", (image.width + 60, image.height + 60), 255)
    framed.paste(image, (30, 30))
    return framed


def saved(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def on_transparency(image: Image.Image) -> Image.Image:
    """Black modules on nothing, as some pages draw them."""
    cut = Image.new("RGBA", image.size, (0, 0, 0, 0))
    cut.paste((0, 0, 0, 255), mask=image.point(lambda level: 255 - level))
    return cut


class APicture:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_of_a_code_is_read(self, kind, mode):
        assert texts_in(saved(drawn().convert(mode), kind)) == [ADDRESS]

    @pytest.mark.parametrize(
        "change",
        [
            lambda image: image.rotate(90, expand=True),
            lambda image: image.rotate(17, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC),
            lambda image: image.point(lambda level: 255 - level),
            lambda image: image.convert("1"),
            lambda image: image.convert("P"),
            on_transparency,
            lambda image: on_transparency(image).convert("LA"),
            lambda image: on_transparency(image).quantize(8),
            lambda image: image.convert("I;16"),
            lambda image: image.resize((image.width * 12, image.height * 12)),
        ],
        ids=["turned", "askew", "dark", "one bit", "palette", "transparent", "gray with alpha", "palette with alpha",
             "sixteen bits", "large"],
    )  # fmt: skip
    def test_may_be_turned_dark_transparent_or_large(self, change: Callable[[Image.Image], Image.Image]):
        assert texts_in(saved(change(drawn()))) == [ADDRESS]

    @pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
    def test_may_be_a_jpeg_of_a_printer_or_a_camera(self, mode):
        assert texts_in(saved(drawn().convert("RGB").convert(mode), "JPEG")) == [ADDRESS]

    def test_of_two_codes_gives_both_and_each_once(self):
        other = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"
        one, two = drawn(), drawn(other)
        both = Image.new("L", (one.width * 2 + two.width, max(one.height, two.height)), 255)
        for at, image in enumerate((one, two, one)):
            both.paste(image, ((0, one.width, one.width + two.width)[at], 0))
        assert sorted(texts_in(saved(both))) == sorted([ADDRESS, other])

    def test_that_moves_is_read_by_its_first_frame_alone(self):
        frames = [drawn("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP", 6), drawn(ADDRESS, 4)]
        assert texts_in(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])) == [
            "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"
        ]

    def test_of_a_bulk_code_is_read_whole(self):
        told = [
            MigrationAccount(bytes([n]) * 20, label_of("Tenant", f"T{n}"), f"admin@t{n}.example") for n in range(10)
        ]
        (text,) = codes_of(told, per_code=10, batch_id=-1)
        assert read_codes(texts_in(saved(drawn(text)))).accounts == tuple(told)


class WhenAPictureCannotBeUsed:
    def test_one_without_a_code_says_what_to_do(self):
        with pytest.raises(NoQr, match="paste the key instead"):
            texts_in(saved(Image.new("L", (200, 200), 255)))

    def test_a_code_of_another_kind_is_none(self):
        strip = zxingcpp.write_barcode_to_image(
            zxingcpp.create_barcode("LATCHKEY", zxingcpp.BarcodeFormat.Code128), scale=4
        )
        view = memoryview(strip)
        with pytest.raises(NoQr):
            texts_in(saved(Image.frombytes("L", (view.shape[1], view.shape[0]), view.tobytes())))

    @pytest.mark.parametrize(
        "data",
        [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"GIF89a"],
    )
    def test_another_file_is_told(self, data):
        with pytest.raises(NotAPicture, match="Send a PNG"):
            texts_in(data)

    @pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO"])
    def test_a_kind_that_nobody_sends_is_not_opened(self, kind):
        with pytest.raises(NotAPicture):
            texts_in(saved(drawn(), kind))

    def test_too_many_bytes_are_not_opened(self):
        with pytest.raises(TooLarge, match="5 MB"):
            texts_in(saved(drawn()) + bytes(MAX_BYTES))

    @pytest.mark.parametrize("side", [6_400, 20_000, 100_000])
    def test_a_small_file_that_unpacks_to_very_many_pixels_is_not_unpacked(self, side):
        with pytest.raises(TooLarge, match="pixels"):
            texts_in(png_of(side, side))

    def test_a_picture_that_was_cut_off_is_told(self):
        whole = saved(drawn())
        with pytest.raises(NotAPicture):
            texts_in(whole[: len(whole) // 2])

    @given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.integers(0, 2000), st.binary(min_size=1, max_size=30))
    def test_a_damaged_one_is_read_or_told_and_nothing_else_happens(self, kind, at, wrong):
        data = bytearray(saved(drawn(scale=2), kind))
        data[at % len(data) : at % len(data) + len(wrong)] = wrong
        try:
            assert texts_in(bytes(data))
        except PictureRefused as refused:
            assert str(refused).endswith(".")


def png_of(width: int, height: int) -> bytes:
    """The head of a very large picture, with little behind it (PNG specification, 5.3)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


def rendered(svg: str) -> Image.Image:
    """The rectangles of our SVG, painted by hand at five pixels a module."""
    size = int(re.search(r'viewBox="0 0 (\d+) ', svg)[1])
    image = Image.new("L", (size * PIXELS, size * PIXELS), 255)
    for x, y, wide in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", svg):
        left, top = int(x) * PIXELS, int(y) * PIXELS
        image.paste(0, (left, top, left + int(wide) * PIXELS, top + PIXELS))
    return image


class ADrawnCode:
    @pytest.mark.parametrize("text", ["x", ADDRESS, "otpauth://totp/" + "ü" * 100])
    @pytest.mark.parametrize("many", [False, True])
    def test_is_read_by_another_reader(self, text, many):
        assert texts_in(saved(rendered(qr_svg(text, alt="A code", many=many)))) == [text]

    def test_of_ten_accounts_is_five_pixels_a_module_and_version_25(self):
        told = [
            MigrationAccount(bytes([n]) * 20, label_of("Tenant", f"T0{n}"), f"msp-admin@tenant{n:02}.onmicrosoft.com")
            for n in range(10)
        ]
        (text,) = codes_of(told, per_code=10, batch_id=123456789)
        svg = qr_svg(text, alt="Ten accounts", many=True)
        modules = int(re.search(r'viewBox="0 0 (\d+) ', svg)[1])
        assert modules <= 4 * 25 + 17 + 2 * QUIET_ZONE
        assert f'width="{modules * 5}"' in svg
        assert texts_in(saved(rendered(svg))) == [text]

    def test_has_a_quiet_zone_of_four_modules_and_a_white_ground(self):
        image = rendered(qr_svg(ADDRESS, alt="A code"))
        inside = image.point(lambda level: 255 - level).getbbox()
        assert inside == (20, 20, image.width - 20, image.height - 20)
        assert '<path fill="#fff" d="M0 0h' in qr_svg(ADDRESS, alt="A code")

    def test_says_in_words_what_it_is_for_and_never_what_is_in_it(self):
        svg = qr_svg(ADDRESS, alt='Code for "Contoso" <T07>')
        assert 'role="img" aria-label="Code for &quot;Contoso&quot; &lt;T07&gt;"' in svg
        assert "otpauth" not in svg
        assert "style" not in svg
