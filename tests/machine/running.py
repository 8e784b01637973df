"""Starting ``manage.py up`` as a person does: real processes, a folder and a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from billing_portal.machine.environment import PROJECT
from billing_portal.machine.ports import free_port
from tests.contract.traffic import Traffic

START_SECONDS = 120


class Up:
    """One run of ``up`` on a folder."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.port = data, port
        self.log = data.parent / f"up-{port}.log"
        self.record = data.parent / f"stripe-{port}.jsonl"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--data", str(data), "--port", str(port)],
                cwd=PROJECT,
                env={**environment(), "SANDBOX_RECORD": str(self.record)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "ready.json").read_text())
        return found

    def wait_until_ready(self) -> dict[str, Any]:
        self.wait_for(self._published, START_SECONDS)
        return self.ready

    def _published(self) -> bool:
        """A run that was killed leaves its file behind until the next removes it."""
        return (self.data / "ready.json").exists() and self.ready["url"].endswith(f":{self.port}")

    def wait_for(self, is_true: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_true():
            assert self.process.poll() is None, f"up ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"not within {seconds} s:\n{self.log.read_text()}"
            time.sleep(0.1)

    def traffic(self) -> Traffic:
        """What its sandbox was asked and what it answered. A process that was killed may have left half a line."""
        text = self.record.read_text() if self.record.exists() else ""
        return Traffic([json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")])

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.ready['url']}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False


def environment() -> dict[str, str]:
    """A person's: without what the test run has set for itself."""
    ours = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PYTHONWARNINGS")
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Up]]:
    """Starts ``up``; each time on the same folder and another port."""
    runs: list[Up] = []

    def start() -> Up:
        runs.append(Up(tmp_path / "data", free_port()))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(20)
    for run in runs:
        assert run.traffic().problems() == []
