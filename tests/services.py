"""A pytest plugin: one PostgreSQL and one Valkey for the whole run, started before Django reads its settings.

The process that a person started starts both in a temporary folder; xdist's workers inherit their addresses.
``DATABASE_URL`` and ``REDIS_URL`` in the environment switch to servers of one's own.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from billing_portal.embedded import PostgresServer, ValkeyServer

# A test run may forget everything: nothing waits for a disk.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
DATABASES = 64


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    _start_missing(early_config)
    _own_broker_database()
    return (yield)


def _start_missing(config: pytest.Config) -> None:
    wanted = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    if not wanted:
        return
    folder = Path(tempfile.mkdtemp(prefix="billing-portal-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    for name in wanted:
        server = _server(name, folder)
        with (folder / f"{name}.log").open("wb") as log:
            os.environ[name] = server.start(log)
        config.add_cleanup(server.stop)  # last in, first out: before the folder goes


def _server(name: str, folder: Path) -> PostgresServer | ValkeyServer:
    if name == "DATABASE_URL":
        return PostgresServer(folder / "postgres", FORGETFUL)
    return ValkeyServer(folder / "valkey", {"databases": str(DATABASES)})


def _own_broker_database() -> None:
    """Each xdist worker gets a numbered database of its own, as pytest-django gives it one in PostgreSQL."""
    worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    if worker:
        address = os.environ["REDIS_URL"].rpartition("/")[0]
        os.environ["REDIS_URL"] = f"{address}/{(int(worker[1]) + 1) % 16}"
