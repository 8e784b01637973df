"""Requests that schemathesis makes up from the served schema, and a vendor for them to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, transaction
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.schemas import APIOperation

from customers.models import Customer
from tests.api.client import Api, answer
from tests.api.many import fill
from tests.api.test_two_vendors import Ids, filled, ids_of
from tests.factories import InvoiceFactory, LineItemFactory

PROMISES = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]
# A body that the schema forbids is refused. Of a query, empty values count as left out and dates as times.
REFUSES = "negative_data_rejection"

# By the name of a field: what it may refer to, so that requests get further than "There is no meter ...".
REFERENCES = {
    "customer_name": "customer",
    "meter_name": "meter",
    "price_plan_name": "plan",
    "price_plan_uuid": "plan_uuid",
    "price_plan_tag": "tag",
    "metered_component_uuid": "component",
    "invoice_uuid": "invoice",
    "feature_name": "feature",
}


def inhabited(api: Api) -> Ids:
    """Some of everything; the invoice waits to be issued, and there is a subscription now."""
    fill(api.vendor, 2)
    ids = ids_of(api)
    answer(api.post("/customers", {"name": "subscribed", "price_plan_name": ids["plan"]}))
    customer = Customer.objects.of(api.vendor).get(name="subscribed")
    invoice = InvoiceFactory.create(customer=customer, number="", issued_at=None, paid_at=None)
    line = LineItemFactory.create(invoice=invoice)
    return {**ids, "customer": customer.name, "invoice": str(invoice.uuid), "line": str(line.uuid)}


@dataclass(frozen=True)
class Requests:
    """To one operation, on behalf of one vendor. ``many``: how many of each sort."""

    operation: APIOperation[Any, Any, Any, Any]
    ids: Ids
    many: int

    def try_all(self, send: Callable[[Case], None]) -> None:
        for case in self._at_the_limits():
            send(case)
        self._random(send)

    def _at_the_limits(self) -> Iterator[Case]:
        """Each field at the edge of what the schema allows, and just beyond; spread over all of them."""
        schema = self.operation.schema
        config = schema.config.generation_for(operation=self.operation)
        for mode in GenerationMode:
            found = list(schema.iter_coverage_cases(self.operation, generation_modes=[mode], generation_config=config))
            for case in found[:: max(1, len(found) // self.many)]:
                case.path_parameters = {**case.path_parameters, **self._address()}
                yield case

    def _random(self, send: Callable[[Case], None]) -> None:
        """Anything, to what is there and to what is not; half of them name what is there in the body too."""
        make, address = self.operation.as_strategy, self._address()
        cases = [make(path_parameters=address), make(), make(GenerationMode.NEGATIVE, path_parameters=address)]

        @settings(
            max_examples=self.many,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategies.one_of(cases), strategies.booleans())
        def run(case: Case, knows: bool) -> None:
            if knows:
                case.body = self._naming(case.body)
            send(case)

        run()

    def _address(self) -> dict[str, str]:
        path = self.operation.path
        named = zip(path.split("/"), filled(path, self.ids).split("/"), strict=True)
        return {part[1:-1]: value for part, value in named if part.startswith("{")}

    def _naming(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self._naming(item) for item in body]
        if isinstance(body, Mapping):
            return {name: self._reference(name, value) for name, value in body.items()}
        return body

    def _reference(self, name: str, value: Any) -> Any:
        known = REFERENCES.get(name) if isinstance(value, str) else None
        return self.ids[known] if known else self._naming(value)


@contextmanager
def one_connection() -> Iterator[None]:
    """As Django's own test client does: the end of a request does not end the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def keeps_its_promises(case: Case, headers: Mapping[str, str]) -> None:
    """Sends it, undoes what it did, and raises where the answer is not as documented."""
    checks = [*PROMISES, *([REFUSES] if case.method != "GET" else [])]
    before = transaction.savepoint()
    try:
        with one_connection():
            response = case.call(headers=dict(headers))
        if response.status_code < 300:
            connection.check_constraints()  # those that the database looks at when it commits
        case.validate_response(response, headers=dict(headers), checks=[CHECKS.get_one(name) for name in checks])
    finally:
        connection.needs_rollback = False
        transaction.savepoint_rollback(before)
