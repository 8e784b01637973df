"""The whole line on a running installation, by HTTP alone: the published client library, Stripe's SDK, requests.

Nothing here imports the portal. What only shows between processes (a worker that does not know the sandbox's clock,
a webhook that goes nowhere, a killed worker) shows here.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
import stripe as sdk

from tests.machine.running import Up

pytestmark = [pytest.mark.xdist_group("up")]

PATIENCE = 120


class Vendor:
    """The vendor's own systems: an API key, Stripe's SDK, and an endpoint that listens."""

    def __init__(self, up: Up) -> None:
        self.up = up
        ready = up.wait_until_ready()
        self.api = ready["url"] + "/api/v1"
        self.headers = {"Authorization": f"Bearer {ready['api_key']}"}
        self.account = ready["stripe"]["account"]
        base: Any = {"api": ready["stripe"]["api_base"]}
        self.stripe = sdk.StripeClient(ready["stripe"]["secret_key"], stripe_account=self.account, base_addresses=base)

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(method, self.api + path, headers=self.headers, json=body or None, timeout=30)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return answer.json()

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def move_to(self, moment: datetime) -> None:
        self.call("POST", "/test_clock", now=moment.isoformat())
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.get("/test_clock")["status"] != "ready":
            assert time.monotonic() < deadline, "the clock does not arrive"
            time.sleep(0.1)

    def customer(self, name: str, plan: str) -> str:
        """With an e-mail, a mapping, a Stripe customer with a Visa card, and a subscription. Its Stripe id."""
        self.call(
            "POST",
            "/customers/",
            name=name,
            contact_info={"email": f"{name}@customer.example"},
            measurement_mappings=[{"label": "account", "value_regex": name}],
            autogenerate_payment_gateway_customer=True,
        )
        external: str = self.get(f"/customers/{name}/payment_gateway_credentials")["account_id"]
        method = self.stripe.v1.payment_methods.attach("pm_card_visa", {"customer": external})
        default = {"invoice_settings": {"default_payment_method": method.id}}
        self.stripe.v1.customers.update(external, default)  # type: ignore[arg-type]
        self.call("POST", f"/customers/{name}/subscriptions", price_plan_name=plan)
        return external

    def cycle_end(self, name: str) -> datetime:
        cycle = self.get(f"/customers/{name}/active_subscription")["current_billing_cycle"]
        return datetime.fromisoformat(cycle["cycle_end"])

    def statuses(self) -> Counter[str]:
        answer = requests.get(f"{self.api}/invoices/", headers=self.headers, params={"limit": 500}, timeout=30)
        return Counter(invoice["status"] for invoice in answer.json()["invoices"])


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An endpoint's address, and what it was told."""
    events: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/events", events
    server.shutdown()
    server.server_close()


def test_from_usage_to_payment_and_a_killed_worker(
    start: Callable[[], Up], told: tuple[str, list[dict[str, Any]]]
) -> None:
    vendor = Vendor(start())
    address, events = told
    vendor.call("POST", "/webhooks/", url=address, enable_signature=True)
    vendor.call(
        "POST",
        "/billing_settings/",
        should_send_invoice_to_customers=True,
        invoice_via_octane=False,
        charges_enabled=True,
        invoice_grace_period_length=1,
        payment_grace_period_length=2,
    )
    a_month_is_paid(vendor, events)
    an_override_is_emailed(vendor)
    a_killed_worker_doubles_and_loses_nothing(vendor)


def a_month_is_paid(vendor: Vendor, events: list[dict[str, Any]]) -> None:
    vendor.call("POST", "/meters/", name="requests", display_name="Requests")
    scheme = {"scheme_type": "FLAT", "prices": [{"price": 7}]}
    component = {"meter_name": "requests", "display_name": "API calls", "price_scheme": scheme}
    vendor.call("POST", "/price_plans/", name="pro", base_price=9900, period="month", metered_components=[component])
    external = vendor.customer("acme", "pro")
    end = vendor.cycle_end("acme")
    for day, value in enumerate([41] * 29 + [45]):
        moment = (end - timedelta(days=27, hours=day)).isoformat()
        used = {"meter_name": "requests", "value": value, "time": moment, "labels": {"account": "acme"}}
        vendor.call("POST", "/measurements/", **used)

    vendor.move_to(end + timedelta(hours=23))
    assert vendor.get("/customers/acme/invoices") == []
    vendor.move_to(end + timedelta(days=2))
    [invoice] = vendor.get("/customers/acme/invoices")
    assert (invoice["status"], invoice["amount_due"]) == ("INVOICE_GENERATED", 18_538)
    assert vendor.stripe.v1.invoices.list().data == []
    vendor.move_to(end + timedelta(days=3, minutes=30))
    [invoice] = vendor.get("/customers/acme/invoices")
    assert invoice["status"] == "INVOICE_ISSUED"
    vendor.move_to(end + timedelta(days=3, minutes=90))
    [invoice] = vendor.get("/customers/acme/invoices")
    assert invoice["status"] == "INVOICE_PAID"

    [there] = vendor.stripe.v1.invoices.list().data
    assert (there.status, there.total, len(there.lines.data)) == ("paid", 18_538, 2)
    [charge] = vendor.stripe.v1.charges.list({"customer": external}).data
    assert charge.amount == 18_538
    assert Counter(e["event_type"] for e in events if e["event_type"].startswith("invoice.")) == {
        "invoice.generated": 1, "invoice.issued": 1, "invoice.paid": 1
    }  # fmt: skip


def an_override_is_emailed(vendor: Vendor) -> None:
    vendor.call("PUT", "/customers/acme/billing_settings", invoice_via_octane=True)
    vendor.move_to(vendor.cycle_end("acme") + timedelta(days=3, minutes=90))
    [message] = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in vendor.up.data.glob("mail/*")]
    assert message["To"] == "acme@customer.example"
    pdfs = [part for part in message.walk() if part.get_content_type() == "application/pdf"]
    assert len(pdfs) == 1
    assert len(vendor.stripe.v1.invoices.list().data) == 1


def a_killed_worker_doubles_and_loses_nothing(vendor: Vendor, count: int = 40) -> None:
    vendor.call("POST", "/price_plans/", name="flat", base_price=1000, period="month")
    names = [f"customer-{n}" for n in range(count)]
    with ThreadPoolExecutor(4) as pool:
        externals = set(pool.map(lambda name: vendor.customer(name, "flat"), names))
    end = max(vendor.cycle_end(name) for name in (names[0], names[-1]))
    vendor.move_to(end + timedelta(days=1, minutes=5))
    issued = vendor.statuses()["INVOICE_ISSUED"]
    vendor.call("POST", "/test_clock", now=(end + timedelta(days=3, hours=3)).isoformat())
    while vendor.statuses()["INVOICE_ISSUED"] < issued + 5:
        time.sleep(0.05)
    os.kill(vendor.up.ready["pids"]["worker"], signal.SIGKILL)
    vendor.wait_until_ready()

    invoices = [i for i in vendor.stripe.v1.invoices.list({"limit": 100}).auto_paging_iter() if i.customer in externals]
    charges = [c for c in vendor.stripe.v1.charges.list({"limit": 100}).auto_paging_iter() if c.customer in externals]
    assert Counter(i.customer for i in invoices) == dict.fromkeys(externals, 1)
    assert Counter(c.customer for c in charges) == dict.fromkeys(externals, 1)
    assert {i.status for i in invoices} == {"paid"}
