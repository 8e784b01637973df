"""Files that only their owner may read, written completely or not at all."""

import os
import secrets
from pathlib import Path


def private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, content: str) -> None:
    """Mode 0600; a reader sees the old content or the new, never a part."""
    private_folder(path.parent)
    work = path.with_name(f".{path.name}.part")
    work.unlink(missing_ok=True)
    work.touch(mode=0o600)
    with work.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(work, path)


def kept_secret(path: Path) -> str:
    """A random secret: made the first time, the same ever after."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text()
