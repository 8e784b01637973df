import stat
from pathlib import Path

from cryptography.fernet import Fernet

from billing_portal.machine.environment import Addresses, child_environment, uses_real_stripe
from billing_portal.machine.secrets import Secrets, kept_secrets

ADDRESSES = Addresses(8000, 9000, "postgres://db", "redis://broker")


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    first = kept_secrets(tmp_path)
    assert kept_secrets(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    Fernet(first.field_encryption_key)


def test_a_secret_that_a_newer_version_needs_is_added(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"api_key": "bp_old"}')
    found = kept_secrets(tmp_path)
    assert found.api_key == "bp_old"
    assert kept_secrets(tmp_path) == found


def test_the_callers_environment_beats_defaults_but_not_decisions(tmp_path: Path) -> None:
    given = {"TICK_SECONDS": "7", "SECRET_KEY": "", "DATABASE_URL": "postgres://stale", "LOG_LEVEL": "DEBUG"}
    env = child_environment(tmp_path, ADDRESSES, Secrets(secret_key="made"), given)
    assert env["TICK_SECONDS"] == "7"
    assert env["SECRET_KEY"] == "made"
    assert env["DATABASE_URL"] == "postgres://db"
    assert env["LOG_LEVEL"] == "DEBUG"
    assert env["STRIPE_API_BASE"] == "http://127.0.0.1:9000"


def test_beside_the_real_stripe_there_is_no_sandbox(tmp_path: Path) -> None:
    given = {"STRIPE_TEST_SECRET_KEY": "sk_test_mine"}
    assert uses_real_stripe(given)
    env = child_environment(tmp_path, Addresses(8000, None, "postgres://db", "redis://broker"), Secrets(), given)
    assert env["SANDBOX"] == "false"
    assert env["STRIPE_TEST_SECRET_KEY"] == "sk_test_mine"
    assert "STRIPE_API_BASE" not in env
