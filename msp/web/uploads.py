"""How an uploaded file is received."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from msp.importing.reader import MAX_BYTES


class InMemoryOnly(FileUploadHandler):
    """Django would write a large upload to a temporary file; ours may hold passwords.

    One byte more than an import takes is kept for the whole request, enough to say that it is too large.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.room = MAX_BYTES + 1
        self.received = BytesIO()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.received = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        taken = raw_data[: self.room]
        self.room -= self.received.write(taken)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        size = self.received.tell()
        self.received.seek(0)
        return InMemoryUploadedFile(
            self.received,
            self.field_name,
            self.file_name or "",
            self.content_type,
            size,
            self.charset,
            self.content_type_extra,
        )
