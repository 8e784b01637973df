"""A real Chromium against the real server. Without one these tests are skipped, unless REQUIRE_BROWSER is 1."""

import os
import shutil
from collections.abc import Generator
from ctypes.util import find_library
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from billing_portal.accounts.models import Role
from invoicing.invoices.links import pdf_of
from invoicing.models import InvoiceDocument
from tests.portal.scene import PASSWORD, Scene, make_scene

CANDIDATES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    found = (shutil.which(name) for name in CANDIDATES)
    return os.environ.get("CHROMIUM") or next((path for path in found if path), None)


def _unavailable(why: str) -> NoReturn:
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"REQUIRE_BROWSER=1, but: {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser() -> Generator[Browser, None, None]:
    path = chromium()
    if path is None:
        _unavailable("No Chromium was found. Install one or name it in CHROMIUM.")
    if find_library("atomic") is None:
        _unavailable("Playwright's driver needs libatomic. Install it (Debian's libatomic1).")
    # Playwright's synchronous interface runs a loop of its own, which Django takes for an asynchronous caller.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    """With a document that a browser can show: pages have a picture of it."""
    made = make_scene()
    InvoiceDocument.objects.update(pdf=pdf_of(made.invoices["generated"]))
    return made


def sign_in(page: Page, scene: Scene, role: Role) -> None:
    page.goto("/")
    sign_in_as(page, scene.operators[role].email, PASSWORD)
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def sign_in_as(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


class Watch:
    """What must not happen on any page."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.complaints: list[str] = []
        context.on("console", lambda message: self._console(message.type, message.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._request(request.url, home))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _request(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:")):
            self.complaints.append(f"request to another host: {url}")
