"""Whether this process can work: for load balancers, and for ``up`` to know when it serves."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

SECONDS = 2.0


@never_cache
@require_safe
def healthz(_: HttpRequest) -> JsonResponse:
    """200 when the database and the broker answer, otherwise 503 naming which does not."""
    checks = {"database": _database_answers(), "broker": _broker_answers()}
    healthy = all(checks.values())
    named = {name: "ok" if answers else "no answer" for name, answers in checks.items()}
    return JsonResponse({"status": "ok" if healthy else "unavailable", **named}, status=200 if healthy else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _broker_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.CELERY_BROKER_URL, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
