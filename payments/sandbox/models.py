"""What the sandbox remembers. Stripe's objects share one table: each is the JSON the API shows,
beside the few columns that requests look things up by."""

from datetime import timedelta

from django.db import models
from django.db.models import Q

from payments.sandbox.scope import JSON


class Account(models.Model):
    """A Stripe account. A platform has API keys and connects other accounts."""

    id = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=200)
    email = models.CharField(max_length=512, blank=True, default="")
    country = models.CharField(max_length=2, default="US")
    currency = models.CharField(max_length=3, default="usd")
    client_id = models.CharField(max_length=64, blank=True, default="", db_index=True)
    live_client_id = models.CharField(max_length=64, blank=True, default="", db_index=True)
    created = models.BigIntegerField()

    def __str__(self) -> str:
        return self.id


class ApiKey(models.Model):
    secret = models.CharField(max_length=128, primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    livemode = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.secret[:8]}..."


class Connection(models.Model):
    """A platform's permission to act for another account, in one mode."""

    platform = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="connections")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="platforms")
    livemode = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["platform", "account", "livemode"], name="sandbox_one_connection")
        ]

    def __str__(self) -> str:
        return f"{self.platform_id} -> {self.account_id}"


class OAuthCode(models.Model):
    code = models.CharField(max_length=64, primary_key=True)
    connection_platform = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    livemode = models.BooleanField(default=False)
    scope = models.CharField(max_length=20)
    issued_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.code


class Clock(models.Model):
    """Where an account's time stands: at ``frozen_at``, else ``offset`` ahead of real time."""

    account = models.CharField(max_length=64)
    livemode = models.BooleanField(default=False)
    offset = models.DurationField(default=timedelta(0))
    frozen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "livemode"], name="sandbox_one_clock")]

    def __str__(self) -> str:
        return f"{self.account}: {self.frozen_at or self.offset}"


class StoredObject(models.Model):
    """One API object. ``data`` is what the API shows, ``hidden`` what only the sandbox knows.
    ``due_at`` is the moment, on the account's clock, at which something happens to it by itself."""

    account = models.CharField(max_length=64)
    livemode = models.BooleanField()
    object = models.CharField(max_length=40)
    stripe_id = models.CharField(max_length=255)
    created = models.BigIntegerField()
    data: "models.Field[JSON, JSON]" = models.JSONField()
    hidden: "models.Field[JSON, JSON]" = models.JSONField(default=dict)
    deleted = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True)
    # The test clock by which it lives; empty: the account's time.
    test_clock = models.CharField(max_length=64, default="")
    customer = models.CharField(max_length=64, default="")
    invoice = models.CharField(max_length=64, default="")
    payment_intent = models.CharField(max_length=64, default="")
    charge = models.CharField(max_length=64, default="")
    status = models.CharField(max_length=40, default="")
    type = models.CharField(max_length=80, default="")
    email = models.CharField(max_length=512, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "livemode", "stripe_id"], name="sandbox_one_object")]
        indexes = [
            models.Index(fields=["account", "livemode", "object", "id"], name="sandbox_list"),
            models.Index(fields=["customer", "object", "id"], condition=~Q(customer=""), name="sandbox_customer"),
            models.Index(fields=["invoice", "object", "id"], condition=~Q(invoice=""), name="sandbox_invoice"),
            models.Index(fields=["payment_intent"], condition=~Q(payment_intent=""), name="sandbox_intent"),
            models.Index(fields=["charge"], condition=~Q(charge=""), name="sandbox_charge"),
            models.Index(fields=["email"], condition=~Q(email=""), name="sandbox_email"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="sandbox_due"),
            models.Index(fields=["test_clock"], condition=~Q(test_clock=""), name="sandbox_test_clock"),
        ]

    def __str__(self) -> str:
        return self.stripe_id


class IdempotentAnswer(models.Model):
    """The answer given for an idempotency key. It commits together with the work it reports."""

    account = models.CharField(max_length=64)
    livemode = models.BooleanField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    request_id = models.CharField(max_length=40)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    stored_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "livemode", "key"], name="sandbox_one_answer")]

    def __str__(self) -> str:
        return self.key


class Delivery(models.Model):
    """One event on its way to one webhook endpoint. All times here are real time."""

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        DROPPED = "dropped"

    event = models.ForeignKey(StoredObject, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(StoredObject, on_delete=models.CASCADE, related_name="+")
    account = models.CharField(max_length=64)
    livemode = models.BooleanField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    # Where it stands in the queue; equal ones go in the order of what happened.
    position = models.FloatField(default=0)
    # Ordered to come late: nobody waits for it.
    is_late = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.TextField(blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="sandbox_to_deliver")]

    def __str__(self) -> str:
        return f"{self.event_id} -> {self.endpoint_id}: {self.state}"


class Fault(models.Model):
    """A misbehaviour ordered through the control API, for the next ``times`` matching requests; with ``within``, only
    for those that come before so many seconds have passed."""

    method = models.CharField(max_length=10, blank=True, default="")
    path_regex = models.CharField(max_length=300)
    account = models.CharField(max_length=64, blank=True, default="")
    kind = models.CharField(max_length=20)
    times = models.PositiveIntegerField()
    seconds = models.FloatField(default=0)
    within = models.FloatField(null=True)
    lapses_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} x{self.times} on {self.method} {self.path_regex}"


class WebhookFault(models.Model):
    """What happens to an account's webhooks, for the next ``times`` events or until it is called off."""

    account = models.CharField(max_length=64, blank=True, default="")
    kind = models.CharField(max_length=10)
    types: "models.Field[list[str], list[str]]" = models.JSONField(default=list)
    seconds = models.FloatField(default=0)
    times = models.PositiveIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(self.types) or 'everything'} of {self.account or 'every account'}"


class RateLimit(models.Model):
    """Requests a second that an account may make in a mode; a blank account stands for each without its own."""

    account = models.CharField(max_length=64, blank=True, default="")
    livemode = models.BooleanField(default=False)
    per_second = models.FloatField()
    # Of each endpoint by itself, whatever ids are in the address.
    endpoint_per_second = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "livemode"], name="sandbox_one_rate_limit")]

    def __str__(self) -> str:
        return f"{self.account or 'every account'}: {self.per_second:g} a second"


class Installation(models.Model):
    """The one platform and its one connected test account that ``seed`` makes."""

    platform = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    endpoint = models.ForeignKey(StoredObject, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return self.platform_id
