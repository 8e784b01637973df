"""Migrating the test database without drawing up the models anew for each index and constraint.

Django renders a model, and all that are related to it, again for every index and constraint that a migration adds,
only to make a list in its ``_meta`` one entry longer; two thirds of the time of migrating went there. Here that list
is made longer. What the database is told stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.migrations.state import ProjectState


def _append_option(state: ProjectState, app_label: str, model_name: str, option: str, added: Any) -> None:
    options = state.models[app_label, model_name].options
    options[option] = [*options[option], added]
    if "apps" in state.__dict__:  # it has been rendered
        meta = state.apps.get_model(app_label, model_name)._meta
        setattr(meta, option, [*getattr(meta, option), added])


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> Iterator[None]:
    """What pytest-django asks for before it makes the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProjectState, "_append_option", _append_option)
        yield
