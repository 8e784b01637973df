"""Files that people send. Django would write one of any size to the disk before a form could refuse it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

# The largest file that a form takes (billing_portal/lists/reading.py), and room for the fields beside it.
MOST_BYTES = 6 * 1024 * 1024


class BoundedUpload(FileUploadHandler):
    """The first of the handlers: what announces to be larger is refused before any of it is read."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        if content_length > MOST_BYTES:
            raise RequestDataTooBig(f"A form may send {MOST_BYTES // 1024 // 1024} MB at most.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
