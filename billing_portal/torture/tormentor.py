"""Faults by plan: the seed decides which, when and with what luck. When each process dies is the machine's affair."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from billing_portal.torture.receiver import Receiver
from billing_portal.torture.stage import Stage
from billing_portal.torture.wounds import Wound, all_wounds, not_struck

logger = logging.getLogger(__name__)

AT_ONCE = 6


@dataclass(frozen=True)
class Stroke:
    """``at``: seconds from the beginning."""

    at: float
    wound: Wound
    luck: int


def plan(seed: int, seconds: float, wounds: Sequence[Wound]) -> list[Stroke]:
    """Each kind comes at times of its own, as accidents do."""
    strokes = [stroke for wound in wounds for stroke in _of(wound, random.Random(f"{seed}/{wound.name}"), seconds)]
    return sorted(strokes, key=lambda stroke: stroke.at)


def _of(wound: Wound, chance: random.Random, seconds: float) -> Iterator[Stroke]:
    at = chance.expovariate(1 / wound.every)
    while at < seconds:
        yield Stroke(at, wound, chance.getrandbits(32))
        at += chance.expovariate(1 / wound.every)


class Tormentor:
    """Strikes in threads of its own until the plan is at its end or ``mercy`` is had."""

    def __init__(self, stage: Stage, receiver: Receiver, seed: int, seconds: float) -> None:
        self.stage, self.receiver = stage, receiver
        self.wounds = all_wounds(receiver)
        self.injected: Counter[str] = Counter()
        self.mercy = threading.Event()
        self._strokes = plan(seed, seconds, self.wounds)
        self._lock = threading.Lock()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with ThreadPoolExecutor(AT_ONCE + 1) as pool:
            pool.submit(self._follow_plan, pool)
            try:
                yield
            finally:
                self.mercy.set()

    def let_go(self) -> None:
        """What was ordered and has not struck is no fault."""
        self.injected -= not_struck(self.stage, self.receiver)

    def _follow_plan(self, pool: ThreadPoolExecutor) -> None:
        start = time.monotonic()
        for stroke in self._strokes:
            if self.mercy.wait(max(0.0, start + stroke.at - time.monotonic())):
                return
            pool.submit(self._strike, stroke)

    def _strike(self, stroke: Stroke) -> None:
        if self.mercy.is_set():
            return
        try:
            hits = stroke.wound.strike(self.stage, random.Random(stroke.luck))
        except Exception:
            logger.exception("%s did not come off", stroke.wound.name)
            return
        with self._lock:
            self.injected[stroke.wound.name] += hits
