"""Each screen in a real browser: light and dark, desktop and phone. Nothing in the console, nothing from
another host, nothing wider than the window, nothing that axe-core finds fault with. A page is loaded once and looked
at in every way; ``test_roles.py`` loads it in the other ways. With PICTURES or SCREENSHOTS (``pictures.py``) pictures
are made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.invitations import link_to
from billing_portal.accounts.models import Invitation, Operator, Role
from invoicing.invoices.links import page_url
from tests.browser import pictures
from tests.browser.accessibility import CONTRAST, EVERYTHING, violations
from tests.browser.conftest import Watch, sign_in, sign_in_as
from tests.portal.scene import Scene
from tests.portal.test_screens import PAGES, operators

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Scheme = Literal["light", "dark"]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@dataclass(frozen=True)
class Look:
    size: str
    scheme: Scheme
    rules: Mapping[str, object]

    def __str__(self) -> str:
        return f"{self.size}-{self.scheme}"


# In the order in which the least changes. Colours differ between light and dark, and hardly anything else does.
LOOKS = (
    Look("desktop", "light", EVERYTHING),
    Look("desktop", "dark", CONTRAST),
    Look("phone", "dark", CONTRAST),
    Look("phone", "light", EVERYTHING),
)
DESKTOP = LOOKS[:2]


def invitation(scene: Scene) -> str:
    operators(scene)
    return urlsplit(link_to(Invitation.objects.get(vendor=scene.vendor))).path


def new_password(scene: Scene) -> str:
    somebody = scene.operators[Role.SUPPORT]
    token = default_token_generator.make_token(somebody)
    return reverse("portal:choose_password", args=[urlsafe_base64_encode(force_bytes(somebody.pk)), token])


OUTSIDE: Mapping[str, Callable[[Scene], str]] = {
    "customer's page of an invoice": lambda scene: urlsplit(page_url(scene.invoices["payment-failed"])).path,
    "customer's page of nothing": lambda scene: reverse("public:invoice", args=["nothing"]),
    "invitation": invitation,
    "forgotten password": lambda scene: reverse("portal:forgotten_password"),
    "new password": new_password,
    "new password in vain": lambda scene: reverse("portal:choose_password", args=["x", "y"]),
    "nowhere": lambda scene: "/nowhere/",
}

TABLES: Mapping[str, Callable[[Scene], str]] = {
    "all tables": lambda scene: reverse("admin:index"),
    "table of operators": lambda scene: reverse("admin:accounts_operator_changelist"),
    "operator's row": lambda scene: reverse("admin:accounts_operator_change", args=[scene.operators[Role.OWNER].pk]),
    "history of a row": lambda scene: reverse("admin:accounts_operator_history", args=[scene.operators[Role.OWNER].pk]),
    "deleting a row": lambda scene: reverse("admin:accounts_operator_delete", args=[scene.operators[Role.OWNER].pk]),
    "new membership": lambda scene: reverse("admin:accounts_membership_add"),
    "vendor's row": lambda scene: reverse("admin:customers_vendor_change", args=[scene.vendor.pk]),
    "table of invoices": lambda scene: reverse("admin:invoicing_invoice_changelist"),
    "invoice's row": lambda scene: reverse("admin:invoicing_invoice_change", args=[scene.invoices["issued"].pk]),
}


@pytest.mark.parametrize("half", [0, 1])
def test_screens(browser: Browser, live_server: LiveServer, scene: Scene, half: int) -> None:
    walk = Walk(browser, live_server.url)
    if pictures.folder():
        pictures.dress(scene)
    walk.look("sign in", reverse("portal:sign_in"))
    sign_in(walk.page, scene, Role.OWNER)
    for name, address in list((PAGES | OUTSIDE).items())[half::2]:
        walk.look(name, address(scene))
    walk.close()
    pictures.write_gallery(["sign in", *PAGES, *OUTSIDE])


def test_the_admin_site_and_what_developers_read(browser: Browser, live_server: LiveServer, scene: Scene) -> None:
    walk = Walk(browser, live_server.url)
    root = Operator.objects.create_superuser("root@example.com", "a long secret of mine")
    walk.page.goto(reverse("admin:index"))
    sign_in_as(walk.page, root.email, "a long secret of mine")
    for name, address in TABLES.items():
        walk.look(name, address(scene), DESKTOP)
    walk.look("API reference", reverse("api-reference"), DESKTOP)  # very long; a phone shows the same
    walk.close()


class Walk:
    """One page after another in one window. What is wrong is told at the end, all of it."""

    def __init__(self, browser: Browser, home: str) -> None:
        self.context = browser.new_context(base_url=home, reduced_motion="reduce")
        self.watch = Watch(self.context, home)
        self.page = self.context.new_page()
        self.faults: list[str] = []

    def look(self, name: str, address: str, looks: Sequence[Look] = LOOKS) -> None:
        put_on(self.page, looks[0])
        self.page.goto(address)
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        self.page.evaluate("document.fonts.ready")
        self.look_again(name, looks)

    def look_again(self, name: str, looks: Sequence[Look] = LOOKS) -> None:
        """At the page as it stands now."""
        for look in looks:
            self._look(name, look)

    def _look(self, name: str, look: Look) -> None:
        put_on(self.page, look)
        pictures.take(self.page, name, str(look))
        if pictures.folder():
            return  # the vendor is dressed up for them, and nothing is judged
        if self.page.evaluate("document.documentElement.scrollWidth") > SIZES[look.size][0]:
            self.faults.append(f"{name}, {look}: wider than the window")
        self.faults += [f"{name}, {look}: {violation}" for violation in violations(self.page, look.rules)]

    def close(self) -> None:
        self.context.close()
        # The one complaint that an address with nothing behind it may cause.
        missing = "Failed to load resource: the server responded with a status of 404"
        heard = [complaint for complaint in self.watch.complaints if not complaint.startswith(missing)]
        assert self.faults + heard == []


def put_on(page: Page, look: Look) -> None:
    """As the window's width and the theme switch do it, on a page that is there already."""
    width, height = SIZES[look.size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=look.scheme)
    page.evaluate("is_dark => document.documentElement.classList.toggle('dark', is_dark)", look.scheme == "dark")
