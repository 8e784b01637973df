"""The test run stands on the real servers, and each xdist worker on a database of its own."""

import os

import pytest
import redis
from django.db import connection


@pytest.mark.django_db
def test_database_is_postgresql_15_or_later() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        assert cursor.fetchone()[0] >= 150_000


@pytest.mark.django_db
def test_database_belongs_to_this_worker() -> None:
    assert connection.settings_dict["NAME"].startswith("test_")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    assert connection.settings_dict["NAME"].endswith(worker)


def test_broker_answers() -> None:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping()
