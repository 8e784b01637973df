"""The vendor's webhook endpoints: where its own systems listen."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings

from customers.errors import Invalid
from customers.events.models import WebhookEndpoint
from customers.vendor import Vendor

_LONGEST = 1000


def register_endpoint(
    vendor: Vendor, url: str, *, enable_signature: bool = True, real_now: datetime
) -> WebhookEndpoint:
    """Events from now on are told to ``url``. Raises ``Invalid``."""
    check_url(url)
    return WebhookEndpoint.objects.create(
        vendor=vendor, url=url, enable_signature=enable_signature, created_at=real_now
    )


def check_url(url: str) -> None:
    """Refuses what can be seen to be unreachable or private. Where a name leads is judged at each delivery."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # reading it raises where it is no number
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or len(url) > _LONGEST or not url.isprintable():
        raise Invalid({"url": "Give a full address, for example https://example.com/webhooks."})
    if _is_loopback(host):
        if not settings.WEBHOOKS_ALLOW_LOOPBACK:
            raise Invalid({"url": f"{host} is this machine. Give an address that is reachable from here."})
    elif (address := _literal(host)) and not address.is_global:
        raise Invalid({"url": f"{host} is a private address. Give one that is reachable over the internet."})


def _is_loopback(host: str) -> bool:
    address = _literal(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
