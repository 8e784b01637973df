"""A client that is generated from the served schema, by a generator that knows nothing of us, works."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import ApiKey
from customers.models import Customer, Vendor
from tests.contract.served_schema import Operation, operations, served
from tests.factories import CustomerFactory, InvoiceFactory, VendorFactory

PACKAGE = "portal_client"
# No formatter runs afterwards; and to the generator PDF and CSV are but bytes, once it is told so.
CONFIG = """
post_hooks: []
content_type_overrides:
  application/pdf: application/octet-stream
  text/csv: application/octet-stream
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the package. Any warning of the generator is a failure."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text(CONFIG)
    (folder / "openapi.json").write_text(json.dumps(served()))
    said = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none",
         "--path", "openapi.json", "--config", "config.yml", "--output-path", PACKAGE],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def call(operation: Operation) -> ModuleType:
    """The module of one operation; the generator sorts them by the first part of the address."""
    root = operation[1].removeprefix("/api/v1/").partition("/")[0]
    return import_module(f"{PACKAGE}.api.{root}.{operations()[operation]['operationId']}")


def called(name: str) -> ModuleType:
    return call(next(found for found, said in operations().items() if said["operationId"] == name))


@pytest.mark.usefixtures("generated")
def test_every_operation_is_there_and_reads_its_documented_answer() -> None:
    client = import_module(f"{PACKAGE}.client").AuthenticatedClient(base_url="http://nowhere", token="bp_x")
    for operation, documented in operations().items():
        module = call(operation)
        code, said = next((code, said) for code, said in documented["responses"].items() if code.startswith("2"))
        if example := said["content"].get("application/json", {}).get("example"):
            parsed = module._parse_response(client=client, response=httpx.Response(int(code), json=example))
            assert _in_utc(_plain(parsed)) == _in_utc(example), documented["operationId"]


def _plain(parsed: Any) -> Any:
    return [_plain(item) for item in parsed] if isinstance(parsed, list) else parsed.to_dict()


def _in_utc(answer: Any) -> str:
    """Of moments, which the client reads and writes again, one spelling."""
    return json.dumps(answer, sort_keys=True).replace(':00Z"', ':00+00:00"')


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    vendor: Vendor = VendorFactory.create()
    return vendor


@pytest.fixture
def client(generated: Path, live_server: LiveServer, vendor: Vendor) -> Iterator[Any]:
    _, key = ApiKey.issue(vendor, "generated", now=timezone.now())
    with import_module(f"{PACKAGE}.client").AuthenticatedClient(base_url=live_server.url, token=key) as client:
        yield client


def test_it_works_against_the_server(client: Any, vendor: Vendor) -> None:
    models = import_module(f"{PACKAGE}.models")
    body = models.CreateCustomerInput(name="acme", contact_info=models.ContactInput(city="Springfield"))
    create = called("create_customer")
    made = create.sync(client=client, body=body, idempotency_key="one")
    assert (type(made), made.name, made.contact_info.city) == (models.NewCustomer, "acme", "Springfield")
    again = create.sync_detailed(client=client, body=body, idempotency_key="one")
    assert (again.parsed, again.headers["Idempotent-Replayed"]) == (made, "true")
    InvoiceFactory.create_batch(3, customer=Customer.objects.of(vendor).get(name="acme"))
    assert len(list(_all_invoices(client))) == 3
    called("delete_customer").sync(client=client, name=CustomerFactory.create(vendor=vendor).name)
    assert [one.name for one in called("list_customers").sync(client=client)] == ["acme"]


def _all_invoices(client: Any) -> Iterator[Any]:
    """Page by page, the offsets passed back."""
    offsets: dict[str, Any] = {}
    while True:
        page = called("list_invoices").sync(client=client, customer_name="acme", limit=2, **offsets)
        yield from page.invoices
        if page.forward_sort_offset is None:
            return
        offsets = {
            "forward_sort_offset": page.forward_sort_offset,
            "forward_secondary_sort_offset": int(page.forward_secondary_sort_offset),
        }


def test_a_refusal_arrives_as_its_documented_error(client: Any) -> None:
    models = import_module(f"{PACKAGE}.models")
    missing = called("get_customer").sync(client=client, name="nobody")
    assert (type(missing), missing.code, missing.errors["kind"]) == (models.Error, 404, "not_found")
    wrong = called("create_meter").sync_detailed(client=client, body=models.MeterInput(name=""))
    assert (wrong.status_code, wrong.parsed.code, list(wrong.parsed.errors.to_dict())) == (422, 422, ["name"])
