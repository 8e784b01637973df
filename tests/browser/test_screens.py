"""Each screen in a real browser: light and dark, desktop and phone. Nothing in the console, nothing from
another host, nothing wider than the window. SCREENSHOTS names a folder that pictures are kept in."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from tests.portal.scene import PASSWORD, Scene, make_scene
from tests.portal.test_screens import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return make_scene()


def sign_in(page: Page, live_server: LiveServer, scene: Scene) -> None:
    page.goto(f"{live_server.url}/")
    page.get_by_label("E-mail address").fill(scene.operators[Role.OWNER].email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_screens(browser: Browser, live_server: LiveServer, scene: Scene, scheme: str, size: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    watch = Watch(context, live_server.url)
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in/")
    _look(page, "sign in", scheme, size)
    sign_in(page, live_server, scene)
    for name, address in PAGES.items():
        page.goto(live_server.url + address(scene))
        _look(page, name, scheme, size)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the window"
    context.close()
    assert watch.complaints == []


def _look(page: Page, name: str, scheme: str, size: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("document.fonts.ready")
    if folder := os.environ.get("SCREENSHOTS"):
        path = Path(folder) / f"{name.replace(' ', '-')}-{size}-{scheme}.png"
        page.screenshot(path=path, full_page=True)
