"""Each screen in a real browser: light and dark, desktop and phone. Nothing in the console, nothing from
another host, nothing wider than the window. SCREENSHOTS names a folder that pictures are kept in."""

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from invoicing.invoices.links import page_url
from tests.browser.conftest import Watch, sign_in
from tests.portal.scene import Scene
from tests.portal.test_screens import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_screens(
    browser: Browser, live_server: LiveServer, scene: Scene, scheme: Literal["light", "dark"], size: str
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=live_server.url
    )
    watch = Watch(context, live_server.url)
    page = context.new_page()
    page.goto("/sign-in/")
    _look(page, "sign in", scheme, size)
    sign_in(page, scene, Role.OWNER)
    for name, address in PAGES.items():
        page.goto(address(scene))
        _look(page, name, scheme, size)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the window"
    page.goto(urlsplit(page_url(scene.invoices["payment-failed"])).path)  # what its customer sees
    _look(page, "customer's page of an invoice", scheme, size)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert watch.complaints == []


def _look(page: Page, name: str, scheme: str, size: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("document.fonts.ready")
    if folder := os.environ.get("SCREENSHOTS"):
        path = Path(folder) / f"{name.replace(' ', '-')}-{size}-{scheme}.png"
        page.screenshot(path=path, full_page=True)
