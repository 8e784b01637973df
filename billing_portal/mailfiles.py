"""Without a mail server each message becomes one file that a person, or a mail program, can open."""

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmailBackend(BaseEmailBackend):
    """Writes to ``EMAIL_FILE_PATH``; names sort by the time of writing."""

    def __init__(self, fail_silently: bool = False, file_path: str | None = None, **kwargs: Any) -> None:
        super().__init__(fail_silently=fail_silently, **kwargs)
        self.folder = Path(file_path or settings.EMAIL_FILE_PATH)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        written = [self._write(message) for message in email_messages if message.recipients()]
        return sum(written)

    def _write(self, message: EmailMessage) -> bool:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_whole(self.folder / _file_name(), message.message().as_bytes())
        except OSError:
            if not self.fail_silently:
                raise
            return False
        return True


def _file_name() -> str:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    return f"{moment}-{secrets.token_hex(4)}.eml"


def _write_whole(path: Path, content: bytes) -> None:
    """A reader of the folder sees the complete file or none."""
    work = path.with_name(f".{path.name}.part")
    work.touch(mode=0o600)
    work.write_bytes(content)
    os.replace(work, path)
