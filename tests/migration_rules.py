"""The rules for migrations of docs/operations.md, as far as a program can check them: old code goes on while a
migration runs and after it, and nobody waits for a lock on a large table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.fields import NOT_PROVIDED

# Before the first release there is nobody whom they could disturb.
EXEMPT = {
    "accounts.0001_initial",
    "api.0001_initial",
    "customers.0001_initial",
    "invoicing.0001_initial",
    "invoicing.0002_measurements_by_month",
    "lists.0001_initial",
    "payments.0001_initial",
    "sandbox.0001_initial",
}

# What the database knows nothing of.
IN_CODE_ONLY = {
    "blank", "choices", "default", "editable", "error_messages", "help_text", "limit_choices_to", "on_delete",
    "related_name", "validators", "verbose_name",
}  # fmt: skip

_NARROWING = (migrations.RemoveField, migrations.DeleteModel, migrations.RemoveConstraint, migrations.RemoveIndex)
_RENAMING = (migrations.RenameField, migrations.RenameModel, migrations.AlterModelTable)


def problems(migration: migrations.Migration, before: ProjectState, releases: str) -> list[str]:
    """What breaks the rules. ``releases`` is the text of the changelog."""
    made: set[str] = set()
    state, found = before.clone(), []
    for operation in migration.operations:
        if isinstance(operation, migrations.CreateModel):
            made.add(operation.name_lower)
        is_new = getattr(operation, "model_name_lower", "") in made
        found += (
            [] if is_new else [f"{operation.describe()}: {why}" for why in _why(operation, migration, state, releases)]
        )
        operation.state_forwards(migration.app_label, state)
    return found + list(_together(migration))


def _why(operation: Operation, migration: migrations.Migration, state: ProjectState, releases: str) -> Iterator[str]:
    for kinds, rule in _RULES:
        if isinstance(operation, kinds):
            yield from rule(operation, migration, state, releases)
            return


def _added(operation: migrations.AddField, *given: Any) -> Iterator[str]:
    field = operation.field
    if not field.null and field.db_default is NOT_PROVIDED and not field.many_to_many:
        yield "old code does not know the column: let it be null, or give it a db_default."
    if getattr(field, "db_index", False) or field.unique:
        yield "its index would be built under a lock: db_index=False, then AddIndexConcurrently."
    if isinstance(field, models.GeneratedField):
        yield "a generated column rewrites the table: add a plain one, and fill it in batches."


def _altered(
    operation: migrations.AlterField, migration: migrations.Migration, state: ProjectState, _: str
) -> Iterator[str]:
    old = state.models[migration.app_label, operation.model_name_lower].fields[operation.name]
    was, is_now = _in_database(old), _in_database(operation.field)
    changed = {name for name in was.keys() | is_now.keys() if was.get(name) != is_now.get(name)}
    if changed == {"null"} and operation.field.null:
        return
    if changed == {"max_length"} and (is_now["max_length"] or 0) > (was["max_length"] or 0):
        return
    if changed:
        yield f"changes {', '.join(sorted(changed))} in place: add a new column, fill it in batches, then drop the old."


def _in_database(field: models.Field[Any, Any]) -> dict[str, Any]:
    _, path, args, options = field.deconstruct()
    kept = {name: value for name, value in options.items() if name not in IN_CODE_ONLY}
    return {"max_length": None, "null": False, **kept, "type": (path, *args)}


def _narrowed(operation: Operation, migration: migrations.Migration, _: ProjectState, releases: str) -> Iterator[str]:
    since = getattr(migration, "unused_since", "")
    if not since or f"## {since}" not in releases:
        yield "old code still uses it: drop it one release later, with unused_since = the release that ceased to."


def _renamed(*given: Any) -> Iterator[str]:
    yield "old code knows the old name: add the new one, fill it, and drop the old a release later."


def _index(*given: Any) -> Iterator[str]:
    yield "builds the index under a lock: AddIndexConcurrently, with atomic = False."


def _constraint(*given: Any) -> Iterator[str]:
    yield "checks all rows under a lock: AddConstraintNotValid, and ValidateConstraint in another migration."


def _concurrently(operation: Operation, migration: migrations.Migration, *given: Any) -> Iterator[str]:
    if migration.atomic:
        yield "needs atomic = False."


def _python(operation: Operation, migration: migrations.Migration, *given: Any) -> Iterator[str]:
    if migration.atomic:
        yield "changes rows in the migration's transaction: let a task do it in batches, or set atomic = False."


def _sql(operation: migrations.RunSQL, *given: Any) -> Iterator[str]:
    text = " ".join(str(operation.sql).upper().split())
    if "CREATE INDEX" in text.replace("UNIQUE ", "") and "CONCURRENTLY" not in text:
        yield "builds the index under a lock: CREATE INDEX CONCURRENTLY, with atomic = False."
    if "ALTER TABLE" in text and "LOCK_TIMEOUT" not in text:
        yield "may wait for a lock with everybody behind it: SET LOCAL lock_timeout = '5s' first."


_RULES: list[tuple[Any, Callable[..., Iterator[str]]]] = [
    (migrations.AddField, _added),
    (migrations.AlterField, _altered),
    ((AddIndexConcurrently,), _concurrently),
    ((AddConstraintNotValid, ValidateConstraint), lambda *given: iter(())),
    (migrations.AddIndex, _index),
    (migrations.AddConstraint, _constraint),
    (_NARROWING, _narrowed),
    (_RENAMING, _renamed),
    (migrations.RunPython, _python),
    (migrations.RunSQL, _sql),
]


def _together(migration: migrations.Migration) -> Iterator[str]:
    kinds = {type(operation) for operation in migration.operations}
    if {AddConstraintNotValid, ValidateConstraint} <= kinds:
        yield "A constraint is validated in another migration than the one that adds it."
