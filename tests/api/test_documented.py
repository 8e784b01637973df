"""docs/api.md: every piece of code on it runs, in the order in which a reader meets it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import ApiKey
from billing_portal.api import not_built
from customers.models import Vendor
from invoicing.invoices.states import InvoiceStatus
from tests.api.client import Api, refusal
from tests.contract.operation_states import NOT_BUILT, in_state
from tests.factories import CustomerFactory, InvoiceFactory, VendorFactory

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()


def code(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def address(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, settings: Any) -> str:
    """As the page's first lines set it, of a vendor with three invoices."""
    settings.API_REQUESTS_PER_MINUTE = 1000
    vendor: Vendor = VendorFactory.create()
    InvoiceFactory.create_batch(3, customer=CustomerFactory.create(vendor=vendor, name="initech"))
    _, key = ApiKey.issue(vendor, "integration", now=timezone.now())
    monkeypatch.setenv("PORTAL", live_server.url)
    monkeypatch.setenv("API_KEY", key)
    url: str = live_server.url
    return url


@pytest.mark.skipif(not shutil.which("curl"), reason="There is no curl here; .ci/run installs it.")
def test_curl_finds_the_same_by_both_addresses(address: str) -> None:
    setting, asking = code("sh")
    assert set(re.findall(r"(\w+)=", setting)) == {"PORTAL", "API_KEY"}
    for line in asking.strip().splitlines():
        said = subprocess.run(["bash", "-c", line], env=os.environ, capture_output=True, text=True, check=True)  # noqa: S607
        assert '"name":"initech"' in said.stdout


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="The library's own copy of six cannot be imported.")
def test_the_python_runs_from_top_to_bottom(address: str) -> None:
    import octane

    before = octane.api_base, octane.api_key, octane.default_http_client
    octane.default_http_client = octane.http_client.RequestsClient()
    found: dict[str, Any] = {}
    try:
        exec("\n".join(code("python")), found)  # noqa: S102 - it is our own page
    finally:
        octane.default_http_client.close()
        octane.api_base, octane.api_key, octane.default_http_client = before
        found["api"].close()
    _check(found)


def _check(found: dict[str, Any]) -> None:
    assert found["customer"].display_name == "Acme Inc."
    assert found["invoice"]["status"] == "INVOICE_VOIDED"
    assert [row["name"] for row in found["customers"]] == ["acme", "initech"]
    assert len({row["id"] for row in found["invoices"]}) == len(found["invoices"]) == 3
    assert found["once"].json() == found["twice"].json()
    assert found["twice"].headers["Idempotent-Replayed"] == "true"
    assert (found["code"], list(found["wrong"])) == (422, ["name"])
    assert found["remaining"] > 0
    assert [row["rolled_at"] is None for row in found["keys"]] == [True, False]


@pytest.mark.django_db
def test_the_refusal_it_shows_is_the_one_that_comes() -> None:
    api = Api(VendorFactory.create())
    api.post("/customers", {"name": "acme"})
    response = api.post("/customers", {"name": "acme"})
    refusal(response, 422)
    [shown] = code("json")
    assert re.sub(r"\s+", "", response.content.decode()) == re.sub(r"\s+", "", shown)


def test_what_it_says_of_the_surface_is_so() -> None:
    assert set(re.findall(r"`([A-Z]+_[A-Z]+)`", PAGE)) >= {status.value for status in InvoiceStatus}
    assert {"/" + root for root in re.findall(r"`/(ecp/\w+)`", PAGE)}.isdisjoint(
        {row["path"] for row in in_state(NOT_BUILT)}
    )
    assert all(f"`{root}`" not in PAGE for root in not_built.ROUTES)
