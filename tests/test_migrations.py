"""Migrations leave old code running and hold no lock that people wait for. docs/operations.md has the rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Q

from billing_portal.machine.environment import PROJECT
from tests.migration_rules import EXEMPT, problems

RELEASES = (PROJECT / "CHANGELOG.md").read_text()


def test_every_migration_since_the_first_release_keeps_the_rules() -> None:
    loader = MigrationLoader(None)
    ours = {config.label for config in apps.get_app_configs() if config.path.startswith(str(PROJECT)) and
            "site-packages" not in config.path}  # fmt: skip
    mine = {key: migration for key, migration in loader.disk_migrations.items() if key[0] in ours}
    assert {".".join(key) for key in mine} >= EXEMPT
    found = [
        f"{'.'.join(key)}: {problem}"
        for key, migration in mine.items()
        if ".".join(key) not in EXEMPT
        for problem in problems(migration, loader.project_state(key, at_end=False), RELEASES)
    ]
    assert not found, "\n".join(found)


INDEX = models.Index(fields=["name"], name="by_name")
CHECK = models.CheckConstraint(condition=~Q(name=""), name="has_name")
ALLOWED: list[tuple[list[Any], dict[str, Any]]] = [
    ([migrations.AddField("thing", "more", models.TextField(null=True))], {}),
    ([migrations.AddField("thing", "more", models.TextField(db_default=""))], {}),
    ([migrations.AlterField("thing", "name", models.CharField(max_length=64, help_text="What it is called."))], {}),
    ([migrations.AlterField("thing", "name", models.CharField(max_length=32, null=True))], {}),
    ([AddIndexConcurrently("thing", INDEX)], {"atomic": False}),
    ([AddConstraintNotValid("thing", CHECK)], {}),
    ([ValidateConstraint("thing", "has_name")], {}),
    ([migrations.RemoveField("thing", "name")], {"unused_since": "0.1.0"}),
    ([migrations.RunPython(migrations.RunPython.noop)], {"atomic": False}),
    ([migrations.RunSQL("SET LOCAL lock_timeout = '5s'; ALTER TABLE a ADD b int")], {}),
    ([migrations.CreateModel("Other", [("id", models.AutoField(primary_key=True))]),
      migrations.AddField("other", "name", models.TextField(db_index=True)), migrations.AddIndex("other", INDEX)], {}),
]  # fmt: skip
REFUSED: list[tuple[list[Any], dict[str, Any], str]] = [
    ([migrations.AddField("thing", "more", models.TextField())], {}, "db_default"),
    ([migrations.AddField("thing", "more", models.TextField(default=""))], {}, "db_default"),
    ([migrations.AddField("thing", "more", models.TextField(null=True, db_index=True))], {}, "Concurrently"),
    ([migrations.AlterField("thing", "name", models.CharField(max_length=8))], {}, "max_length in place"),
    ([migrations.AlterField("thing", "name", models.TextField())], {}, "type in place"),
    ([migrations.AlterField("thing", "name", models.CharField(max_length=32, unique=True))], {}, "unique in place"),
    ([migrations.RenameField("thing", "name", "title")], {}, "old name"),
    ([migrations.RenameModel("Thing", "Item")], {}, "old name"),
    ([migrations.RemoveField("thing", "name")], {}, "one release later"),
    ([migrations.RemoveField("thing", "name")], {"unused_since": "9.9.9"}, "one release later"),
    ([migrations.DeleteModel("Thing")], {}, "one release later"),
    ([migrations.AddIndex("thing", INDEX)], {}, "AddIndexConcurrently"),
    ([AddIndexConcurrently("thing", INDEX)], {}, "atomic = False"),
    ([migrations.AddConstraint("thing", CHECK)], {}, "AddConstraintNotValid"),
    ([AddConstraintNotValid("thing", CHECK), ValidateConstraint("thing", "has_name")], {}, "another migration"),
    ([migrations.RunPython(migrations.RunPython.noop)], {}, "batches"),
    ([migrations.RunSQL("CREATE UNIQUE INDEX a ON b (c)")], {}, "CONCURRENTLY"),
    ([migrations.RunSQL("ALTER TABLE a ADD b int")], {}, "lock_timeout"),
]


def judged(operations: list[Any], attributes: dict[str, Any]) -> list[str]:
    before = ProjectState()
    fields = [("id", models.AutoField(primary_key=True)), ("name", models.CharField(max_length=32))]
    before.add_model(ModelState("things", "Thing", fields))
    migration = migrations.Migration("0007_next", "things")
    migration.operations = operations
    for name, value in attributes.items():
        setattr(migration, name, value)
    return problems(migration, before, "## 0.1.0\n")


@pytest.mark.parametrize(("operations", "attributes"), ALLOWED)
def test_what_disturbs_nobody_is_allowed(operations: list[Any], attributes: dict[str, Any]) -> None:
    assert judged(operations, attributes) == []


@pytest.mark.parametrize(("operations", "attributes", "why"), REFUSED)
def test_what_old_code_or_a_lock_forbids_is_refused(
    operations: list[Any], attributes: dict[str, Any], why: str
) -> None:
    [problem] = judged(operations, attributes)
    assert why in problem
