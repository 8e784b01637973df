"""API keys: what each may do, rolling, expiry, and the limit on requests."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisGone

from billing_portal.accounts.models import ApiKey, Scope
from customers.models import Customer, Vendor
from tests.api.client import Api, answer, refusal
from tests.contract.served_schema import operations

MEASUREMENTS = {"send_measurement", "send_measurements", "send_measurements_file"}
# A POST, because the question does not fit into an address.
QUESTIONS = {"usage_by_time", "spend_by_time"}


def with_scope(vendor: Vendor, scope: Scope) -> Api:
    api = Api(vendor)
    ApiKey.objects.filter(pk=api.row.pk).update(scope=scope)
    return api


def opened(scope: Scope) -> set[str]:
    named = {operation["operationId"]: method for (method, _), operation in operations().items()}
    reads = {name for name, method in named.items() if method == "get"} | QUESTIONS
    return {Scope.READ: reads, Scope.MEASUREMENTS: MEASUREMENTS, Scope.WRITE: set(named)}[scope]


@pytest.mark.parametrize("scope", [Scope.READ, Scope.MEASUREMENTS])
def test_a_key_opens_what_it_was_made_for_and_nothing_else(vendor: Vendor, scope: Scope) -> None:
    """Every operation that is served, one by one. Nothing is found at any address; the question is who is told so."""
    api = with_scope(vendor, scope)
    for (method, path), operation in operations().items():
        filled = path.removeprefix("/api/v1").replace("{delivery_id}", "1").replace("{", "").replace("}", "")
        response = getattr(api, method)(filled)
        refused = response.status_code == 403
        assert refused != (operation["operationId"] in opened(scope)), f"{method} {path}: {response.status_code}"
        if refused:
            assert refusal(response, 403) == {"kind": "permission_denied"}
    assert not Customer.objects.exists()


def test_keys_are_made_shown_once_and_revoked_over_the_api(api: Api) -> None:
    made = answer(api.post("/api_keys", {"name": "Meters", "scope": "measurements"}))
    client = Client(headers={"Authorization": f"Bearer {made['api_key']}"})
    sent = client.post("/api/v1/measurements/multi", "[]", content_type="application/json")
    assert sent.status_code == 200
    listed = answer(api.get("/api_keys"))
    assert {row["name"] for row in listed} == {"Meters", "tests"}
    assert made["api_key"] not in json.dumps(listed)
    assert [row["name"] for row in answer(api.get("/api_keys", {"scope": "measurements"}))] == ["Meters"]
    answer(api.delete(f"/api_keys/{made['uuid']}"))
    assert client.post("/api/v1/measurements", "{}", content_type="application/json").status_code == 401
    assert answer(api.get(f"/api_keys/{made['uuid']}"))["expires_at"] is not None


def test_a_key_that_never_worked_is_not_made(api: Api) -> None:
    late = {"name": "Late", "expires_at": timezone.now().isoformat()}
    assert list(refusal(api.post("/api_keys", late), 422)) == ["expires_at"]
    assert list(refusal(api.post("/api_keys", {"name": "x", "scope": "everything"}), 422)) == ["scope"]
    assert ApiKey.objects.count() == 1


def test_a_key_is_rolled_as_existing_clients_do_it(api: Api) -> None:
    ApiKey.objects.update(scope=Scope.WRITE)
    before = timezone.now()
    new = answer(api.post("/admin/api_key/roll", {"api_key": api.key}))
    assert new["success"] is True
    old, successor = ApiKey.objects.order_by("pk")
    assert (successor.name, successor.scope, successor.expires_at) == (old.name, old.scope, None)
    assert timedelta(days=7) <= old.expires_at - before < timedelta(days=7, minutes=1)
    for key in (new["api_key"], api.key):
        answer(Client().get("/api/v1/meters", headers={"Authorization": f"Bearer {key}"}))
    refused = refusal(api.post("/admin/api_key/roll", {"api_key": api.key}), 409)
    assert refused == {"kind": "key_not_rollable"}, "one successor"


@pytest.mark.parametrize("path", ["/api/v1/admin/api_key/roll", "/admin/api_key/roll"])
def test_the_old_key_may_end_at_once(api: Api, path: str) -> None:
    body = {"apiKey": api.key, "expiresAt": (timezone.now() + timedelta(seconds=1)).isoformat()}
    headers = {"X-Authorization": f"Bearer {api.key}"}
    answer(Client().post(path, json.dumps(body), content_type="application/json", headers=headers))
    assert ApiKey.objects.get(pk=api.row.pk).expires_at == datetime.fromisoformat(body["expiresAt"])


def test_a_roll_never_lengthens_a_life_and_keeps_the_end_that_was_set(api: Api) -> None:
    ends = timezone.now() + timedelta(hours=1)
    made = answer(api.post("/api_keys", {"name": "Short", "expires_at": ends.isoformat()}))
    successor = answer(api.post(f"/api_keys/{made['uuid']}/roll"))
    old = ApiKey.objects.get(uuid=made["uuid"])
    assert old.expires_at == ends
    assert datetime.fromisoformat(successor["expires_at"]) == ends
    past = {"expires_at": (timezone.now() - timedelta(minutes=1)).isoformat()}
    assert list(refusal(api.post(f"/api_keys/{successor['uuid']}/roll", past), 422)) == ["expires_at"]


def test_only_ones_own_keys_are_rolled(api: Api, stranger: Api) -> None:
    assert list(refusal(api.post("/admin/api_key/roll", {"api_key": stranger.key}), 422)) == ["api_key"]
    refusal(api.post(f"/api_keys/{stranger.row.uuid}/roll"), 404)
    refusal(api.delete(f"/api_keys/{stranger.row.uuid}"), 404)
    answer(stranger.get("/meters"))


@pytest.fixture
def limited(settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    cache.clear()


@pytest.mark.usefixtures("limited")
def test_beyond_the_limit_a_key_waits_for_the_next_minute(api: Api, stranger: Api) -> None:
    start = datetime(2026, 3, 1, 12, 0, 15, tzinfo=timezone.get_default_timezone())
    with mock.patch("billing_portal.api.authentication.timezone.now", return_value=start):
        left = [api.get("/meters")["RateLimit-Remaining"] for _ in range(2)]
        refused = api.post("/meters", {"name": "m", "meter_type": "COUNTER"})
        assert refusal(refused, 429) == {"kind": "throttled"}
        answer(stranger.get("/meters"))
    assert left == ["1", "0"]
    told = {name: refused[name] for name in ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")}
    assert told == {"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "45"}
    assert refused["Retry-After"] == "45"
    with mock.patch("billing_portal.api.authentication.timezone.now", return_value=start + timedelta(seconds=45)):
        answer(api.get("/meters"))
    assert answer(stranger.get("/meters")) == []


@pytest.mark.usefixtures("limited")
def test_without_the_cache_nobody_is_held_back(api: Api) -> None:
    with mock.patch.object(cache, "incr", side_effect=RedisGone("refused")):
        for _ in range(4):
            answer(api.get("/meters"))
