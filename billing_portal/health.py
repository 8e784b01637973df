"""Whether this process can work: for load balancers, orchestrators, and for ``up`` to know when it serves."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

SECONDS = 2.0


@never_cache
@require_safe
def healthz(_: HttpRequest) -> JsonResponse:
    """200 when the database and the broker answer, otherwise 503 naming which does not."""
    return _answer({"database": _database_answers(), "broker": _broker_answers()})


@never_cache
@require_safe
def readyz(_: HttpRequest) -> JsonResponse:
    """As ``healthz``, and the database has the tables that this version needs: requests may be sent here."""
    database = _database_answers()
    return _answer({"database": database, "broker": _broker_answers(), "migrations": database and _is_migrated()})


def _answer(checks: dict[str, bool]) -> JsonResponse:
    healthy = all(checks.values())
    named = {name: "ok" if answers else FAILINGS[name] for name, answers in checks.items()}
    return JsonResponse({"status": "ok" if healthy else "unavailable", **named}, status=200 if healthy else 503)


FAILINGS = {"database": "no answer", "broker": "no answer", "migrations": "not applied: run manage.py migrate"}


def _is_migrated() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False


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
