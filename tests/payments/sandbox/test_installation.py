"""Seeding, and starting the server."""

import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from payments.sandbox import seed, serving, wsgi
from payments.sandbox.models import StoredObject


def test_the_second_call_gives_the_same_and_moves_the_endpoint(db):
    first = seed.ensure_installation(webhook_url="http://127.0.0.1:1/a")
    second = seed.ensure_installation(webhook_url="http://127.0.0.1:2/b")
    assert first == second
    assert first.secret_key.startswith("sk_test_")
    assert first.account.startswith("acct_")
    assert first.webhook_secret.startswith("whsec_")
    endpoint = StoredObject.objects.get(object="webhook_endpoint")
    assert endpoint.data["url"] == "http://127.0.0.1:2/b"
    assert "secret" not in endpoint.data


def test_keys_of_the_environment_are_taken_over(db, settings):
    before = seed.ensure_installation(webhook_url="http://127.0.0.1:1/a")
    settings.STRIPE_TEST_SECRET_KEY = "sk_test_given"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_given", "whsec_older"]
    after = seed.ensure_installation(webhook_url="http://127.0.0.1:1/a")
    assert (after.secret_key, after.webhook_secret) == ("sk_test_given", "whsec_given")
    assert after.account == before.account


def test_it_does_not_start_beside_a_live_key(settings):
    settings.STRIPE_LIVE_SECRET_KEY = "sk_live_x"
    with pytest.raises(CommandError, match="live"):
        call_command("sandbox", port=1)


def test_it_does_not_start_where_it_is_switched_off(settings):
    settings.SANDBOX = False
    with pytest.raises(CommandError, match="SANDBOX"):
        call_command("sandbox", port=1)


def test_the_server_is_one_process_with_threads(settings):
    server = serving.Server("127.0.0.1", 8123)
    assert server.cfg.address == [("127.0.0.1", 8123)]
    assert (server.cfg.workers, server.cfg.threads) == (1, serving.THREADS)
    assert server.load() is wsgi.application


def test_a_process_that_only_settles_knows_what_to_do():
    """The worker that moves the clock serves no requests, and still finalizes invoices."""
    program = (
        "import django; django.setup(); from payments.sandbox import clock, schedule;"
        "wanted = {'checkout.session', 'invoice', 'refund', 'test_helpers.test_clock'};"
        "assert set(schedule.HANDLERS) == wanted, schedule.HANDLERS"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
