"""Every kind of fault: what it is called, how often it may strike, and how it is done.

A wound answers how many faults it has injected; none where there was nothing to hit. What was ordered of the sandbox
and has not struck by the end is taken off again (``not_struck``).
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from billing_portal.torture.receiver import FAILURES, Receiver
from billing_portal.torture.stage import Stage, signal_all
from payments.sandbox import faults as request_faults
from payments.sandbox import webhook_faults

# How long a worker stands still: longer than the lease on its claims, so that others have taken its work meanwhile.
FROZEN_SECONDS = 10.0
HELD_SECONDS = 2.0
# An order waits so long for a call that it can strike. Where orders waited for ever they would pile up while nobody
# calls Stripe, and of few calls that are left each would fail.
STRIPE_LAPSES = 2.0
ANY_CALL = "^/v1/"
LONGEST_WATCH = 3 * HELD_SECONDS
FULL_SECONDS = 4.0
# Longer than the lease, now and then.
LATE_SECONDS = (1.0, 8.0)

# The steps of claim-commit-call-record that call Stripe.
STEPS = {
    "customer": ("POST", r"/customers$"),
    "create": ("POST", r"/invoices$"),
    "lines": ("POST", r"/add_lines$"),
    "finalize": ("POST", r"/finalize$"),
    "pay": ("POST", r"/pay$"),
    "charge": ("POST", r"/payment_intents$"),
    "void": ("POST", r"/void$"),
    "refund": ("POST", r"/refunds$"),
    "read": ("GET", r"/invoices/"),
}
MOST_USED = ("create", "lines", "finalize", "charge")


@dataclass(frozen=True)
class Wound:
    """``every``: seconds between two of the kind, on average."""

    name: str
    every: float
    strike: Callable[[Stage, random.Random], int]


def all_wounds(receiver: Receiver) -> list[Wound]:
    """How often they strike leaves time to work: a fault holds back what it hits for up to two minutes, and where every
    other request failed, nothing would ever be far enough to be hit in a new place."""
    return [
        *(Wound(f"kill -9 {name}", every, _killer(name)) for name, every in KILLED.items()),
        Wound("kill -9 one worker process", 20, _kill_worker_process),
        Wound("kill -9 while a call to Stripe is on its way", 75, _kill_while_calling),
        Wound("worker frozen past its lease", 300, _freeze),
        Wound("database connection cut", 8, _cut),
        Wound("broker flushed", 120, _flush),
        Wound("disk full", 300, _fill),
        *(Wound(f"{ORDERED['faults']}{kind}", 21, _ordered("faults", kind)) for kind in request_faults.KINDS),
        *(Wound(f"{ORDERED['webhooks']}{kind}", 30, _ordered("webhooks", kind)) for kind in webhook_faults.KINDS),
        Wound(REFUSED, 120, _refuse(receiver)),
    ]


# Where the sandbox takes orders, and what their wounds are called.
REFUSED = "the vendor's endpoint refuses"
ORDERED = {"faults": "Stripe: ", "webhooks": "webhook: "}
# A process takes seconds to start again, on a small machine many. Killed faster than that, nothing would be at work.
KILLED = {"web": 120.0, "worker": 240.0, "beat": 90.0, "postgres": 240.0, "valkey": 240.0, "sandbox": 240.0}


def _killer(name: str) -> Callable[[Stage, random.Random], int]:
    return lambda stage, chance: int(stage.kill(name))


def _kill_worker_process(stage: Stage, chance: random.Random) -> int:
    """One of those it has forked: the rest goes on."""
    processes = stage.children("worker")
    return int(signal_all([chance.choice(processes)], signal.SIGKILL)) if processes else 0


def _kill_while_calling(stage: Stage, chance: random.Random) -> int:
    """The worker dies while Stripe works on its request, or before Stripe has begun."""
    method, path = STEPS[chance.choice(MOST_USED + tuple(STEPS))]
    kind = chance.choice(["latency", "timeout_before"])
    order = {"kind": kind, "method": method, "path_regex": path, "times": 1, "seconds": HELD_SECONDS}
    stage.control("faults", {**order, "within": LONGEST_WATCH + 1})
    deadline = time.monotonic() + LONGEST_WATCH
    while time.monotonic() < deadline:
        if not _waits(stage, kind, path):
            return int(stage.kill("worker"))
        time.sleep(0.1)
    return 0


def _waits(stage: Stage, kind: str, path: str) -> bool:
    """Whether the order has not found its request yet."""
    found = stage.control("faults")
    return found is None or any((one["kind"], one["path_regex"]) == (kind, path) for one in found["faults"])


def _freeze(stage: Stage, chance: random.Random) -> int:
    pids = stage.children("worker")
    if not signal_all(pids, signal.SIGSTOP):
        return 0
    time.sleep(FROZEN_SECONDS)
    signal_all(pids, signal.SIGCONT)
    return len(pids)


def _cut(stage: Stage, chance: random.Random) -> int:
    """One connection of the installation, in the middle of whatever it does."""
    try:
        with psycopg.connect(stage.ready["database_url"], autocommit=True, connect_timeout=5) as connection:
            rows = connection.execute(_BUSY).fetchall()
            return int(bool(rows) and _terminated(connection, chance.choice(rows)[0]))
    except (psycopg.Error, OSError):
        return 0


# Those in a transaction or a statement first: that is where it hurts.
_BUSY = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY state = 'idle', random() LIMIT 3
"""


def _terminated(connection: psycopg.Connection[Any], pid: int) -> bool:
    row = connection.execute("SELECT pg_terminate_backend(%s)", [pid]).fetchone()
    return bool(row and row[0])


def _flush(stage: Stage, chance: random.Random) -> int:
    try:
        return int(bool(redis.Redis.from_url(stage.ready["broker_url"], socket_timeout=5).flushall()))
    except (redis.RedisError, OSError):
        return 0


def _fill(stage: Stage, chance: random.Random) -> int:
    """Not a byte is left for a while, for the database as for e-mails."""
    if stage.disk is None:
        return 0
    ballast = stage.disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            _write_all(file)
        time.sleep(FULL_SECONDS)
    finally:
        ballast.unlink(missing_ok=True)
    return 1


def _write_all(file: Any) -> None:
    block = bytes(1 << 20)
    try:
        while file.write(block):
            pass
    except OSError:
        return


def _ordered(path: str, kind: str) -> Callable[[Stage, random.Random], int]:
    """What the sandbox is told to do wrong with the next requests or events."""

    def order(stage: Stage, chance: random.Random) -> int:
        times = chance.randint(1, 4)
        seconds = chance.uniform(*LATE_SECONDS) if kind in ("latency", "delay", "reorder") else 0
        where = {"path_regex": ANY_CALL, "within": STRIPE_LAPSES} if path == "faults" else {}
        taken = stage.control(path, {"kind": kind, "times": times, "seconds": seconds, **where})
        return times if taken else 0

    return order


def _refuse(receiver: Receiver) -> Callable[[Stage, random.Random], int]:
    """Each holds back all that follows for a minute, so these are few."""

    def order(stage: Stage, chance: random.Random) -> int:
        receiver.refuse_next(chance.choice(FAILURES))
        return 1

    return order


def not_struck(stage: Stage, receiver: Receiver) -> Counter[str]:
    """By wound: how many of the ordered faults found nothing to strike. They are called off."""
    waiting = Counter({REFUSED: receiver.relent()})
    for path, prefix in ORDERED.items():
        for order in _left(stage, path):
            waiting[prefix + order["kind"]] += order["times"]
        stage.call_off(path)
    return waiting


def _left(stage: Stage, path: str) -> list[dict[str, Any]]:
    found = stage.control(path) or {}
    orders = [*found.get(path, ()), *found.get("lapsed", ())]
    return [one for one in orders if one.get("path_regex", ANY_CALL) == ANY_CALL]
