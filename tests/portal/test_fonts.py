"""The fonts are cut down to what pages show: nothing that is shown may be missing, and they stay light."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders

ROOT = Path(__file__).resolve().parent.parent.parent
NAMED = re.compile(r"""{% static ["']([^"']+)["']""")


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / ".ci" / "subset_fonts.py"))


def test_every_icon_is_in_the_font(script: dict[str, Any]) -> None:
    missing = script["used_icons"]() - script["icon_names"](script["ICONS"])
    assert sorted(missing) == [], "Run: uv run .ci/subset_fonts.py"


def test_the_script_sees_icons_wherever_pages_name_them(script: dict[str, Any]) -> None:
    """In the navigation, in a timeline, in a template of ours and in one of unfold's."""
    assert {"space_dashboard", "credit_card_off", "dock_to_right", "drag_indicator"} <= script["used_icons"]()


def test_the_fonts_are_light(script: dict[str, Any]) -> None:
    sizes = {path.name: path.stat().st_size for path in script["TARGET"].glob("*.woff2")}
    assert len(sizes) == 5
    assert sum(sizes.values()) < 150_000


def test_every_static_file_that_a_page_names_is_there() -> None:
    """Where names carry a hash, a page that names a file in vain is not shown at all."""
    templates = (ROOT / "templates").rglob("*.html")
    named = {name for path in templates for name in NAMED.findall(path.read_text())}
    assert named
    assert [name for name in sorted(named) if finders.find(name) is None] == []
