"""What the sandbox writes down of its traffic when it is told to."""

import json

from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def test_every_exchange_is_a_line_without_the_key(stripe_sandbox, settings, tmp_path):
    settings.SANDBOX_RECORD = str(tmp_path / "traffic.jsonl")
    client = stripe_sandbox.client()
    made = client.v1.customers.create({"name": "Ada"})
    client.v1.customers.list({"limit": 1})
    lines = (tmp_path / "traffic.jsonl").read_text().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert (first["method"], first["path"], first["params"], first["status"]) == (
        "POST",
        "/v1/customers",
        "name=Ada",
        200,
    )
    assert (first["response"]["id"], first["headers"]["Stripe-Account"]) == (made.id, stripe_sandbox.account)
    assert second["path"] == "/v1/customers?limit=1"
    assert stripe_sandbox.secret_key not in "".join(lines)
    assert (tmp_path / "traffic.jsonl").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_unless_it_is_wanted(stripe_sandbox, tmp_path, settings):
    settings.SANDBOX_RECORD = ""
    stripe_sandbox.client().v1.customers.list()
    assert list(tmp_path.iterdir()) == []
