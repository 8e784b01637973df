"""Fetching the logo: from a public address only, small, a picture, and never in the way of an invoice."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import requests
import typst
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from customers.customer import Customer
from customers.events.post import session
from customers.settings.policy import BillingPolicy, policy_for, vendor_policy
from customers.vendor import Vendor
from invoicing.invoices.documents.model import LOGO_MAX_BYTES, DocumentError, Logo
from invoicing.invoices.documents.pdf import check_picture
from invoicing.invoices.documents.pictures import MOST_PIXELS, pixels
from invoicing.invoices.logo_files import LogoFile, logo_file

logger = logging.getLogger(__name__)

FRESH_FOR = timedelta(days=1)
# After a failure: soon enough for who mends it, seldom enough that invoices of one run do not each wait for it.
TRIED_AGAIN_AFTER = timedelta(minutes=10)

TIMEOUT = (3.05, 5)
PATIENCE_SECONDS = 10
AGENT = "Billing-Portal-Logo/1"


class LogoProblem(Exception):
    """Why there is no picture, in a sentence for a person."""


def refresh(vendor: Vendor, policy: BillingPolicy, *, real_now: datetime) -> None:
    """See that the logo is here, where one is wanted. Called outside transactions; raises nothing."""
    url = policy.invoice_logo_url
    if not url or _is_fresh(logo_file(vendor, policy), real_now):
        return
    found: dict[str, object] = {"fetched_at": real_now}
    try:
        found |= {"data": fetch(url).data, "error": ""}
    except LogoProblem as problem:
        found["error"] = str(problem)
    LogoFile.objects.update_or_create(vendor=vendor, url=url, defaults=found)


def fetch_after_commit(vendor: Vendor, customer: Customer | None) -> None:
    """Settings were saved: what is wrong with the logo is to be seen before an invoice lacks it."""
    policy = policy_for(customer) if customer else vendor_policy(vendor)
    if policy.invoice_logo_url:
        transaction.on_commit(lambda: _ask_worker(vendor.pk, customer.pk if customer else 0))


def _ask_worker(vendor_id: int, customer_id: int) -> None:
    from invoicing.tasks import fetch_logo

    try:
        fetch_logo.delay(vendor_id, customer_id)
    except (OperationalError, RedisError) as error:
        logger.warning("The broker is out of reach, the logo is fetched with the next invoice: %s", error)


def _is_fresh(known: LogoFile | None, real_now: datetime) -> bool:
    if known is None:
        return False
    return real_now - known.fetched_at < (TRIED_AGAIN_AFTER if known.error else FRESH_FOR)


def fetch(url: str) -> Logo:
    """The picture at this address. Raises ``LogoProblem``."""
    logo = _logo(_download(url))
    size = pixels(logo.data, logo.format)
    if size is None:
        raise LogoProblem("The file is damaged: its size cannot be read.")
    if size > MOST_PIXELS:
        raise LogoProblem(f"The picture has {size:,} pixels: give one of at most {MOST_PIXELS:,}.")
    try:
        check_picture(logo)
    except typst.TypstError as error:
        raise LogoProblem("The file is damaged: it cannot be printed.") from error
    return logo


def _logo(data: bytes) -> Logo:
    try:
        return Logo(data)
    except DocumentError as error:
        raise LogoProblem(f"The {error}") from error


def _download(url: str) -> bytes:
    """Addresses are judged as those of webhooks are, redirects are not followed, and no more is read than may be."""
    with session(AGENT) as http:
        try:
            with http.get(url, headers={"Accept-Encoding": "identity"}, timeout=TIMEOUT, stream=True) as answer:
                _check_status(answer.status_code)
                return b"".join(_pieces(answer))
        except requests.RequestException as error:
            raise LogoProblem(f"It could not be fetched: {error}"[:1000]) from error


def _check_status(status: int) -> None:
    if 300 <= status < 400:
        raise LogoProblem(f"The server answered {status}. Redirects are not followed: give the address they lead to.")
    if status != 200:
        raise LogoProblem(f"The server answered {status}.")


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    read, until = 0, time.monotonic() + PATIENCE_SECONDS
    for piece in answer.iter_content(16 * 1024):
        read += len(piece)
        if read > LOGO_MAX_BYTES:
            raise LogoProblem(f"The file is too large: at most {LOGO_MAX_BYTES // 1024} KB are printed.")
        if time.monotonic() > until:
            raise LogoProblem("The server is too slow.")
        yield piece
