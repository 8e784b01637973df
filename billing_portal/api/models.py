"""Requests that must not be carried out twice."""

from __future__ import annotations

from django.db import models

from customers.scoping import VendorOwned


class IdempotentRequest(VendorOwned):
    """A write that came with an ``Idempotency-Key``, and what it was answered.

    ``status`` is null while the answer is outstanding: the work calls out between its transactions and is under
    way, or its process died; ``steps`` are those it had taken by then, each with its result.
    """

    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="Of the method, the address and the body.")
    steps = models.JSONField(default=dict)
    status = models.PositiveSmallIntegerField(null=True)
    sealed_body = models.BinaryField(default=bytes, help_text="Encrypted: an answer may show a secret once.")
    created_at = models.DateTimeField(help_text="Real time.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vendor", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_request_age")]

    def __str__(self) -> str:
        return f"{self.key} ({'under way' if self.status is None else self.status})"
