"""A real Chromium against the real server. Without one these tests are skipped, unless REQUIRE_BROWSER is 1."""

import os
import shutil
from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, sync_playwright

CANDIDATES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    found = (shutil.which(name) for name in CANDIDATES)
    return os.environ.get("CHROMIUM") or next((path for path in found if path), None)


@pytest.fixture(scope="session")
def browser() -> Generator[Browser, None, None]:
    path = chromium()
    if path is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("REQUIRE_BROWSER=1, but no Chromium was found. Install one or name it in CHROMIUM.")
        pytest.skip("no Chromium on this machine")
    # Playwright's synchronous interface runs a loop of its own, which Django takes for an asynchronous caller.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()
