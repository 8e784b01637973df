"""Operators, their role in a vendor, and API keys."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.crypto import salted_hmac

from customers.actors import Access, Actor, ActorKind
from customers.crypto import EncryptedTextField
from customers.scoping import VendorOwned, VendorQuerySet
from customers.vendor import Vendor


class OperatorManager(BaseUserManager["Operator"]):
    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Operator:
        if not email:
            raise ValueError("An operator needs an e-mail address.")
        operator = self.model(email=self.normalize_email(email), **fields)
        operator.set_password(password)
        operator.save(using=self._db)
        return operator

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> Operator:
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> Operator:
        return self.get(email__iexact=username)


class Operator(AbstractUser):
    """A person who works in the portal, signed in by e-mail address."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    sessions_ended_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Whoever signed in before must sign in again."
    )

    objects: ClassVar[OperatorManager] = OperatorManager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="operator_email_unique_any_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def as_actor(self) -> Actor:
        return Actor(ActorKind.OPERATOR, self.email, str(self.pk))

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Every session carries it; those that carry another one are over."""
        ended = self.sessions_ended_at.isoformat() if self.sessions_ended_at else ""
        salt = "billing_portal.accounts.sessions"
        return salted_hmac(salt, f"{self.password}:{ended}", secret=secret, algorithm="sha256").hexdigest()


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    BILLING = "billing", "Billing"
    SUPPORT = "support", "Support"
    READ_ONLY = "read_only", "Read-only"


class Membership(VendorOwned):
    """An operator's role in a vendor. An operator may belong to several vendors."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="memberships")
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.READ_ONLY)
    joined_at = models.DateTimeField(db_default=Now(), editable=False)
    first_steps_done_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the checklist of the dashboard was sent away."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operator", "vendor"], name="one_role_per_vendor"),
        ]

    def __str__(self) -> str:
        return f"{self.operator} ({self.get_role_display()}, {self.vendor})"


class SecondFactor(models.Model):
    """An authenticator app's shared secret: its codes are asked for after the password. Its times are real time."""

    operator = models.OneToOneField(Operator, on_delete=models.CASCADE, related_name="second_factor")
    secret = EncryptedTextField(editable=False)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text="Empty: being set up, not asked for yet.")
    last_step = models.BigIntegerField(default=0, help_text="Of the last code that was taken: each is good once.")

    def __str__(self) -> str:
        return f"{self.operator} ({'on' if self.confirmed_at else 'being set up'})"


class RecoveryCode(models.Model):
    """In place of a code, once, for whoever has lost the app. Shown once when it is made; only its hash is kept."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes")
    hash = models.CharField(max_length=64, unique=True, editable=False)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Of {self.factor_id}, {'used' if self.used_at else 'good'}"


def new_nonce() -> str:
    return secrets.token_hex(8)


class InvitationQuerySet(VendorQuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        return self.filter(accepted_at__isnull=True, revoked_at__isnull=True)


class Invitation(VendorOwned):
    """Somebody was asked to become an operator, by an e-mailed link. All its times are real time.

    The link is signed and holds ``nonce``; sending it again changes the nonce, so that only the latest opens anything.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="+")
    email = models.EmailField("e-mail address", help_text="In lower case.")
    role = models.CharField(max_length=16, choices=Role.choices)
    nonce = models.CharField(max_length=32, default=new_nonce, editable=False)
    invited_by = models.CharField(max_length=256)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When the latest link left. Empty: not yet.")
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()  # type: ignore[misc]  # a narrower one than VendorOwned gives

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["vendor", "email"],
                condition=Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="one_open_invitation_per_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.get_role_display()}, {self.vendor})"


def hash_key(key: str) -> str:
    """API keys have 192 random bits, recovery codes 80: one round of SHA-256 is enough to keep them secret at rest."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def of(self, vendor: Vendor) -> ApiKeyQuerySet:
        return self.filter(vendor=vendor)

    def valid(self, real_now: datetime) -> ApiKeyQuerySet:
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=real_now))


class Scope(models.TextChoices):
    WRITE = "write", "Read and write"
    READ = "read", "Read only"
    MEASUREMENTS = "measurements", "Send measurements only"


# What an operation asks for (``customers.actors.Access``), by what a key was made for.
_OPENED: Mapping[Scope, frozenset[Access]] = {
    Scope.WRITE: frozenset(Access),
    Scope.READ: frozenset({Access.READ}),
    Scope.MEASUREMENTS: frozenset({Access.MEASURE}),
}


class ApiKey(models.Model):
    """Shown once when it is made; only its hash is kept."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=64)
    prefix = models.CharField(max_length=16, editable=False, help_text="The key's first characters.")
    hash = models.CharField(max_length=64, unique=True, editable=False)
    scope = models.CharField(max_length=16, choices=Scope.choices, default=Scope.WRITE)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    rolled_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When its successor was made.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(
        cls, vendor: Vendor, name: str, *, now: datetime, key: str | None = None, **fields: Any
    ) -> tuple[ApiKey, str]:
        """Make a key. Returns the row and the key itself, which can never be read again."""
        key = key or f"bp_{secrets.token_urlsafe(24)}"
        kept = {"prefix": key[:8], "hash": hash_key(key), "created_at": now}
        return cls.objects.create(vendor=vendor, name=name, **kept, **fields), key

    def may(self, access: Access) -> bool:
        return access in _OPENED[Scope(self.scope)]

    def revoke(self, *, real_now: datetime) -> None:
        """From now on it opens nothing. One that has expired already keeps its moment."""
        mine = type(self).objects.of(self.vendor).valid(real_now)
        mine.filter(pk=self.pk).update(expires_at=real_now)

    def as_actor(self) -> Actor:
        return Actor(ActorKind.API_KEY, f"API key {self.name}", str(self.uuid))
