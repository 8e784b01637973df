"""The programs of an installation, and how each is started and ended."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from billing_portal.machine.environment import PROJECT, Addresses
from billing_portal.machine.ports import HOST
from billing_portal.machine.spawn import Command

WEB_THREADS = "8"
WORKER_PROCESSES = "4"


def manage(env: Mapping[str, str], *arguments: str) -> Command:
    return _python(env, str(PROJECT / "manage.py"), *arguments)


def web(env: Mapping[str, str], addresses: Addresses) -> Command:
    where = ("--bind", f"{HOST}:{addresses.port}", "--no-control-socket")
    # Loaded once and shared: a quicker start, and half the memory.
    how = ("--preload", "--worker-class", "gthread", "--workers", "2", "--threads", WEB_THREADS)
    time_limits = ("--timeout", "60", "--graceful-timeout", "2", "--keep-alive", "5")
    return _python(env, "-m", "gunicorn", "billing_portal.wsgi", *where, *how, *time_limits)


def worker(env: Mapping[str, str]) -> Command:
    how = ("--concurrency", WORKER_PROCESSES, "--without-gossip", "--without-mingle")
    # A task that is cut off is claimed again after its lease: no reason to wait for it.
    return _celery(env, signal.SIGQUIT, "worker", *how)


def beat(env: Mapping[str, str], directory: Path) -> Command:
    files = ("--schedule", str(directory / "celerybeat-schedule"))
    return _celery(env, signal.SIGTERM, "beat", *files)


def sandbox(env: Mapping[str, str], addresses: Addresses) -> Command:
    return manage(env, "sandbox", "--port", str(addresses.sandbox_port))


def _celery(env: Mapping[str, str], death_signal: signal.Signals, *arguments: str) -> Command:
    return _python(
        env,
        "-m",
        "celery",
        "--quiet",
        "--app",
        "billing_portal",
        *arguments,
        "--loglevel",
        "INFO",
        death_signal=death_signal,
    )


def _python(env: Mapping[str, str], *arguments: str, death_signal: signal.Signals = signal.SIGTERM) -> Command:
    return Command((sys.executable, *arguments), cwd=PROJECT, env=env, death_signal=death_signal)
