"""The embedded servers outlive crashes, and nothing of them outlives their owner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from billing_portal.embedded import PostgresServer, ValkeyServer

FAST = {"fsync": "off"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "server"


@pytest.fixture
def postgres(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder, FAST)
    yield server
    server.stop()


def test_postgres_starts_again_after_a_crash(postgres: PostgresServer, folder: Path) -> None:
    with psycopg.connect(postgres.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert postgres.process is not None
    os.kill(postgres.process.pid, signal.SIGKILL)
    postgres.process.wait()

    again = PostgresServer(folder, FAST)
    try:
        with psycopg.connect(again.start()) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    finally:
        again.stop()


def test_a_stale_pid_file_is_no_obstacle(postgres: PostgresServer, folder: Path) -> None:
    postgres.start()
    postgres.stop()
    # The number of a live process, as after a reboot.
    (folder / "cluster" / "data" / "postmaster.pid").write_text(f"{os.getppid()}\n{folder}\n1\n5432\n\n127.0.0.1\n")
    assert postgres.start()


def test_postgres_asks_for_the_password(postgres: PostgresServer) -> None:
    address = postgres.start().replace(":", ":wrong", 2).replace("postgres:wrong", "postgres:")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


def test_postgres_ends_with_a_killed_owner(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from billing_portal.embedded import PostgresServer;"
        "server = PostgresServer(Path(sys.argv[1]), {'fsync': 'off'});"
        "print(server.start(), flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        url = owner.stdout.readline().decode().strip()
        owner.kill()
        owner.wait()
    deadline = time.monotonic() + 10
    while _answers(url):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_valkey_keeps_nothing_and_starts_whatever_a_full_disk_has_left(folder: Path) -> None:
    spoilt = folder / "appendonlydir"
    spoilt.mkdir(parents=True)
    (spoilt / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (spoilt / "appendonly.aof.1.incr.aof").write_bytes(b"*2\r\n$3\r\nSE")
    for _ in range(2):
        server = ValkeyServer(folder)
        try:
            with redis.Redis.from_url(server.start()) as client:
                assert client.get("kept") is None
                client.set("kept", "42")
        finally:
            server.stop()
