"""``manage.py up`` itself, as a person starts it: real processes, real signals."""

import os
import signal
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from billing_portal.machine.installation import only_run
from billing_portal.machine.supervisor import Failed
from tests.machine.first_visit import weigh
from tests.machine.running import Up

# Both start everything; side by side they would only wait for each other.
pytestmark = pytest.mark.xdist_group("up")

PROGRAMS = {"postgres", "valkey", "web", "worker", "beat", "sandbox"}


def sessions_alive(pids: dict[str, int]) -> list[str]:
    """Each child leads a session; this finds it and whatever it started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += [name for name, pid in pids.items() if int(fields[3]) == pid and fields[0] != "Z"]
    return found


def test_the_life_of_an_installation(start: Callable[[], Up]) -> None:
    first = start()
    before = first.wait_until_ready()
    tells_where_it_is_and_how_to_sign_in(first)
    weigh(first.ready)
    restarts_what_dies(first)
    with psycopg.connect(before["database_url"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    orphans = first.ready["pids"]
    first.process.kill()
    first.process.wait()
    second = start()
    after = second.wait_until_ready()
    assert sessions_alive(orphans) == []
    finds_everything_again(before, after)

    ends_in_time_and_leaves_nothing_behind(second)


def tells_where_it_is_and_how_to_sign_in(up: Up) -> None:
    ready = up.ready
    assert stat.S_IMODE((up.data / "ready.json").stat().st_mode) == 0o600
    assert ready["url"] == f"http://127.0.0.1:{up.port}"
    assert ready["stripe"]["webhook_url"].startswith(ready["url"])
    assert set(ready["pids"]) == PROGRAMS
    assert up.answers()
    assert reaches_the_account(ready["stripe"])


def reaches_the_account(stripe: dict[str, str]) -> bool:
    headers = {"Authorization": f"Bearer {stripe['secret_key']}", "Stripe-Account": stripe["account"]}
    answer = requests.get(stripe["api_base"] + "/v1/customers", headers=headers, timeout=10)
    return answer.status_code == 200 and answer.json()["data"] == []


def restarts_what_dies(up: Up) -> None:
    killed = {name: up.ready["pids"][name] for name in ("worker", "postgres")}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    up.wait_for(lambda: all(up.ready["pids"].get(name) not in (None, pid) for name, pid in killed.items()), 60)
    up.wait_for(up.answers, 60)
    assert "worker was started again" in up.log.read_text()


def finds_everything_again(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert after["url"] != before["url"]
    same = ("operator", "password", "vendor", "api_key")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert after["stripe"]["account"] == before["stripe"]["account"]
    with psycopg.connect(after["database_url"]) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        endpoints = connection.execute(
            "SELECT data ->> 'url' FROM sandbox_storedobject WHERE object = 'webhook_endpoint'"
        ).fetchall()
    assert endpoints == [(after["stripe"]["webhook_url"],)]


def ends_in_time_and_leaves_nothing_behind(up: Up) -> None:
    pids = up.ready["pids"]
    stopped_at = time.monotonic()
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(20) == 0
    assert time.monotonic() - stopped_at < 10
    assert sessions_alive(pids) == []
    assert not (up.data / "ready.json").exists()


def test_refuses_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        up = Up(tmp_path / "data", holder.getsockname()[1])
        assert up.process.wait(60) == 1
    assert "--port" in up.log.read_text()


def test_refuses_a_folder_in_use(tmp_path: Path) -> None:
    in_use = only_run(tmp_path, patience=0.2)
    with only_run(tmp_path), pytest.raises(Failed, match="in use by another run"), in_use:
        pass
    with only_run(tmp_path, patience=0):  # the lock has fallen
        pass
