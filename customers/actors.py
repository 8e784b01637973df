"""Who acts. A value that verbs are handed, so that lower layers never ask who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db import models


class ActorKind(models.TextChoices):
    OPERATOR = "operator", "Operator"
    API_KEY = "api_key", "API key"
    SCHEDULE = "schedule", "Schedule"
    GATEWAY = "gateway", "Stripe"


@dataclass(frozen=True, slots=True)
class Actor:
    """``label`` is what the timeline shows: a person's e-mail, an API key's name, "Stripe"."""

    kind: ActorKind
    label: str
    id: str = ""

    @property
    def is_person(self) -> bool:
        return self.kind in (ActorKind.OPERATOR, ActorKind.API_KEY)


SCHEDULE = Actor(ActorKind.SCHEDULE, "Schedule")
STRIPE = Actor(ActorKind.GATEWAY, "Stripe")


class Access(StrEnum):
    """What an operation of the API asks of the key that calls it."""

    READ = "read"
    WRITE = "write"
    MEASURE = "measure"
