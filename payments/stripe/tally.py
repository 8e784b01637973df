"""What of incoming webhooks is only counted: bad signatures, and events in another API version than ours.

An event of another version is worth a warning and no more, because only ids are taken from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connection as database
from django.db.models import Max, Sum

from payments.stripe.client import API_VERSION
from payments.stripe.models import WebhookTally

if TYPE_CHECKING:
    from payments.stripe.inbox import Incoming

Kind = WebhookTally.Kind

# One statement, so that any number of deliveries at once are counted and none is refused for it. It does not wait for
# the disk: anybody can send what is counted here, and others would wait for the same row meanwhile.
COUNT = """
INSERT INTO {table} (kind, account_id, detail, day, count, last_at)
SELECT %s, %s, %s, %s::date, 1, %s::timestamptz FROM (SELECT set_config('synchronous_commit', 'off', true)) AS hurry
ON CONFLICT (day, kind, account_id, detail)
DO UPDATE SET count = {table}.count + 1, last_at = GREATEST({table}.last_at, EXCLUDED.last_at)
"""


@dataclass(frozen=True)
class Refusals:
    count: int
    last_at: datetime | None


def note_refusal(*, real_now: datetime) -> None:
    """A delivery whose signature is wrong: nothing is kept of it but that it came."""
    _count(Kind.BAD_SIGNATURE, "", "", real_now)


def note_version(incoming: Incoming, *, real_now: datetime) -> None:
    if incoming.api_version not in ("", API_VERSION):
        _count(Kind.OTHER_VERSION, incoming.account_id, incoming.api_version, real_now)


def refusals(*, since: datetime) -> Refusals:
    """How many deliveries were refused, whoever sent them."""
    rows = WebhookTally.objects.filter(kind=Kind.BAD_SIGNATURE, day__gte=since.date())
    found = rows.aggregate(count=Sum("count"), last_at=Max("last_at"))
    return Refusals(found["count"] or 0, found["last_at"])


def other_versions(accounts: Sequence[str], *, since: datetime) -> Mapping[str, int]:
    """How many events came in each version that is not ours."""
    rows = WebhookTally.objects.filter(kind=Kind.OTHER_VERSION, account_id__in=accounts, day__gte=since.date())
    return dict(rows.values_list("detail").annotate(count=Sum("count")).order_by("detail"))


def forget(*, before: datetime) -> None:
    WebhookTally.objects.filter(day__lt=before.date() - timedelta(days=1)).delete()


def _count(kind: Kind, account_id: str, detail: str, real_now: datetime) -> None:
    with database.cursor() as cursor:
        statement = COUNT.format(table=database.ops.quote_name(WebhookTally._meta.db_table))
        cursor.execute(statement, [kind, account_id, detail, real_now.date(), real_now])
