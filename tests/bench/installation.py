"""Servers of their own for a measurement, and the web server as ``up`` runs it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from billing_portal.machine import processes
from billing_portal.machine.environment import Addresses
from billing_portal.machine.ports import free_port
from billing_portal.machine.spawn import signal_group, spawn

PATIENCE = 60


def servers(folder: Path, stack: ExitStack) -> tuple[str, str]:
    """A database and a broker of their own, and Django set up on them."""
    from billing_portal.embedded import PostgresServer, ValkeyServer

    started = (PostgresServer(folder / "postgres"), ValkeyServer(folder / "valkey"))
    urls = []
    for server in started:
        urls.append(server.start())
        stack.callback(server.stop)
    os.environ |= {"DATABASE_URL": urls[0], "REDIS_URL": urls[1], "SANDBOX": "true"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "billing_portal.settings.development"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return urls[0], urls[1]


@contextmanager
def web(
    database_url: str, broker_url: str, log: Path, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """The web server as ``up`` runs it, without a limit of requests: its address and its process. ``settings``: other
    values for its environment."""
    addresses = Addresses(free_port(), None, database_url, broker_url)
    env = {**os.environ, "API_REQUESTS_PER_MINUTE": "0", "PYTHONWARNINGS": "ignore", **(settings or {})}
    with log.open("wb") as out:
        process = spawn(processes.web(env, addresses), stdout=out)
    try:
        wait_for(lambda: _answers(f"{addresses.url}/healthz"))
        yield addresses.url, process.pid
    finally:
        signal_group(process, signal.SIGTERM)
        process.wait(20)


def peak_memory(pid: int) -> int:
    """The most that any child of this process has held, in megabytes."""
    return max((_peak(child) for child in _children(pid)), default=0)


def _children(pid: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError("It takes too long; the logs of the processes say why.")
        time.sleep(0.1)
