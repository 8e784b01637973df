"""Each screen and each button, as each role: walked by the addresses that there are, so that none is forgotten."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, URLPattern, resolve, reverse

from billing_portal.accounts.models import Role
from billing_portal.accounts.roles import Permission, allows
from billing_portal.portal.bulk import BULK_BUTTONS
from billing_portal.portal.invoice_verbs import BUTTONS
from billing_portal.portal.invoices import PRESS
from billing_portal.portal.urls import urlpatterns
from invoicing.invoices.verbs import InvoiceVerb
from tests.portal.pressable import Form, pressable
from tests.portal.scene import Scene
from tests.portal.test_screens import PAGES

SignedIn = Callable[..., Client]
Methods = Mapping[str, Permission | None]

# Whoever has no account yet, or is not signed in, comes here.
FOR_EVERYBODY = {"sign_in", "second_step", "sign_out", "forgotten_password", "choose_password", "join"}
# Asks for a permission of its own, by what its address or its form names.
ASKS_ITSELF = {"invoice_verb"}
# What a GET of these answers is no page.
NO_PAGES = {
    "billing_run_progress": "A part of a page.",
    "clock_progress": "A part of a page.",
    "import_progress": "A part of a page.",
    "import_errors": "A file.",
    "invoice_glance": "A part of a page.",
    "import": "There is one only once a file was sent; tests/portal/test_imports.py does.",
    "invoice_pdf": "A document.",
    "invoice_picture": "A picture.",
    "stripe_callback": "Where the browser comes back from Stripe; held to the visit it began (test_stripe_oauth.py).",
}
ANYTHING = {
    "UUIDConverter": uuid.UUID(int=0),
    "IntConverter": 1,
    "SlugConverter": "nothing",
    "CodeName": "acme",
    "StripeMode": "test",
    "StringConverter": "nothing",
}


def methods_of(pattern: URLPattern) -> Methods:
    found: Methods = getattr(pattern.callback, "methods", {})
    return found


GUARDED = {p.name: p for p in urlpatterns if p.name not in FOR_EVERYBODY | ASKS_ITSELF}
SCREENS = {str(name) for name, pattern in GUARDED.items() if "GET" in methods_of(pattern)}


def address_of(pattern: URLPattern) -> str:
    """With something in each place; permission is asked before anything is looked for."""
    kinds = {name: type(converter).__name__ for name, converter in pattern.pattern.converters.items()}
    return reverse(f"portal:{pattern.name}", kwargs={name: ANYTHING[kind] for name, kind in kinds.items()})


def test_every_address_asks_who_is_there() -> None:
    assert [name for name, pattern in GUARDED.items() if not methods_of(pattern)] == []
    assert {p.name for p in urlpatterns} >= FOR_EVERYBODY


def test_every_screen_is_walked(scene: Scene) -> None:
    """A new one belongs into ``PAGES``, and then every walk visits it: roles, vendors, browser."""
    walked = {resolve(urlsplit(address(scene)).path).url_name for address in PAGES.values()}
    assert sorted(SCREENS - walked - NO_PAGES.keys()) == []


@pytest.mark.parametrize("role", list(Role))
def test_whoever_may_not_press_is_refused_in_words(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    client = signed_in(role)
    refused = [
        (method, address_of(pattern))
        for pattern in GUARDED.values()
        for method, permission in methods_of(pattern).items()
        if permission is not None and not allows(role, permission)
    ]
    some_invoice = scene.invoices["generated"].uuid
    for verb in PRESS:
        if not allows(role, BUTTONS[verb].permission):
            refused.append(("POST", reverse("portal:invoice_verb", args=[some_invoice, verb.value])))
    assert bool(refused) is not (role is Role.OWNER)
    for method, address in refused:
        answer = client.generic(method, address)
        assert answer.status_code == 403, address
        assert f"Your role, {role.label}, may not" in answer.content.decode(), address


@pytest.mark.parametrize("role", list(Role))
def test_no_button_is_shown_that_the_role_may_not_press(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    client, astray = signed_in(role), []
    for page, address in PAGES.items():
        where = address(scene)
        for form in pressable(client.get(where).content.decode(), where):
            wrong = [needed for needed in needed_for(form) if needed and not allows(role, needed)]
            astray += [f"{page}: {form.action} needs {needed}" for needed in wrong]
    assert astray == []


def test_forms_of_an_owner_are_seen_at_all(scene: Scene, signed_in: SignedIn) -> None:
    """The walk above would also succeed if it saw nothing."""
    client, seen = signed_in(Role.OWNER), set()
    for address in PAGES.values():
        where = address(scene)
        for form in pressable(client.get(where).content.decode(), where):
            seen |= {needed for needed in needed_for(form) if needed}
    assert {Permission.VOID_INVOICE, Permission.CHANGE_SETTINGS, Permission.MANAGE_OPERATORS} <= seen
    assert len(seen) > 15


def needed_for(form: Form) -> Iterator[Permission | None]:
    """What must be allowed to whoever presses its buttons."""
    try:
        match = resolve(urlsplit(form.action).path)
    except Resolver404:
        pytest.fail(f"A form goes to {form.action}, where nothing is.")
    if match.url_name == "bulk":
        yield from (button.permission for button in BULK_BUTTONS if button.verb.value in form.buttons)
    elif match.url_name == "invoice_verb":
        yield BUTTONS[InvoiceVerb(match.kwargs["name"])].permission
    elif match.url_name not in FOR_EVERYBODY:
        yield match.func.methods["POST"]  # type: ignore[attr-defined]
