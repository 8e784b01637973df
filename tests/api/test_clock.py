"""/test_clock"""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from customers.models import Event, Vendor
from tests.api.client import Api, answer, refusal


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_vendors_time_is_real_time_at_first(api: Api) -> None:
    body = answer(api.get("/test_clock"))
    assert abs(moment(body["now"]) - timezone.now()) < timedelta(minutes=1)
    assert body["status"] == "ready"


def test_moving_forward(api: Api, django_capture_on_commit_callbacks) -> None:
    target = timezone.now() + timedelta(days=40)
    with django_capture_on_commit_callbacks(execute=True):
        body = answer(api.post("/test_clock", {"now": target.isoformat()}))
    assert body["status"] == "advancing"
    assert moment(body["now"]) < target, "it sets out, and has not arrived"
    body = answer(api.get("/test_clock"))
    assert body["status"] == "ready"
    assert timedelta(0) <= moment(body["now"]) - target < timedelta(minutes=1)
    assert Event.objects.get().kind == "test_clock.moved"


def test_it_is_only_driven_once_the_target_is_committed(api: Api, django_capture_on_commit_callbacks) -> None:
    target = timezone.now() + timedelta(days=1)
    with django_capture_on_commit_callbacks() as callbacks:
        answer(api.post("/test_clock", {"now": target.isoformat()}))
    assert len(callbacks) == 1
    assert answer(api.get("/test_clock"))["status"] == "advancing"


@pytest.mark.parametrize("body", [{"now": "2020-01-01T00:00:00Z"}, {"now": "soon"}, {"now": None}, {}, {"time": 1}])
def test_back_or_nowhere_is_refused(api: Api, vendor, body) -> None:
    before = Vendor.objects.values().get(pk=vendor.pk)
    assert "now" in refusal(api.post("/test_clock", body), 422)
    assert Vendor.objects.values().get(pk=vendor.pk) == before
    assert not Event.objects.exists()


def test_a_live_vendors_clock_cannot_be_moved(api: Api, vendor) -> None:
    vendor.is_test = False
    vendor.save()
    target = timezone.now() + timedelta(days=1)
    assert "test mode" in refusal(api.post("/test_clock", {"now": target.isoformat()}), 422)["now"][0]
    assert answer(api.get("/test_clock"))["status"] == "ready"


def test_one_vendors_clock_leaves_the_others_alone(api: Api, stranger: Api) -> None:
    api.post("/test_clock", {"now": (timezone.now() + timedelta(days=40)).isoformat()})
    assert moment(answer(stranger.get("/test_clock"))["now"]) < timezone.now() + timedelta(minutes=1)
