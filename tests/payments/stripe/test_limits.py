"""All processes together keep to one pace, and nobody waits for a Redis that is gone."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django import Settings

from payments.stripe.limits import SharedLimiter

# Takes turns for as long as it is told to and prints when each came.
CALLER = """
import os, sys, time, django
os.environ["DJANGO_SETTINGS_MODULE"] = "billing_portal.settings.test"
django.setup()
from django.conf import settings
from payments.stripe.limits import SharedLimiter
settings.STRIPE_TEST_CALLS_PER_SECOND = 50
settings.STRIPE_PLATFORM_CALLS_PER_SECOND = 0
settings.CELERY_BROKER_URL = sys.argv[1]
limiter = SharedLimiter()
limiter.wait("acct_warmup", False)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(30):
    limiter.wait(sys.argv[2], False)
    print(time.time(), flush=True)
"""


@pytest.fixture
def account() -> str:
    return f"acct_{uuid.uuid4().hex}"


@pytest.fixture
def paced(settings: Settings) -> Settings:
    settings.STRIPE_TEST_CALLS_PER_SECOND = 50
    settings.STRIPE_LIVE_CALLS_PER_SECOND = 50
    settings.STRIPE_PLATFORM_CALLS_PER_SECOND = 0
    return settings


def most_in_a_second(moments: list[float]) -> int:
    moments = sorted(moments)
    return max(sum(start <= at < start + 1 for at in moments) for start in moments)


def test_threads_share_one_pace(paced: Settings, account: str) -> None:
    limiter = SharedLimiter()

    def call(_: int) -> float:
        limiter.wait(account, False)
        return time.time()

    with ThreadPoolExecutor(8) as pool:
        moments = list(pool.map(call, range(100)))
    # 100 turns at 50 a second, the first five of them at once.
    assert max(moments) - min(moments) == pytest.approx(95 / 50, rel=0.25)
    assert most_in_a_second(moments) <= 50 + 5 + 2


def test_processes_share_one_pace(paced: Settings, account: str) -> None:
    command = [sys.executable, "-c", CALLER, paced.CELERY_BROKER_URL, account]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    callers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for caller in callers:
        assert caller.stdout
        assert caller.stdout.readline() == "ready\n"
    said = []
    for caller in callers:
        assert caller.stdin
        caller.stdin.write("go\n")
        caller.stdin.flush()
    for caller in callers:
        said += [float(line) for line in caller.communicate(timeout=30)[0].split()]
    assert len(said) == 90
    assert most_in_a_second(said) <= 50 + 5 + 3
    assert max(said) - min(said) == pytest.approx(85 / 50, rel=0.3)


def test_accounts_and_modes_do_not_hold_each_other_up(paced: Settings, account: str) -> None:
    paced.STRIPE_TEST_CALLS_PER_SECOND = paced.STRIPE_LIVE_CALLS_PER_SECOND = 1
    limiter = SharedLimiter()
    started = time.monotonic()
    limiter.wait(account, False)
    limiter.wait(account, True)
    limiter.wait(f"{account}2", False)
    assert time.monotonic() - started < 0.5


def test_the_platform_has_a_limit_of_its_own(paced: Settings, account: str) -> None:
    paced.STRIPE_PLATFORM_CALLS_PER_SECOND = 10
    limiter = SharedLimiter()
    limiter.wait(f"{account}-first", False)
    started = time.monotonic()
    for number in range(5):
        limiter.wait(f"{account}{number}", False)
    assert time.monotonic() - started >= 0.35


def test_without_redis_nobody_waits(paced: Settings, account: str, caplog: pytest.LogCaptureFixture) -> None:
    paced.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    limiter = SharedLimiter()
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, "payments.stripe.limits"):
        limiter.wait(account, False)
        limiter.wait(account, False)
    assert time.monotonic() - started < 2
    assert len([r for r in caplog.records if "Redis does not answer" in r.message]) == 1
