"""docs/operations.md: its commands exist and take the arguments that are shown, its links lead somewhere, and the
metrics it tells to watch are told."""

from __future__ import annotations

import re
import shlex

import pytest
from django.core.management import get_commands, load_command_class
from django.test import Client
from pytest_django import Settings

from billing_portal.celery import app
from billing_portal.machine.environment import PROJECT
from customers import counters
from payments.stripe import watching

PAGE = (PROJECT / "docs" / "operations.md").read_text()

# Where a command of the runbook is carried out, from beginning to end.
EXECUTED = {
    "billing_run": "tests/invoicing/test_billing_run.py",
    "doctor": "tests/machine/test_doctor.py",
    "migrate": "tests/machine/test_backup.py",
    "reconcile": "tests/machine/test_backup.py",
    "collectstatic": "billing_portal/management/commands/bootstrap.py",
    "drop_measurements": "tests/invoicing/usage/test_dropping.py",
    "stripe_webhook_endpoint": "tests/payments/stripe/test_own_keys.py",
}


def commands() -> list[list[str]]:
    """Every ``manage.py ...`` of the page, in lines of code and within the text."""
    blocks = re.findall(r"^ *manage\.py (.+?)(?:  +#.*)?$", PAGE, re.MULTILINE)
    inline = re.findall(r"`manage\.py ([^`]+)`", PAGE)
    return [shlex.split(text, comments=True) for text in [*blocks, *inline]]


def test_every_command_is_taken_as_it_is_shown() -> None:
    known = get_commands()
    for name, *arguments in commands():
        source = known[name]
        command = load_command_class(source, name) if isinstance(source, str) else source
        command.create_parser("manage.py", name).parse_args(arguments)  # ends the test where it is refused
    assert {command[0] for command in commands()} == EXECUTED.keys()


def test_each_is_executed_somewhere() -> None:
    for name, where in EXECUTED.items():
        assert f'"{name}"' in (PROJECT / where).read_text(), f"{name} is not executed in {where}"


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_the_programs_start_as_they_are_shown(name: str) -> None:
    shown = re.findall(rf"celery --app billing_portal ({name}[^`\n]*)", PAGE)
    assert shown
    from celery.bin.celery import celery

    for one in shown:
        _, *arguments = shlex.split(one)
        celery.commands[name].make_context(name, arguments, obj=None, resilient_parsing=True)
    assert app.main == "billing_portal"


def test_links_lead_to_headings() -> None:
    headings = {_anchor(text) for text in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
    for file in re.findall(r"\]\((?!#|https?:)([^)#]+)", PAGE):
        assert (PROJECT / "docs" / file).exists(), file
    elsewhere = (PROJECT / "docs" / "reliability.md").read_text()
    wanted = re.findall(r"\(reliability\.md#([^)]+)\)", PAGE)
    assert set(wanted) <= {_anchor(text) for text in re.findall(r"^#+ (.+)$", elsewhere, re.MULTILINE)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.django_db
def test_the_metrics_to_watch_are_told(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "told-to-nobody"
    counters.count(**{"cycles_billed": 1, "invoice_steps:ISSUE:ok": 1})
    with watching.watched(livemode=False):
        pass
    answer = client.get("/metrics", headers={"Authorization": "Bearer told-to-nobody"}).content.decode()
    named = set(re.findall(r"billing_portal_[a-z_]+", PAGE.partition("**Logs**")[0]))
    assert named
    assert [name for name in sorted(named) if name not in answer] == []
