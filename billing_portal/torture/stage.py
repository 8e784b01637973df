"""The installation that is tortured: ``manage.py up`` as a process of its own, on a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from billing_portal.machine.environment import PROJECT, Addresses, child_environment
from billing_portal.machine.ports import free_port
from billing_portal.machine.secrets import kept_secrets

START_SECONDS = 120
STOP_SECONDS = 30


class Stage:
    """``disk`` is a file system of its own below ``directory``, where there is one: it can be filled up."""

    def __init__(self, directory: Path, disk: Path | None, log: Path) -> None:
        self.directory, self.disk, self.log = directory, disk, log
        self.port = free_port()
        self._up: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self, extra: Mapping[str, str]) -> Iterator[Stage]:
        """``extra``: environment of all processes."""
        with self.log.open("wb") as log:
            self._up = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--data", str(self.directory), "--port", str(self.port)],
                cwd=PROJECT,
                env=_plain() | dict(extra),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready()
            yield self
        finally:
            self._up.terminate()
            self._up.wait(STOP_SECONDS)

    @property
    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "ready.json").read_text())
        return found

    def pid(self, name: str) -> int | None:
        """Of one of the children; None while it is down."""
        found: int | None = self.ready["pids"].get(name)
        return found if found and Path(f"/proc/{found}").exists() else None

    def children(self, name: str) -> list[int]:
        """The processes that it has forked."""
        pid = self.pid(name)
        try:
            return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def kill(self, name: str) -> bool:
        """Whether there was something to kill: it, and what it has forked, at once and without a word."""
        return signal_all([*filter(None, [self.pid(name)]), *self.children(name)], signal.SIGKILL)

    def control(self, path: str, order: Mapping[str, Any] | None = None) -> Any:
        """The sandbox's control API; None where it does not answer."""
        method = "POST" if order is not None else "GET"
        url = f"{self.ready['stripe']['api_base']}/_control/{path}"
        try:
            return requests.request(method, url, json=order, timeout=10).json()
        except (requests.RequestException, ValueError):
            return None

    def stripe(self, path: str, form: Mapping[str, str]) -> Any:
        """A request of the customer's or vendor's own to the sandbox, as Stripe's pages would make it."""
        known = self.ready["stripe"]
        headers = {"Authorization": f"Bearer {known['secret_key']}", "Stripe-Account": known["account"]}
        answer = requests.post(f"{known['api_base']}/v1/{path}", data=form, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def call_off(self, path: str) -> None:
        requests.delete(f"{self.ready['stripe']['api_base']}/_control/{path}", timeout=30).raise_for_status()

    def environment(self) -> dict[str, str]:
        """That of the installation's own processes, for a command on its database."""
        ready = self.ready
        sandbox = int(ready["stripe"]["api_base"].rsplit(":", 1)[1])
        addresses = Addresses(self.port, sandbox, ready["database_url"], ready["broker_url"])
        return child_environment(self.directory, addresses, kept_secrets(self.directory), _plain())

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (self.directory / "ready.json").exists():
            if time.monotonic() > deadline or (self._up and self._up.poll() is not None):
                raise RuntimeError(f"The installation does not start; {self.log} says why.")
            time.sleep(0.2)


def signal_all(pids: list[int], number: signal.Signals) -> bool:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return bool(pids)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """A file system in memory, where this account may mount one; None elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0711", "torture", str(folder)], capture_output=True
    )
    if made.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _plain() -> dict[str, str]:
    """A person's environment: without what this process has set for itself."""
    ours = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    return {name: value for name, value in os.environ.items() if name not in ours}
