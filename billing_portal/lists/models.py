"""What people keep of lists: views they saved, and files they brought in."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from billing_portal.accounts.models import Operator
from customers.actors import Actor, ActorKind
from customers.claims import Claimable
from customers.scoping import VendorOwned


class SavedView(VendorOwned):
    """Filters of a list under a name. ``query`` is what the list's address says after the question mark."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="saved_views")
    list_name = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    query = models.CharField(max_length=1000, blank=True)
    is_shared = models.BooleanField(default=False, help_text="Everybody in the vendor sees it.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["vendor", "operator", "list_name", "name"], name="view_named_once"),
        ]
        indexes = [models.Index(fields=["vendor", "list_name", "name"], name="view_of_list")]

    def __str__(self) -> str:
        return self.name


class Import(VendorOwned, Claimable):
    """A file that was brought in: checked first, then carried out if a person says so, and undone if they say that.
    Workers take it a piece at a time under a claim; ``rows`` remember what is done."""

    class Kind(models.TextChoices):
        CUSTOMERS = "customers", "Customers"
        PRICE_LIST = "price_list", "Price list"

    class State(models.TextChoices):
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked; nothing is changed yet"
        APPLYING = "applying", "Being imported"
        APPLIED = "applied", "Imported"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CHECKING)
    file_name = models.CharField(max_length=255)
    columns = models.JSONField(default=list, help_text="As the file names them.")
    target = models.JSONField(default=dict, help_text="Of a price list: its plan and component, and the versions made.")
    total = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True, help_text="Why it was not carried out, or not undone.")
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=256)
    created_at = models.DateTimeField(help_text="Real time.")
    finished_at = models.DateTimeField(null=True, blank=True, help_text="Real time.")

    class Meta:
        indexes = [
            models.Index(fields=["vendor", "-id"], name="import_newest"),
            models.Index(
                fields=["id"], condition=Q(state__in=["checking", "applying", "undoing"]), name="import_at_work"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind(self.actor_kind), self.actor_label, self.actor_id)

    @property
    def is_at_work(self) -> bool:
        return self.state in WORKING


WORKING = (Import.State.CHECKING, Import.State.APPLYING, Import.State.UNDOING)


class ImportRow(models.Model):
    """A line of the file, what is to become of it, and what became of it."""

    class Fate(models.TextChoices):
        UNKNOWN = "", "Not checked yet"
        CREATE = "create", "Create"
        UPDATE = "update", "Update"
        UNCHANGED = "unchanged", "Unchanged"
        ERROR = "error", "Error"

    class Outcome(models.TextChoices):
        OPEN = "", "Nothing yet"
        DONE = "done", "Done"
        FAILED = "failed", "Refused"
        UNDONE = "undone", "Undone"
        KEPT = "kept", "Not undone"

    of = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField(help_text="Of the file; the first holds the names of the columns.")
    given = models.JSONField(default=dict)
    name = models.CharField(max_length=256, blank=True, help_text="What the row is about.")
    fate = models.CharField(max_length=16, choices=Fate.choices, blank=True)
    reason = models.TextField(blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, blank=True)
    before: Any = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after: Any = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["of", "line"], name="import_line_once")]
        indexes = [
            models.Index(fields=["of", "fate", "outcome", "line"], name="import_rows_to_do"),
        ]

    def __str__(self) -> str:
        return f"Line {self.line}"
