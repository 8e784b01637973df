"""Pins every version, direct and transitive, in pyproject.toml's [tool.uv] constraint-dependencies.

    uv run .ci/raise_pins.py            raise everything to the newest versions the dependencies allow
    uv run .ci/raise_pins.py --keep     leave what is pinned, add what is new, drop what is gone

Only names and versions are written, never the address of a package index.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
PYPROJECT = PROJECT / "pyproject.toml"
LOCK = PROJECT / "uv.lock"
BLOCK = re.compile(r"^constraint-dependencies = \[\n.*?^\]\n", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"https?://|\bindex\b", re.IGNORECASE)


def main() -> None:
    before = PYPROJECT.read_text()
    try:
        if "--keep" not in sys.argv:
            PYPROJECT.write_text(with_pins(before, []))
            uv("lock", "--upgrade")
        else:
            uv("lock")
        PYPROJECT.write_text(with_pins(before, pins(tomllib.loads(LOCK.read_text()))))
        uv("sync")
    except BaseException:
        PYPROJECT.write_text(before)
        raise
    print(difference(before, PYPROJECT.read_text()))


def uv(*arguments: str) -> None:
    subprocess.run([os.environ.get("UV", "uv"), *arguments], cwd=PROJECT, check=True)  # noqa: S603 - fixed arguments


def pins(lock: dict[str, Any]) -> list[str]:
    """One line a version. A package that needs several carries the markers that tell them apart."""
    versions = defaultdict(list)
    for package in lock["package"]:
        if "registry" in package["source"]:
            versions[package["name"]].append(package)
    return [line for _, found in sorted(versions.items()) for line in _lines(found)]


def _lines(packages: list[dict[str, Any]]) -> list[str]:
    if len(packages) == 1:
        return [f"{packages[0]['name']}=={packages[0]['version']}"]
    return [
        f"{package['name']}=={package['version']} ; {marker}"
        for package in packages
        for marker in package["resolution-markers"]
    ]


def with_pins(text: str, lines: list[str]) -> str:
    block = "".join(f'    "{line}",\n' for line in (each.replace('"', "'") for each in lines))
    changed, count = BLOCK.subn(lambda _: f"constraint-dependencies = [\n{block}]\n", text)
    if count != 1:
        sys.exit("pyproject.toml must have exactly one 'constraint-dependencies = [' in [tool.uv].")
    if ADDRESS.search(block):
        sys.exit("The pins would name a package index. Nothing was changed.")
    return changed


def difference(before: str, after: str) -> str:
    old, new = (set(BLOCK.findall(text)[0].splitlines()) for text in (before, after))
    lines = [f"-{line.strip()}" for line in sorted(old - new)] + [f"+{line.strip()}" for line in sorted(new - old)]
    return "\n".join(lines) or "Nothing to raise."


if __name__ == "__main__":
    main()
