"""What the running cycle comes to before there is an invoice: on paper, and by meter."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

import pypdf
import pytest

from invoicing.models import Invoice
from tests.api.client import Api, answer, refusal

PLAN = {
    "name": "basic",
    "period": "month",
    "base_price": 9900,
    "metered_components": [
        {"meter_name": "requests", "price_scheme": {"scheme_type": "FLAT", "prices": [{"price": 7}]}}
    ],
}


@pytest.fixture
def start(api: Api) -> datetime:
    """Ten requests in the first hour of a cycle, five in the second; it began three days ago."""
    for name in ("requests", "seats"):
        api.post("/meters", {"name": name, "meter_type": "COUNTER"})
    api.post("/price_plans", PLAN)
    api.post("/customers", {"name": "acme", "display_name": "Acme Inc."})
    begun = datetime.fromisoformat(answer(api.get("/test_clock"))["now"]) - timedelta(days=3)
    api.post("/customers/acme/subscriptions", {"price_plan_name": "basic", "effective_at": begun.isoformat()})
    for minutes, value in ((10, 10), (70, 5)):
        time = (begun + timedelta(minutes=minutes)).isoformat()
        sent = {"meter_name": "requests", "customer_name": "acme", "value": value, "time": time}
        answer(api.post("/measurements", sent))
    return begun


def words(response: Any) -> str:
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf"), response.content
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(response.content)).pages)


def test_the_running_cycles_invoice_as_a_draft(api: Api, start: datetime) -> None:
    now = words(api.get("/customers/acme/sample_invoice/anything"))
    assert "Acme Inc." in now
    assert "$100.05" in now, "99.00 and fifteen requests at 7 cents"
    earlier = (start + timedelta(hours=1)).isoformat()
    assert "$99.70" in words(api.get(f"/customers/acme/sample_invoice/{earlier}/anything"))
    assert not Invoice.objects.exists()


def test_no_cycle_no_sample(api: Api, start: datetime) -> None:
    before = (start - timedelta(days=1)).isoformat()
    refusal(api.get(f"/customers/acme/sample_invoice/{before}/x"), 404)
    assert list(refusal(api.get("/customers/acme/sample_invoice/yesterday/x"), 422)) == ["as_of_str"]
    api.post("/customers", {"name": "globex"})
    refusal(api.get("/customers/globex/sample_invoice/x"), 404)


def test_usage_across_meters(api: Api, start: datetime) -> None:
    path = "/customers/acme/usage_across_meters/anything"
    assert [(row["meter_name"], row["usage"]) for row in answer(api.get(path))] == [("requests", 15), ("seats", 0)]
    window = {"start_time": start.isoformat(), "end_time": (start + timedelta(hours=1)).isoformat()}
    assert answer(api.get(path, window | {"limit": 1}))[0]["usage"] == 10
    api.post("/customers", {"name": "globex"})
    assert list(refusal(api.get(path.replace("acme", "globex")), 422)) == ["start_time"]
    assert answer(api.get(path.replace("acme", "globex"), window))[0]["usage"] == 0
