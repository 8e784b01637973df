"""What beat and the workers note while they run."""

from typing import Any

import pytest
from celery.signals import before_task_publish, heartbeat_sent
from django.core.cache import cache
from redis.exceptions import ConnectionError

from billing_portal import heartbeats
from billing_portal.celery import keep_signs_of_life


@pytest.fixture(autouse=True)
def forget() -> Any:
    cache.clear()
    heartbeats._noted.clear()
    yield
    before_task_publish.disconnect(heartbeats.beat_is_alive)
    heartbeat_sent.disconnect(heartbeats.worker_is_alive)
    heartbeats._noted.clear()
    cache.clear()


@pytest.mark.parametrize(("is_beat", "program"), [(True, heartbeats.BEAT), (False, heartbeats.WORKER)])
def test_a_program_notes_that_it_lives(is_beat: bool, program: str) -> None:
    from celery.signals import beat_init, worker_init

    keep_signs_of_life(signal=beat_init if is_beat else worker_init)
    before_task_publish.send(sender="a task")
    heartbeat_sent.send(sender=None)
    seen = heartbeats.last_seen()
    assert seen is not None
    assert [name for name, at in seen.items() if at] == [program]


def test_not_at_every_tick(monkeypatch: Any) -> None:
    noted: list[str] = []
    monkeypatch.setattr(heartbeats, "note", lambda program, now: noted.append(program))
    for _ in range(3):
        heartbeats.worker_is_alive()
    assert noted == [heartbeats.WORKER]


def test_a_program_works_on_where_redis_does_not_answer(monkeypatch: Any) -> None:
    def gone(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(cache, "set", gone)
    monkeypatch.setattr(cache, "get_many", gone)
    heartbeats.worker_is_alive()
    assert heartbeats.last_seen() is None
