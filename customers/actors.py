"""Who acts. A value that verbs are handed, so that lower layers never ask who is signed in."""

from __future__ import annotations

import getpass
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


def on_the_command_line() -> Actor:
    """Somebody with a shell on the machine, by the name of their account there."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's account may have no name
        name = "Somebody"
    return Actor(ActorKind.SCHEDULE, f"{name} on the command line")


class Access(StrEnum):
    """What an operation of the API asks of the key that calls it."""

    READ = "read"
    WRITE = "write"
    MEASURE = "measure"
