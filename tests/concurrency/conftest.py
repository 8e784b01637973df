from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from invoicing.gateways import get_gateway
from tests.concurrency.duel import Fighters


@pytest.fixture
def fighters(transactional_db: None, settings: Any) -> Iterator[Fighters]:
    """Two threads with connections of their own, and Stripe in memory."""
    settings.PAYMENT_GATEWAYS = {"stripe": "tests.concurrency.gateway.Stripe"}
    get_gateway.cache_clear()
    made = Fighters()
    with mock.patch("invoicing.invoices.papers.render_pdf", return_value=b"%PDF"):
        yield made
    made.close()
    get_gateway.cache_clear()
