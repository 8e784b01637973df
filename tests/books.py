"""Everything that is written down, to be compared: what was refused has changed none of it."""

from __future__ import annotations

from typing import Any

from django.apps import apps

ROOMS = ("customers", "invoicing", "payments", "accounts", "lists")


def everything() -> dict[str, list[Any]]:
    """Every row there is, but for the time at which a key was used."""
    rooms = [apps.get_app_config(label).get_models() for label in ROOMS]
    found = {model.__name__: list(model._default_manager.order_by("pk").values()) for room in rooms for model in room}
    return found | {"ApiKey": [{**row, "last_used_at": None} for row in found["ApiKey"]]}
