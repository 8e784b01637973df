"""Dockerfile and compose.yaml, as far as that can be known without Docker: they name what README, the settings and the
programs name, and the programs start with what they are given."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing_portal.machine.environment import PROJECT
from billing_portal.machine.ports import free_port
from tests.machine.running import environment

README = (PROJECT / "README.md").read_text()
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
PROGRAMS = ("migrate", "web", "worker", "beat")
GENERATED = {"POSTGRES_PASSWORD", "VALKEY_PASSWORD", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS"}
KEY = "Zm9yIHRlc3RzIG9ubHkgLSAzMiBieXRlcyBsb25nISE="


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    return found


def example() -> dict[str, str]:
    """What .env.example asks for."""
    lines = (PROJECT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def documented() -> set[str]:
    """The variables in README's table of production."""
    table = README.partition("What the environment must or may say:")[2].partition("\nFor live mode")[0]
    return {name for row in re.findall(r"^\| (.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


def required() -> set[str]:
    text = (PROJECT / "billing_portal/settings/production.py").read_text()
    return {*re.findall(r'env\.\w+\("(\w+)"\)', text)}


def readme_commands() -> list[list[str]]:
    """Those of "In production", without ``uv run --no-dev``."""
    block = README.partition("## In production")[2].partition("The database decides")[0]
    found = re.findall(r"^    uv run --no-dev (.+?)(?:  +#.*)?$", block, re.MULTILINE)
    return [shlex.split(command) for command in found]


def test_the_programs_are_those_of_the_readme(services: dict[str, Any]) -> None:
    told = [" ".join(command[:4]) for command in readme_commands()]
    for name in ("web", "worker", "beat"):
        assert " ".join(services[name]["command"][:4]) in told, name
    assert "manage.py migrate" in told
    assert services["migrate"]["command"][:3] == ["python", "manage.py", "migrate"]
    assert services["worker"]["deploy"]["replicas"] == 2
    assert shlex.split(README.partition("gunicorn ")[2].splitlines()[0])[0] == "billing_portal.wsgi"


def test_the_environment_is_complete_and_known(services: dict[str, Any]) -> None:
    given = {name for program in PROGRAMS for name in services[program]["environment"]}
    asked = set(example())
    assert required() <= given | asked
    assert given | asked <= documented() | GENERATED | {"DJANGO_SETTINGS_MODULE", "WEB_CONCURRENCY"}
    substituted = set(re.findall(r"\$\{(\w+):\?", (PROJECT / "compose.yaml").read_text()))
    assert substituted <= asked
    assert not any(example()[name] for name in GENERATED), "a secret that everybody has is none"


def test_programs_wait_for_what_they_need_and_may_do_little(services: dict[str, Any]) -> None:
    for name in ("web", "worker", "beat"):
        waits = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert waits["migrate"] == "service_completed_successfully"
        assert waits["postgres"] == waits["valkey"] == "service_healthy"
    for name in PROGRAMS:
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"], "only the proxy on this machine may come in"
    assert not any("ports" in services[name] for name in ("postgres", "valkey"))


def test_the_image(services: dict[str, Any]) -> None:
    stages = DOCKERFILE.split("\nFROM ")
    users = re.findall(r"^USER (\S+)", stages[-1], re.MULTILINE)
    assert len(stages) == 3
    assert users == ["10001"]
    assert '"' + '", "'.join(services["web"]["command"]) + '"' in DOCKERFILE.splitlines()[-1]
    assert not re.search(r"^(ENV|ARG) .*(SECRET|PASSWORD|KEY|TOKEN)", DOCKERFILE, re.MULTILINE)
    assert all(re.search(r":\d", image) for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", "data", ".venv"} <= set(ignored)
    for source in re.findall(r'CMD \["python", "([^"]+)"', DOCKERFILE):
        assert (PROJECT / source).exists()
        assert Path(source).parts[0] not in ignored
    assert required() <= set(re.findall(r"\b([A-Z_]+)=", stages[1])), "collectstatic starts with these settings"


def test_the_web_server_starts_as_the_compose_file_starts_it(services: dict[str, Any], tmp_path: Path) -> None:
    """In production's settings, with README's variables; asked as Docker asks."""
    port = free_port()
    given = {**example(), "SECRET_KEY": "x" * 60, "FIELD_ENCRYPTION_KEYS": KEY, "STATIC_ROOT": str(tmp_path)}
    given |= {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    given |= {"DJANGO_SETTINGS_MODULE": "billing_portal.settings.production", "PORT": str(port), "WEB_CONCURRENCY": "1"}
    command = [sys.executable, "-m", *services["web"]["command"], "--bind", f"127.0.0.1:{port}"]
    (tmp_path / "staticfiles.json").write_text('{"paths": {}, "version": "1.1", "hash": ""}')
    env = {**environment(), **given}
    with (tmp_path / "log").open("wb") as log:
        web = subprocess.Popen(command, cwd=PROJECT, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        probe = [sys.executable, "docker/healthcheck.py"]
        deadline = time.monotonic() + 60
        while (done := subprocess.run(probe, cwd=PROJECT, env=env, capture_output=True, check=False)).returncode:
            assert web.poll() is None, (tmp_path / "log").read_text()
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
    finally:
        web.terminate()
        web.wait(60)
    assert done.returncode == 0, (tmp_path / "log").read_text()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines
    assert all(line.startswith('{"time": ') for line in lines), lines
    assert any('"route": "healthz"' in line for line in lines)
