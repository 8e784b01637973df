"""Whatever is sent: no 500, no status that is not documented, no field of another type.

Schemathesis makes up the requests from the schema as it is served, the same ones each time.
``SCHEMATHESIS_EXAMPLES=100`` makes up more of them.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.urls import resolve
from django.utils import timezone
from schemathesis.specs.openapi.schemas import OpenApiSchema

from payments.stripe.connect import attach
from tests.api.client import Api, answer
from tests.contract.made_up import Requests, inhabited, keeps_its_promises, one_connection
from tests.contract.served_schema import Operation, operations
from tests.factories import VendorFactory
from tests.sandbox_server import StripeSandbox

MANY = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))
# Operations a test: enough tests for several processes, few enough that filling the vendor is no great part of it.
TOGETHER = 10

NAMES = sorted(operation["operationId"] for operation in operations().values())
GROUPS = [NAMES[start : start + TOGETHER] for start in range(0, len(NAMES), TOGETHER)]


@cache
def served_by_the_application() -> OpenApiSchema:
    with one_connection():
        schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    schema.config.generation.update(deterministic=True)
    return schema


@pytest.mark.django_db
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: f"{names[0]} to {names[-1]}")
def test_whatever_is_sent_the_answer_is_as_documented(names: list[str]) -> None:
    api = Api(VendorFactory.create())
    ids, headers = inhabited(api), {"Authorization": f"Bearer {api.key}"}
    for name in names:
        operation = served_by_the_application().find_operation_by_id(name)
        Requests(operation, ids, MANY).try_all(lambda case: keeps_its_promises(case, headers))


def talks_to_stripe(operation: Operation) -> bool:
    method, path = operation
    view: Any = resolve(re.sub("{[^}]+}", "1", path)).func
    return method.upper() in view.view_class.calls_out


def test_with_stripe_behind_it_too(stripe_sandbox: StripeSandbox, settings: Any) -> None:
    """What is done stays done here, so that requests meet what earlier ones have left behind."""
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_TEST_PUBLISHABLE_KEY = "pk_test_1"
    api = Api(VendorFactory.create())
    attach(api.vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    ids, headers = inhabited(api), {"Authorization": f"Bearer {api.key}"}
    answer(api.post(f"/customers/{ids['customer']}/payment_gateway_credentials/generation"))
    names = sorted(found["operationId"] for operation, found in operations().items() if talks_to_stripe(operation))
    assert len(names) >= 8
    for name in names:
        operation = served_by_the_application().find_operation_by_id(name)
        Requests(operation, ids, MANY).try_all(lambda case: keeps_its_promises(case, headers))
