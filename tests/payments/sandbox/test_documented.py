"""docs/sandbox.md tells of everything that can be ordered, and its example runs."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from payments.sandbox import faults, urls, webhook_faults
from payments.sandbox.cards import CARDS
from payments.sandbox.resources import load
from payments.sandbox.routing import ENDPOINTS
from tests.sandbox_server import SANDBOX_ONLY

TEXT = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()


@pytest.mark.parametrize("kinds", [faults.KINDS, webhook_faults.KINDS])
def test_every_fault_is_told_in_the_words_of_the_code(kinds):
    for kind, sentence in kinds.items():
        assert f"| `{kind}` | {sentence} |" in TEXT


def test_every_control_has_its_place():
    served = [re.sub(r"<\w+:\w+>", "{id}", str(entry.pattern)) for entry in urls.urlpatterns]
    for address in [path for path in served if path.startswith("_control/")]:
        assert f"/{address}`" in TEXT or f"/{address}:" in TEXT, address


def test_every_endpoint_is_listed_and_no_other():
    load()
    listed = set(re.findall(r"`((?:GET|POST|DELETE) /v1/[^`]+)`", TEXT))
    assert listed == {f"{endpoint.method} {endpoint.template}" for endpoint in ENDPOINTS}


def test_every_card_is_listed_with_its_number():
    rows = [line for line in TEXT.splitlines() if line.startswith("| `pm_card_")]
    listed = {id_: row.split("|")[2].strip() for row in rows for id_ in re.findall(r"`(pm_\w+)`", row.split("|")[1])}
    assert {id_: listed.get(id_) for id_ in CARDS} == {id_: card.last4 for id_, card in CARDS.items()}


@SANDBOX_ONLY
def test_the_example_runs(stripe_sandbox, tmp_path):
    found = {name: getattr(stripe_sandbox, name) for name in ("secret_key", "account", "api_base")}
    (tmp_path / "ready.json").write_text(json.dumps({"stripe": found}))
    code = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
    code = code.replace('open("data/ready.json")', f'open("{tmp_path / "ready.json"}")')
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})  # noqa: S102 - our own documentation
    assert said.getvalue().startswith("open 2500 http")
