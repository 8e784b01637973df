"""axe-core on the page that is open."""

from __future__ import annotations

from collections.abc import Mapping

from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import Page

# Its answers are read only where something is wrong; passes would be serialized in vain.
EVERYTHING: Mapping[str, object] = {"resultTypes": ["violations"]}
CONTRAST: Mapping[str, object] = EVERYTHING | {"runOnly": ["color-contrast"]}


def violations(page: Page, rules: Mapping[str, object] = EVERYTHING) -> list[str]:
    """What breaks a rule: the rule, and each element that does. The page is given the script once."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("rules => axe.run(rules).then(found => found.violations)", dict(rules))
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]
