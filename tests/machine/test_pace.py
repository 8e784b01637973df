"""Two worker processes together stay below Stripe's limit and use it. The full measurement is in tests/bench."""

from __future__ import annotations

import os

import pytest
from django.db import connection

from tests.bench.pace import measure


@pytest.mark.xdist_group("up")
@pytest.mark.django_db(transaction=True)
def test_two_workers_are_never_refused(tmp_path):
    address = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    figures = measure(address, os.environ["REDIS_URL"], invoices=60, workers=2, limit=25, folder=tmp_path)
    print(f"\n{figures}")  # noqa: T201
    assert figures.refused == 0
    assert figures.requests == 60 * 3
