"""The sandbox's first data: a platform with a key, one connected test account, one Connect endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from payments.sandbox.ids import new_id, random_text
from payments.sandbox.models import Account, ApiKey, Connection, Installation, StoredObject

EVENTS = (
    "account.application.deauthorized",
    "account.updated",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.refunded",
    "checkout.session.completed",
    "checkout.session.expired",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "customer.deleted",
    "customer.updated",
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.overdue",
    "invoice.overpaid",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_attempt_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.sent",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.setup_failed",
    "setup_intent.succeeded",
)


@dataclass(frozen=True)
class SandboxCredentials:
    """``account`` is the connected test account; the other three belong to the platform."""

    secret_key: str
    account: str
    webhook_secret: str
    client_id: str


@transaction.atomic
def ensure_installation(*, webhook_url: str, events: Sequence[str] = EVENTS) -> SandboxCredentials:
    """The same platform and account at every call; the endpoint moves to the new address.

    Keys that the settings name are taken over, else they are made once and kept."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('sandbox-installation', 0))")
    installation = Installation.objects.select_related("platform", "key", "endpoint").first() or _install()
    key = _follow_key(installation)
    _follow_client_id(installation.platform)
    secret = _follow_endpoint(installation.endpoint, webhook_url, events)
    return SandboxCredentials(
        secret_key=key.secret,
        account=installation.account_id,
        webhook_secret=secret,
        client_id=installation.platform.client_id,
    )


def _install() -> Installation:
    platform = new_account("Sandbox platform", client_id=f"ca_{random_text(32)}")
    account = new_account("Sandbox test account")
    Connection.objects.create(platform=platform, account=account, livemode=False)
    key = ApiKey.objects.create(secret=_given_key() or f"sk_test_{random_text(32)}", account=platform)
    return Installation.objects.create(platform=platform, account=account, key=key, endpoint=_endpoint(platform))


def new_account(name: str, client_id: str = "") -> Account:
    return Account.objects.create(
        id=f"acct_{random_text(16)}",
        name=name,
        email="sandbox@example.com",
        client_id=client_id,
        created=int(timezone.now().timestamp()),
    )


def _endpoint(platform: Account) -> StoredObject:
    created = int(timezone.now().timestamp())
    id_ = new_id("webhook_endpoint")
    return StoredObject.objects.create(
        account=platform.id,
        livemode=False,
        object="webhook_endpoint",
        stripe_id=id_,
        created=created,
        status="enabled",
        hidden={"secret": f"whsec_{random_text(32)}", "connect": True},
        data={
            "id": id_,
            "object": "webhook_endpoint",
            "api_version": None,
            "application": None,
            "created": created,
            "description": "The portal of this installation",
            "enabled_events": [],
            "livemode": False,
            "metadata": {},
            "status": "enabled",
            "url": "",
        },
    )


def _follow_key(installation: Installation) -> ApiKey:
    given = _given_key()
    if given and installation.key.secret != given:
        installation.key = ApiKey.objects.get_or_create(secret=given, defaults={"account": installation.platform})[0]
        installation.save(update_fields=["key"])
    return installation.key


def _follow_client_id(platform: Account) -> None:
    given = str(settings.STRIPE_TEST_CLIENT_ID)
    if given and platform.client_id != given:
        platform.client_id = given
        platform.save(update_fields=["client_id"])


def _follow_endpoint(endpoint: StoredObject, url: str, events: Sequence[str]) -> str:
    secret: str = next(iter(settings.STRIPE_WEBHOOK_SECRETS), "") or endpoint.hidden["secret"]
    endpoint.data = {**endpoint.data, "url": url, "enabled_events": list(events), "status": "enabled"}
    endpoint.hidden = {**endpoint.hidden, "secret": secret}
    endpoint.status = "enabled"
    endpoint.save(update_fields=["data", "hidden", "status"])
    return secret


def _given_key() -> str:
    return str(settings.STRIPE_TEST_SECRET_KEY)
