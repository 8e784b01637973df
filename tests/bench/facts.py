"""The machine that figures were made on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from billing_portal.machine.binaries import postgres_folder, valkey_server
from billing_portal.machine.environment import PROJECT

PACKAGES = ("django", "djangorestframework", "psycopg", "celery", "gunicorn", "stripe", "typst")


def load() -> str:
    """Of the last minute, five and fifteen."""
    return ", ".join(f"{one:.2f}" for one in os.getloadavg())


def machine() -> dict[str, str]:
    return {
        "cores": f"{len(os.sched_getaffinity(0))} of {_said('/proc/cpuinfo', 'model name') or platform.machine()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": _output(str(postgres_folder(None) / "bin" / "postgres"), "--version"),
        "Valkey": _output(str(valkey_server()), "--version"),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commit": _output("git", "rev-parse", "--short", "HEAD") or "not in a git repository",
    }


def _said(file: str, name: str) -> str:
    lines = Path(file).read_text().splitlines() if Path(file).exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
