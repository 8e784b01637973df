"""The logo is fetched from the web, but carefully: it may be missing, it may never be in the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any

import pytest
from django.core import mail
from pypdf import PdfReader

from customers.settings.policy import BillingPolicy
from customers.settings.verbs import save_vendor_settings
from invoicing.invoices import logos
from invoicing.invoices.documents.pictures import pixels
from invoicing.invoices.logos import LogoProblem
from invoicing.models import Invoice, LogoFile
from tests.factories import InvoiceFactory, LineItemFactory
from tests.invoicing.documents.samples import a_logo
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)

NOW = utc(2026, 3, 1)


@dataclass
class Host:
    """Somebody's web server. ``answer`` is status and body."""

    url: str = ""
    answer: tuple[int, bytes] = (200, a_logo().data)
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked += 1
            status, body = host.answer
            self.send_response(status)
            for name, value in host.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                """Enough was read."""

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}/logo.png"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield host
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def world(host: Host) -> World:
    world = World(NOW, name="northwind")
    world.settings(should_send_invoice_to_customers=True, invoice_logo_url=host.url)
    return world


def issued(world: World, name: str) -> Invoice:
    fields = {"number": "", "generated_at": world.now, "paid_at": None, "issued_at": None}
    invoice = InvoiceFactory.create(customer=world.customer(name), **fields)
    LineItemFactory.create(invoice=invoice)
    world.rest()
    return Invoice.objects.get(pk=invoice.pk)


def pictures(invoice: Invoice) -> int:
    return len(PdfReader(BytesIO(bytes(invoice.document.pdf))).pages[0].images)


def test_it_is_fetched_once_and_printed_on_every_invoice(world, host):
    first, second = issued(world, "acme"), issued(world, "globex")
    assert [pictures(first), pictures(second)] == [1, 1]
    assert [first.document.remark, second.document.remark] == ["", ""]
    assert host.asked == 1
    assert len(mail.outbox) == 2


def test_an_unreachable_logo_stops_no_invoice_and_is_noted(world, host):
    host.answer = (404, b"")
    invoice = issued(world, "acme")
    assert (invoice.status, pictures(invoice)) == ("INVOICE_ISSUED", 0)
    assert invoice.document.remark == "Printed without the logo. The server answered 404."
    issued(world, "globex")
    assert host.asked == 1  # a run of invoices does not wait for it again and again
    host.answer = (200, a_logo().data)
    LogoFile.objects.update(fetched_at=world.now - timedelta(days=400))
    assert pictures(issued(world, "initech")) == 1
    assert pictures(Invoice.objects.get(pk=invoice.pk)) == 0  # what was issued never changes


def test_what_was_fetched_outlives_the_server(world, host):
    policy = BillingPolicy(invoice_logo_url=host.url)
    logos.refresh(world.vendor, policy, real_now=NOW)
    host.answer = (500, b"")
    logos.refresh(world.vendor, policy, real_now=NOW + timedelta(days=2))
    kept = LogoFile.objects.get()
    assert (bytes(kept.data), kept.error) == (a_logo().data, "The server answered 500.")


def test_saving_the_setting_fetches_it_and_says_what_is_wrong(world, host):
    host.answer = (200, b"<svg/>")
    values = {"invoice_logo_url": f"{host.url}?new"}
    save_vendor_settings(world.vendor, values, actor=OPERATOR, now=NOW, real_now=NOW)
    assert LogoFile.objects.get().error == "The logo: not a picture we can print, give a PNG, JPEG, GIF or WebP file."


BOMB = a_logo().data[:16] + (60_000).to_bytes(4, "big") * 2 + a_logo().data[24:]


@pytest.mark.parametrize(
    ("answer", "headers", "words"),
    [
        ((302, b""), {"Location": "http://169.254.169.254/"}, "Redirects are not followed"),
        ((200, b"x" * 600_000), {}, "too large"),
        ((200, a_logo().data[:40]), {}, "cannot be printed"),
        ((200, BOMB), {}, "3,600,000,000 pixels"),
    ],
)
def test_what_is_refused(host, answer, headers, words):
    host.answer, host.headers = answer, headers
    with pytest.raises(LogoProblem, match=words):
        logos.fetch(host.url)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://10.0.0.1/", "file:///etc/passwd", "nonsense"])
def test_only_public_addresses_are_asked(url):
    with pytest.raises(LogoProblem, match="could not be fetched"):
        logos.fetch(url)


def test_the_size_is_read_from_every_kind_of_picture():
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x10\x00\x20"
    webp = b"RIFF....WEBPVP8X" + b"\0" * 8 + (31).to_bytes(3, "little") + (15).to_bytes(3, "little")
    lossy = b"RIFF....WEBPVP8 " + b"\0" * 10 + (32).to_bytes(2, "little") + (16).to_bytes(2, "little")
    lossless = b"RIFF....WEBPVP8L" + b"\0" * 4 + b"\x2f" + (31 | 15 << 14).to_bytes(4, "little")
    assert [pixels(jpeg, "jpg"), pixels(b"GIF89a\x20\x00\x10\x00", "gif")] == [512, 512]
    assert [pixels(data, "webp") for data in (webp, lossy, lossless)] == [512, 512, 512]
    assert [pixels(b"", kind) for kind in ("png", "gif", "jpg", "webp")] == [None] * 4


def test_a_look_at_the_time(world, host):
    """Fresh for a day; after a failure it is tried again in ten minutes."""
    policy, asked = BillingPolicy(invoice_logo_url=host.url), []
    moments: list[datetime] = [NOW + timedelta(hours=hours) for hours in (0, 23, 25, 26)]
    for moment in moments:
        logos.refresh(world.vendor, policy, real_now=moment)
        asked.append(host.asked)
    assert asked == [1, 1, 2, 2]
