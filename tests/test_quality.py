"""The tools that review the code, each as one test: what they refuse does not pass."""

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from billing_portal.machine.environment import PROJECT

MADE_UP = {
    "DJANGO_SETTINGS_MODULE": "billing_portal.settings.production",
    "SECRET_KEY": "k3Zp-9vQx!7Lw2@Rt8#Ys5%Nd1^Hb6&Gm4*Jc0(Fa-Ue7=Wi3+Xo9",
    "FIELD_ENCRYPTION_KEYS": "3q2-7wQhQ0b1m0kq3q2-7wQhQ0b1m0kq3q2-7wQhQ0Y=",
    "ALLOWED_HOSTS": "billing.example.com",
    "PUBLIC_URL": "https://billing.example.com",
    "DATABASE_URL": "postgres://billing@db.example.com/billing",
    "REDIS_URL": "redis://broker.example.com:6379/0",
    "EMAIL_URL": "smtp+tls://mail:secret@mail.example.com:587",
}
# Browser tests in the same process set it for themselves.
CLEAN = {key: value for key, value in os.environ.items() if key != "DJANGO_ALLOW_ASYNC_UNSAFE"}
DEVELOPMENT = {"DJANGO_SETTINGS_MODULE": "billing_portal.settings.development"}


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**CLEAN, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )


def assert_accepts(answer: subprocess.CompletedProcess[str]) -> None:
    assert answer.returncode == 0, f"\n{answer.stdout}{answer.stderr}"


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_ruff(arguments: Sequence[str]) -> None:
    assert_accepts(run("-m", "ruff", *arguments, "."))


def test_mypy() -> None:
    assert_accepts(run("-m", "mypy"))


def test_imports_point_downhill() -> None:
    assert_accepts(run("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"))


def test_every_model_change_has_its_migration() -> None:
    assert_accepts(run("manage.py", "makemigrations", "--check", "--dry-run", env=DEVELOPMENT))


def test_production_settings_are_safe() -> None:
    assert_accepts(run("manage.py", "check", "--deploy", "--fail-level", "WARNING", env=MADE_UP))


@pytest.mark.parametrize("name", sorted(set(MADE_UP) - {"DJANGO_SETTINGS_MODULE"}))
def test_production_does_not_start_without(name: str) -> None:
    """Nothing that people depend on has a default they did not choose."""
    environment = {key: value for key, value in {**os.environ, **MADE_UP}.items() if key != name}
    answer = subprocess.run(
        [sys.executable, "-c", "import billing_portal.settings.production"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode != 0
    assert name in answer.stderr


def test_no_index_address_among_the_pins() -> None:
    text = (PROJECT / "pyproject.toml").read_text()
    assert "://" not in text
    assert "[[tool.uv.index]]" not in text
    assert "constraint-dependencies" in text
