"""The first data of an installation on one machine: a vendor in test mode, its owner, an API key and its
connection to the Stripe sandbox. Run at every start; what is there already is left as it is."""

from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.db import transaction

from billing_portal.accounts.models import ApiKey, Membership, Operator, Role, hash_key
from billing_portal.demo.company import VENDOR as DEMO_VENDOR
from billing_portal.demo.run import is_in_use
from customers.vendor import Vendor
from payments.models import StripeConnection
from payments.stripe.handlers import SUBSCRIBED

OPERATOR = "owner@example.com"
VENDOR = "my-company"


@dataclass(frozen=True)
class Request:
    operator_password: str
    api_key: str
    webhook_url: str
    demo: bool = False


@dataclass(frozen=True)
class Result:
    """``password_holds`` is false once a person has changed the password."""

    operator: str
    password_holds: bool
    vendor: str
    account: str


@transaction.atomic
def bootstrap(request: Request, *, real_now: datetime) -> Result:
    vendor = _vendor(real_now, demo=request.demo)
    operator = _operator(request.operator_password, vendor)
    if not ApiKey.objects.of(vendor).filter(hash=hash_key(request.api_key)).exists():
        ApiKey.issue(vendor, "First key", now=real_now, key=request.api_key)
    return Result(
        operator=operator.email,
        password_holds=operator.check_password(request.operator_password),
        vendor=vendor.name,
        account=_account(vendor, request.webhook_url, real_now),
    )


def _vendor(real_now: datetime, *, demo: bool) -> Vendor:
    """The one that was made at the first start, or else whichever an existing database has had longest."""
    vendor = Vendor.objects.order_by("id").first()
    if vendor is None:
        vendor = Vendor.objects.create(name=VENDOR, display_name="My Company", is_test=True, created_at=real_now)
    if demo and vendor.name == VENDOR and not is_in_use(vendor):
        for name, value in DEMO_VENDOR.items():
            setattr(vendor, name, value)
        vendor.save()
    return vendor


def _operator(password: str, vendor: Vendor) -> Operator:
    operator = Operator.objects.filter(email=OPERATOR).first()
    if operator is None:
        operator = Operator.objects.create_superuser(OPERATOR, password)
        Membership.objects.create(operator=operator, vendor=vendor, role=Role.OWNER)
    return operator


def _account(vendor: Vendor, webhook_url: str, real_now: datetime) -> str:
    """The vendor's test account at Stripe; in the sandbox one is made and connected."""
    connection = StripeConnection.objects.of(vendor).filter(livemode=False).first()
    if apps.is_installed("payments.sandbox"):
        connection = _connect(vendor, _sandbox_account(webhook_url), connection, real_now)
    return connection.account_id if connection else ""


def _sandbox_account(webhook_url: str) -> str:
    """The sandbox's one test account. Its webhooks go to where this start of the portal listens."""
    from payments.sandbox.seed import ensure_installation  # an app of its own, not installed everywhere

    return ensure_installation(webhook_url=webhook_url, events=SUBSCRIBED).account


def _connect(vendor: Vendor, account: str, known: StripeConnection | None, real_now: datetime) -> StripeConnection:
    if known is not None:
        return known
    return StripeConnection.objects.create(vendor=vendor, account_id=account, connected_at=real_now)
