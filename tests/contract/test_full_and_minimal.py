"""Each operation that existing clients know is sent all it may be sent, and as little as it must be; what comes back
has every field they read, of their type. Both requests are made from ``octane-api.json``, so none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from customers.actors import STRIPE
from customers.models import Customer
from invoicing.models import Invoice
from payments.sandbox.models import ApiKey as StripeKey
from payments.stripe.connect import attach
from payments.stripe.methods import credential, refresh
from tests.api.client import Api, answer
from tests.api.test_two_vendors import Ids, filled
from tests.contract.full_and_minimal import CHANGES, NEEDED, fill_in, full, minimal, problems, query
from tests.contract.made_up import inhabited
from tests.contract.octane_surface import served_twice
from tests.contract.served_schema import Operation, operations
from tests.contract.test_schemathesis import talks_to_stripe
from tests.factories import CustomerFactory, MeterFactory, PricePlanFactory, VendorFactory
from tests.sandbox_server import StripeSandbox

# Of the connected account itself, as an installation that serves one company enters it.
OWN_KEY = "sk_test_the_vendors_own"

# Where another than the usual object has to be asked.
ELSEWHERE = {
    "delete_customer": {"customer": "lonely"},
    "create_subscription": {"customer": "lonely"},
    "link_customer_payment_gateway_credential": {"customer": "lonely"},
    "get_adhoc_charge": {"customer": "acme"},
    "delete_adhoc_charge": {"customer": "acme"},
    "delete_meter": {"meter": "unused"},
    "archive_meter": {"meter": "unused"},
    "delete_price_plan": {"plan": "unused"},
    "archive_price_plan": {"plan": "unused"},
    "create_refund": {"invoice": "{paid}"},
}


@pytest.fixture
def api(stripe_sandbox: StripeSandbox, settings: Any) -> Api:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_TEST_PUBLISHABLE_KEY = "pk_test_1"
    api = Api(VendorFactory.create())
    attach(api.vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    return api


@pytest.fixture
def ids(api: Api, stripe_sandbox: StripeSandbox) -> Ids:
    found, now = inhabited(api), timezone.now()
    CustomerFactory.create(vendor=api.vendor, name="lonely")
    MeterFactory.create(vendor=api.vendor, name="unused")
    PricePlanFactory.create(vendor=api.vendor, name="unused")
    _furnish(api, found, stripe_sandbox)
    StripeKey.objects.create(secret=OWN_KEY, account_id=stripe_sandbox.account)
    discounts = answer(api.get(f"/customers/{found['customer']}/active_subscription"))["discounts"]
    times = {"earlier": now - timedelta(hours=5), "now": now, "moment": now, "soon": now + timedelta(hours=5)}
    return {
        **found,
        **{name: moment.isoformat() for name, moment in times.items()},
        "paid": str(Invoice.objects.of(api.vendor).filter(status="INVOICE_PAID")[0].uuid),
        "counterpart": stripe_sandbox.client().v1.customers.create({"name": "Lonely"}).id,
        "stripe_account": stripe_sandbox.account,
        "stripe_key": OWN_KEY,
        "discount": discounts[0]["external_uuid"],
    }


def _furnish(api: Api, ids: Ids, stripe_sandbox: StripeSandbox) -> None:
    """With a card, settings of its own, a discount, and a plan that has an add-on."""
    path = f"/customers/{ids['customer']}"
    account = answer(api.post(f"{path}/payment_gateway_credentials/generation"))["account_id"]
    stripe_sandbox.client().v1.payment_methods.attach("pm_card_visa", {"customer": account})
    linked = credential(Customer.objects.of(api.vendor).get(name=ids["customer"]))
    assert linked is not None
    refresh(linked, actor=STRIPE, real_now=timezone.now())
    answer(api.post(f"{path}/billing_settings", {"days_until_due": 3}))
    answer(api.post(f"{path}/discounts", [{"discount_type": "PERCENT", "amount": 5, "scope": "INVOICE_TOTAL"}]))
    add_on = {"feature": {"name": "sso"}, "price": 500}
    answer(api.post(f"/price_plans/{ids['plan_uuid']}/add_add_ons", {"add_ons": [add_on]}))


def requests(theirs: dict[str, Any], ours: Operation, ids: Ids) -> Iterator[tuple[str, Any]]:
    """A word for it, and what is sent: the body, or the query of a GET."""
    name = operations()[ours]["operationId"]
    changes, needed = CHANGES.get(name, {}), NEEDED.get(name, {})
    if asked := theirs.get("request"):
        yield "minimal", minimal(asked, ids, changes, needed)
        yield "full", full(asked, ids, changes)
        return
    least = fill_in(needed, ids) or None
    yield "minimal", least
    if ours[0] == "get" and (more := query([*theirs.get("query", []), *needed], ids)) != (least or {}):
        yield "full", more


def test_each_operation_of_existing_clients_in_full_and_at_its_least(api: Api, ids: Ids) -> None:
    """What talks to Stripe comes last, for that stays done; everything else is undone."""
    wrong: list[str] = []
    for theirs, ours in sorted(served_twice(), key=lambda both: talks_to_stripe(both[1])):
        name = operations()[ours]["operationId"]
        mine = {**ids, **fill_in(ELSEWHERE.get(name, {}), ids)}
        path = filled(ours[1].removeprefix("/api/v1"), mine)
        for sort, sent in requests(theirs, ours, mine):
            response = _send(api, ours, path, sent)
            if response.status_code >= 300:
                wrong.append(f"{name} {sort}: {response.status_code} {response.content.decode()[:600]}")
            elif response["Content-Type"] == "application/json":
                found = problems(answer(response, response.status_code), theirs.get("response") or "void")
                wrong += [f"{name} {sort}: {problem}" for problem in found]
    assert not wrong, "\n".join(wrong)


def _send(api: Api, ours: Operation, path: str, sent: Any) -> Any:
    if talks_to_stripe(ours):
        return getattr(api, ours[0])(path, sent)
    with transaction.atomic():
        response = getattr(api, ours[0])(path, sent)
        transaction.set_rollback(True)
    return response


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "status is missing"),
        ({"status": 5}, "status is 5, not string"),
        ([], "no object"),
        (None, "is null"),
    ],
)
def test_an_answer_that_clients_would_trip_over_is_noticed(given: Any, problem: str) -> None:
    assert problem in " ".join(problems(given, "CustomerStatus"))
