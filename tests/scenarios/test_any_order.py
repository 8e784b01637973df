"""Whatever is set, whoever the customer is, whatever goes wrong and in which order the news arrives: one invoice,
one charge, one truth.

Settings, customers, amounts, faults and webhook orders are drawn; all runs to rest, starts again with every claim
expired, and runs to rest again. A case is one customer and the invoice that follows; ten share a vendor and its
Stripe account (``any_order/cases.py``), and no two vendors touch. Requests are handed over within the process
(``any_order/here.py``); over real HTTP it takes twice as long.

``PROPERTY_CASES=20000`` asks for more cases, ``PROPERTY_SEED`` for others (it is printed by a failure), and
``PROPERTY_ONLY=123`` for one alone.
"""

from __future__ import annotations

import os
import traceback

import pytest

from payments.sandbox import seed
from payments.stripe.handlers import SUBSCRIBED
from tests.contract.traffic import Traffic
from tests.scenarios.any_order.cases import TOGETHER, Draw, draw
from tests.scenarios.any_order.here import PORTAL, STRIPE, Time, everything_here
from tests.scenarios.any_order.life import live, platform
from tests.scenarios.any_order.oracle import problems

CASES = int(os.environ.get("PROPERTY_CASES", "500"))
SEED = int(os.environ.get("PROPERTY_SEED", "1"))
ONLY = os.environ.get("PROPERTY_ONLY", "")
DRAWS = -(-CASES // TOGETHER)
BATCH = 5
BATCHES = [[int(ONLY)]] if ONLY else [range(n, min(n + BATCH, DRAWS)) for n in range(0, DRAWS, BATCH)]


@pytest.mark.parametrize("indices", BATCHES, ids=lambda indices: f"{indices[0]}-{indices[-1]}")
@pytest.mark.django_db(transaction=True)
def test_one_invoice_one_charge_one_truth(indices, settings):
    made = seed.ensure_installation(webhook_url=f"{PORTAL}/webhooks/stripe/", events=SUBSCRIBED)
    settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = STRIPE
    settings.STRIPE_TEST_SECRET_KEY = made.secret_key
    settings.STRIPE_WEBHOOK_SECRETS = [made.webhook_secret]
    traffic, failed = Traffic(), []
    with everything_here(traffic) as time:
        for index in indices:
            failed += _failures(draw(SEED, index), time)
    assert not failed, "\n\n".join([f"{len(failed)} of {len(indices)} draws", *failed])
    assert traffic.problems() == []


def _failures(drawn: Draw, time: Time) -> list[str]:
    """What went wrong with one vendor's cases, and what is needed to run them alone."""
    try:
        found = problems(live(drawn, platform(), time))
    except Exception:
        found = [traceback.format_exc()]
    if not found:
        return []
    again = f"{drawn.label} uv run pytest -n 0 tests/scenarios/test_any_order.py"
    return ["\n".join([again, *(f"  - {problem}" for problem in found), f"  {drawn}"])]
