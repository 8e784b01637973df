"""A run: an installation comes up, is tortured while a company works with it, comes to rest, and is audited."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from billing_portal.machine.environment import PROJECT
from billing_portal.torture.company import Company
from billing_portal.torture.portal import Portal
from billing_portal.torture.receiver import Receiver
from billing_portal.torture.rest import come_to_rest
from billing_portal.torture.stage import Stage, small_disk
from billing_portal.torture.tormentor import Tormentor

DISK_MEGABYTES = 6_000
# A short lease: work of the dead is soon taken by others, and the slow are overtaken often. Short pauses: a month is
# over once its unluckiest invoice is, which Stripe may have failed five times in a row.
ENVIRONMENT = {
    "API_REQUESTS_PER_MINUTE": "0",
    "STRIPE_TEST_CALLS_PER_SECOND": "0",
    "CLAIM_LEASE_SECONDS": "6",
    "GATEWAY_LONGEST_PAUSE_SECONDS": "10",
}
LOOK = 1.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    seed: int
    minutes: float
    customers: int
    folder: Path | None = None


@dataclass
class Result:
    """``violations``: by check, what breaks it. ``restless``: what did not come to rest."""

    options: Options
    injected: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    violations: dict[str, list[str]] = field(default_factory=dict)
    left_to_people: dict[str, int] = field(default_factory=dict)
    restless: dict[str, int] = field(default_factory=dict)
    months: int = 0
    asked_again: int = 0
    changes: Counter[str] = field(default_factory=Counter)

    @property
    def holds(self) -> bool:
        return not self.restless and not any(self.violations.values())


def torture(options: Options, say: Say) -> Result:
    """Raises ``Unanswered`` or ``RuntimeError`` where the installation does not live through it."""
    result = Result(options)
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        disk = stack.enter_context(small_disk(folder / "disk", DISK_MEGABYTES))
        stage = Stage((disk or folder) / "data", disk, folder / "up.log")
        receiver = stack.enter_context(Receiver().listening())
        stack.enter_context(stage.running(ENVIRONMENT))
        company = _company(stage, options)
        company.open(receiver.address, lambda count: _every(100, count, lambda: say(f"{count} customers")))
        say(f"Faults for {options.minutes:g} minutes, seed {options.seed}.")
        result.injected = _torment(stage, company, receiver, options, say)
        say("No more faults; it comes to rest.")
        _finish(company)
        result.restless = come_to_rest(stage, lambda left: say(f"waits for {_listed(left)}"))
        result.months, result.changes = company.months, company.done
        result.asked_again = company.portal.failures
        audit_books(stage, company, receiver, result)
    return result


def _company(stage: Stage, options: Options) -> Company:
    ready = stage.ready
    chance = random.Random(f"{options.seed}/company")
    return Company(Portal(ready["url"], ready["api_key"]), stage, chance, options.customers)


def _torment(stage: Stage, company: Company, receiver: Receiver, options: Options, say: Say) -> Counter[str]:
    """Months go by until the time is over; the faults are counted."""
    seconds = options.minutes * 60
    tormentor = Tormentor(stage, receiver, options.seed, seconds)
    deadline = time.monotonic() + seconds
    with tormentor.at_work():
        while time.monotonic() < deadline:
            company.live_a_month()
            while not company.has_arrived() and time.monotonic() < deadline:
                time.sleep(LOOK)
            left = max(0.0, deadline - time.monotonic()) / 60
            say(f"month {company.months}: {tormentor.injected.total()} faults, {left:.0f} minutes left")
    tormentor.let_go()
    return tormentor.injected


def _finish(company: Company) -> None:
    while not company.has_arrived():
        time.sleep(LOOK)


def audit_books(stage: Stage, company: Company, receiver: Receiver, result: Result) -> None:
    expected = stage.directory.parent / "expected.json"
    expected.write_text(json.dumps({"sent": company.sent, "heard": sorted(receiver.heard)}))
    command = [sys.executable, "manage.py", "torture_audit", "--expected", str(expected)]
    done = subprocess.run(command, cwd=PROJECT, env=stage.environment(), capture_output=True, text=True, check=True)
    found: Mapping[str, Any] = json.loads(done.stdout)
    result.violations, result.counts = found["violations"], found["counts"]
    result.left_to_people = found["left_to_people"]


def _every(step: int, count: int, act: Callable[[], None]) -> None:
    if count % step == 0:
        act()


def _listed(left: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in left.items())
