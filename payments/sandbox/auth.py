"""Whose request is it? An API key, the account it acts on, its clock and its limit: one query."""

import base64
import binascii
from datetime import datetime

from django.db import connection
from django.http import HttpRequest

from payments.sandbox import limits
from payments.sandbox.errors import no_access, unauthenticated
from payments.sandbox.moments import at
from payments.sandbox.scope import Scope

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using "
    "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)
# A test key also reaches accounts that were connected in live mode only.
KEY_AND_CLOCK = """
SELECT k.account_id, k.livemode, c.frozen_at, c."offset", EXISTS (
    SELECT 1 FROM sandbox_connection n
    WHERE n.platform_id = k.account_id AND n.account_id = %(account)s AND (n.livemode OR NOT k.livemode)), (
    SELECT ARRAY[r.per_second, r.endpoint_per_second] FROM sandbox_ratelimit r
    WHERE r.livemode = k.livemode AND r.account IN ('', coalesce(%(account)s, k.account_id))
    ORDER BY r.account DESC LIMIT 1), EXISTS (
    SELECT 1 FROM sandbox_storedobject t
    WHERE t.account = coalesce(%(account)s, k.account_id) AND t.livemode = k.livemode
    AND t.object = 'test_helpers.test_clock')
FROM sandbox_apikey k
LEFT JOIN sandbox_clock c
    ON c.account = coalesce(%(account)s, k.account_id) AND c.livemode = k.livemode
WHERE k.secret = %(secret)s
"""


def scope_of(request: HttpRequest, request_id: str, real_now: datetime) -> Scope:
    secret = _secret(request.headers.get("Authorization", ""))
    if not secret:
        raise unauthenticated(NO_KEY)
    asked = request.headers.get("Stripe-Account")
    with connection.cursor() as cursor:
        cursor.execute(KEY_AND_CLOCK, {"secret": secret, "account": asked})
        found = cursor.fetchone()
    if found is None:
        raise unauthenticated(f"Invalid API Key provided: {secret[:8]}{'*' * 8}{secret[-4:]}")
    platform, livemode, frozen_at, offset, connected, limit, has_test_clocks = found
    per_second, of_endpoint = limit or (None, None)
    if asked and asked != platform and not connected:
        raise no_access(secret, asked)
    limits.enter(asked or platform, livemode, per_second)
    return Scope(
        account=asked or platform,
        livemode=livemode,
        now=at(real_now, frozen_at, offset),
        real_now=real_now,
        request=request_id,
        idempotency_key=request.headers.get("Idempotency-Key"),
        platform=platform,
        has_test_clocks=has_test_clocks,
        endpoint_per_second=of_endpoint,
    )


def _secret(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
