"""Every screen in a browser as every role but the owner, whom ``test_screens.py`` walks with: it opens in silence,
shows nothing to press that the role may not press, and says so where something is greyed. What is pressed all the
same is refused on a page in words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Membership, Role
from billing_portal.accounts.roles import allows
from tests.browser.accessibility import violations
from tests.browser.conftest import Watch, sign_in
from tests.browser.test_screens import SIZES, Scheme
from tests.portal.pressable import pressable
from tests.portal.scene import Scene
from tests.portal.test_roles import needed_for
from tests.portal.test_screens import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Each role in a window of its own, so that every page is also loaded dark, and on a phone.
WINDOWS: dict[Role, tuple[str, Scheme]] = {
    Role.BILLING: ("phone", "light"),
    Role.SUPPORT: ("phone", "dark"),
    Role.READ_ONLY: ("desktop", "dark"),
}
GREYED = "[...document.querySelectorAll('main :disabled')].some(control => control.checkVisibility())"


@pytest.mark.parametrize("role", WINDOWS)
def test_every_screen_and_a_refusal(browser: Browser, live_server: LiveServer, scene: Scene, role: Role) -> None:
    size, scheme = WINDOWS[role]
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=live_server.url
    )
    watch, page = Watch(context, live_server.url), context.new_page()
    sign_in(page, scene, role)
    faults = [f"{name}: {fault}" for name, address in PAGES.items() for fault in _faults(page, address(scene), role)]
    assert faults + watch.complaints == []
    _refused_in_words(page, scene, role)
    context.close()


def _faults(page: Page, address: str, role: Role) -> Iterator[str]:
    answer = page.goto(address)
    if answer is None or not answer.ok:
        yield f"answered {answer.status if answer else 'nothing'}"
    if role.label not in (page.locator(".bp-account").text_content() or ""):
        yield "the account does not say which role this is"
    for form in pressable(page.content(), address):
        yield from (f"{form.action} needs {one}" for one in needed_for(form) if one and not allows(role, one))
    note = page.get_by_text(f"Your role, {role.label}, can")  # look at this, but not change it
    if page.evaluate(GREYED) and not note.first.is_visible():
        yield "something is greyed, and nothing says why"
    if role is Role.READ_ONLY and note.count():  # where its page differs from an owner's
        yield from violations(page)


def _refused_in_words(page: Page, scene: Scene, role: Role) -> None:
    """Where only an owner may come back from Stripe, and where the form was opened as an owner."""
    page.goto(reverse("portal:stripe_callback"))
    _says(page, role, "connect stripe")
    mine = Membership.objects.filter(operator=scene.operators[role])
    mine.update(role=Role.OWNER)
    page.goto(reverse("portal:test_clock"))
    mine.update(role=role)
    page.get_by_role("button", name="Move", exact=True).click()
    _says(page, role, "move clock")
    assert violations(page) == []


def _says(page: Page, role: Role, what: str) -> None:
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    words = f"Your role, {role.label}, may not {what}. Ask an owner of Northwind Cloud."
    expect(page.get_by_text(words)).to_be_visible()
