"""Pictures of the screens. PICTURES names the folder of those that the documentation shows (docs/screens/README.md);
SCREENSHOTS one for whole pages, to look at while something is built."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.db.models import F, Q
from django.utils import timezone
from playwright.sync_api import Page

from billing_portal import heartbeats
from billing_portal.accounts.keys import make_key
from customers.actors import STRIPE
from customers.events.models import Event, EventKind
from customers.settings.models import BillingSettings
from invoicing.invoices.ledger import Payment
from invoicing.invoices.links import pdf_of
from invoicing.invoices.models import NumberSeries
from invoicing.models import Invoice, InvoiceDocument, LineItem, Measurement, PricePlan
from invoicing.rating.rate import rate_cycle
from invoicing.subscriptions.terms import load_terms
from invoicing.tasks import work_out_run
from invoicing.usage.values import Days, DayUsage, Usage
from tests.portal.scene import NOW, OLIVIA, Scene, make_invoice, tell
from tests.portal.test_screens import comparison, coupon, imported_file, stripe_event, webhook

QUALITY = 40  # the folder is of about 6 MB
# Those below the fold wait for somebody to come near.
SEEN_IMAGES_ARE_HERE = (
    "() => [...document.images].every("
    "one => one.complete || one.getBoundingClientRect().top > innerHeight || !one.getClientRects().length)"
)
# What was billed week by week before the invoices of the scene, in cents.
WEEKS = (61_200, 58_400, 70_900, 66_300, 83_100, 79_600, 91_800, 88_200, 97_500, 104_300, 112_600)

# For a picture of the whole page.
ALL_IMAGES = """() => Promise.all([...document.images].map(image => {
    image.loading = "eager";
    return image.decode().catch(() => {});
}))"""


def folder() -> Path | None:
    given = os.environ.get("PICTURES")
    return Path(given) if given else None


def take(page: Page, name: str, look: str) -> None:
    """WebP, which the driver's own screenshots know nothing of."""
    if (into := folder()) is not None:
        page.wait_for_function(SEEN_IMAGES_ARE_HERE)
        shot = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": False}
        data = page.context.new_cdp_session(page).send("Page.captureScreenshot", shot)["data"]
        into.mkdir(parents=True, exist_ok=True)
        (into / f"{file_name(name)}-{look}.webp").write_bytes(base64.b64decode(data))
    if whole := os.environ.get("SCREENSHOTS"):
        page.evaluate(ALL_IMAGES)
        page.screenshot(path=Path(whole) / f"{file_name(name)}-{look}.png", full_page=True)


def file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("'", ""))


def write_gallery(names: Iterable[str]) -> None:
    """The page that shows what is there."""
    into = folder()
    if into is None:
        return
    shown = [name for name in names if (into / f"{file_name(name)}-desktop-light.webp").exists()]
    text = INTRODUCTION + "".join(map(_section, shown))
    (into / "README.md").write_text(text, encoding="utf-8")


INTRODUCTION = """# Every screen

Light and dark, at 1280 x 900 and on a phone of 390 x 844, as an owner of a made-up vendor sees them. What each role
may press differs; `tests/browser/test_roles.py` opens all of them as every role. The pictures are made by

```
PICTURES=docs/screens REQUIRE_BROWSER=1 uv run pytest -n 0 tests/browser/test_screens.py::test_screens
```

which also writes this page. It needs a Chromium.
"""


def _section(name: str) -> str:
    def image(look: str, width: int) -> str:
        return f'<img src="{file_name(name)}-{look}.webp" width="{width}" alt="{name}, {look.replace("-", ", ")}">'

    looks = (("desktop-light", 390), ("desktop-dark", 390), ("phone-light", 127), ("phone-dark", 127))
    return f"\n## {name[0].upper()}{name[1:]}\n\n" + "\n".join(image(*look) for look in looks) + "\n"


def dress(scene: Scene) -> None:
    """A vendor that has been at work for a while, on a machine that runs."""
    BillingSettings.objects.update(stripe_immediate_finalization=True)  # then each retry is ours, and has its day
    for place, amount in enumerate(WEEKS):
        _paid(scene, place, amount)
    _whole_units()
    _in_their_time(scene)
    for program in (heartbeats.BEAT, heartbeats.WORKER):
        heartbeats.note(program, timezone.now())
    _documents()
    for made in (coupon, imported_file, comparison, stripe_event):
        made(scene)
    make_key(scene.vendor, "Production backend", real_now=timezone.now())
    for person, name in zip(scene.operators.values(), ("Olivia", "Bilal", "Sam", "Rosa"), strict=True):
        person.first_name = name
        person.save()
    _told(scene)
    webhook(scene)
    Event.objects.filter(occurred_at__gt=NOW).update(occurred_at=NOW)
    work_out_run(scene.vendor.pk)


def _in_their_time(scene: Scene) -> None:
    """Nothing has happened later than now, and numbers go on where the newest invoice stands."""
    issued = NOW - timedelta(hours=5)
    Invoice.objects.filter(issued_at__gt=NOW).update(issued_at=issued, issue_date=issued)
    tried = {"latest_payment_attempt_at": issued, "latest_invoice_attempt_at": issued}
    Invoice.objects.filter(status__in=["PAYMENT_FAILED", "INVOICING_FAILED"]).update(**tried)
    Measurement.objects.update(received_at=F("time"))
    NumberSeries.objects.create(vendor=scene.vendor, series="INV-{number}", next_value=151)


def _documents() -> None:
    """As they would have been printed."""
    for document in InvoiceDocument.objects.select_related("invoice"):
        document.delete()
        InvoiceDocument.objects.create(invoice=document.invoice, pdf=pdf_of(document.invoice), created_at=NOW)


def _paid(scene: Scene, place: int, amount: int) -> None:
    """An invoice of one past week; the newest last."""
    end = NOW - timedelta(weeks=len(WEEKS) + 1 - place)
    customer = ("acme", "globex", "umbrella", "hooli", "wayne")[place % 5]
    invoice = make_invoice(
        scene, f"week-{place}", customer, 80 + place, amount, status="INVOICE_PAID", gateway="stripe",
        external_invoice_id=f"in_1week{place}", period_start=end - timedelta(weeks=1), period_end=end,
    )  # fmt: skip
    Payment.objects.create(
        invoice=invoice, state="succeeded", amount=amount, method="Visa ending in 4242",
        external_id=f"ch_1week{place}", occurred_at=end + timedelta(days=3),
    )  # fmt: skip


def _whole_units() -> None:
    """Nobody calls an interface a third of a time."""
    for line in LineItem.objects.filter(kind="METERED_COMPONENT"):
        units = int(line.quantity)
        less = line.amount - 7 * units
        LineItem.objects.filter(pk=line.pk).update(quantity=Decimal(units), amount=7 * units)
        _explain(line, units)
        same = Invoice.objects.filter(pk=line.invoice_id)
        same.filter(~Q(amount_paid=0)).update(amount_paid=F("amount_paid") - less)
        same.update(sub_total=F("sub_total") - less, amount_due=F("amount_due") - less)
        Payment.objects.filter(invoice=line.invoice_id).update(amount=F("amount") - less)


def _explain(line: LineItem, units: int) -> None:
    """As rating does it: the tiers, and the days on which so much was used."""
    [terms] = load_terms(PricePlan.objects.values_list("pk", flat=True)).values()
    share, rest = divmod(units, 5)
    days = [line.start_time.date() + timedelta(days=4 * place) for place in range(5)]
    used = Days.of([DayUsage(day, Decimal(share + (rest if day == days[-1] else 0)), 24) for day in days])
    first, last = line.start_time + timedelta(hours=9), line.start_time + timedelta(days=16, hours=18)
    usage = {part.key: Usage(Decimal(units), first, last, 120, used) for part in terms.components}
    rated = rate_cycle(terms, usage, line.start_time, line.end_time)[-1]
    LineItem.objects.filter(pk=line.pk).update(metadata=rated.metadata, explanation=rated.explanation)


def _told(scene: Scene) -> None:
    paid, approved = scene.invoices["acme-january"], scene.invoices["generated"]
    tell(paid, EventKind.INVOICE_GENERATED, paid.generated_at)
    tell(paid, EventKind.INVOICE_ISSUED, paid.generated_at + timedelta(days=2))
    tell(paid, EventKind.INVOICE_PAID, paid.generated_at + timedelta(days=2, hours=1), STRIPE)
    tell(approved, EventKind.INVOICE_GENERATED, approved.generated_at)
    tell(approved, EventKind.INVOICE_APPROVED, NOW - timedelta(hours=3), OLIVIA)
    in_order = sorted(Event.objects.all(), key=lambda event: event.occurred_at)
    Event.objects.all().delete()
    for event in in_order:
        event.pk = None
        event.dispatched_at = timezone.now()
        event.save(force_insert=True)
