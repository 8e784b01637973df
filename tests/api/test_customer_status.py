"""/customers/<name>/status: the most severe of what applies."""

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.models import Customer
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Subscription
from payments.models import StripeConnection, StripeCustomer
from tests.api.client import Api, answer
from tests.factories import CustomerFactory, InvoiceFactory, MappingFactory, MeasurementFactory, SubscriptionFactory


@pytest.fixture
def customer(vendor) -> Customer:
    """In good standing."""
    customer = CustomerFactory(vendor=vendor, name="acme")
    SubscriptionFactory(customer=customer)
    MeasurementFactory(customer=customer)
    MappingFactory(customer=customer)
    now = timezone.now()
    connection = StripeConnection.objects.create(vendor=vendor, account_id="acct_1", connected_at=now)
    StripeCustomer.objects.create(
        vendor=vendor, customer=customer, connection=connection, external_id="cus_1", state="linked", linked_at=now
    )
    return customer


def status(api: Api) -> str:
    return answer(api.get("/customers/acme/status"))["status"]


def test_each_problem_outranks_the_next(api: Api, customer) -> None:
    assert status(api) == "HEALTHY"
    StripeCustomer.objects.update(state="failed")
    assert status(api) == "NO_PAYMENT_CREDENTIAL"
    customer.measurement_mappings.all().delete()
    assert status(api) == "NO_MEASUREMENT_MAPPINGS"
    customer.measurements.all().delete()
    assert status(api) == "NO_MEASUREMENTS"
    Subscription.objects.update(expired_at=timezone.now() + timedelta(days=3))
    assert status(api) == "SUBSCRIPTION_ENDING"
    Subscription.objects.update(expired_at=timezone.now())
    assert status(api) == "NO_SUBSCRIPTION"
    InvoiceFactory(customer=customer, status=InvoiceStatus.PAYMENT_FAILED)
    assert status(api) == "PAYMENT_FAILED"
    InvoiceFactory(customer=customer, status=InvoiceStatus.INVOICING_FAILED)
    assert status(api) == "INVOICING_FAILED"


def test_others_problems_do_not_count(api: Api, vendor, customer) -> None:
    InvoiceFactory(customer=CustomerFactory(vendor=vendor), status=InvoiceStatus.INVOICING_FAILED)
    assert status(api) == "HEALTHY"
