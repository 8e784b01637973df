"""/measurements, /live_measurements and a customer's usage."""

import pytest

from invoicing.models import Measurement, UnattributedMeasurement
from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory, MeasurementFactory, MeterFactory

ONE = {"meter_name": "calls", "customer_name": "acme", "value": 12.5, "time": "2026-03-01T10:00:00"}


@pytest.fixture
def customer(vendor):
    MeterFactory(vendor=vendor, name="calls")
    return CustomerFactory(vendor=vendor, name="acme")


@pytest.mark.usefixtures("customer")
def test_one_measurement_is_echoed(api: Api) -> None:
    body = answer(api.post("/measurements/", {**ONE, "labels": {"userId": "7"}, "id": "evt-1"}))
    assert body == {
        **ONE, "time": "2026-03-01T10:00:00Z", "labels": {"userId": "7"}, "id": "evt-1", "reset_total": False
    }  # fmt: skip


@pytest.mark.usefixtures("customer")
def test_many_are_echoed_in_order(api: Api) -> None:
    batch = [{**ONE, "value": value, "id": str(value)} for value in range(3)]
    assert [row["value"] for row in answer(api.post("/measurements/multi", batch))] == [0, 1, 2]
    assert Measurement.objects.count() == 3


@pytest.mark.usefixtures("customer")
def test_our_own_id_is_not_told(api: Api) -> None:
    body = answer(api.post("/measurements", {"meter_name": "calls", "customer_name": "acme", "value": 1}))
    assert "id" not in body
    assert body["time"].endswith("Z")


@pytest.mark.usefixtures("customer")
def test_refusals_name_the_item(api: Api) -> None:
    without = {"meter_name": "calls", "customer_name": "acme"}
    assert list(refusal(api.post("/measurements", without), 422)) == ["value"]
    assert list(refusal(api.post("/measurements/multi", [ONE, without]), 422)) == ["1.value"]
    assert list(refusal(api.post("/measurements/multi", ONE), 422)) == ["body"]
    assert list(refusal(api.post("/measurements", [ONE]), 422)) == ["body"]
    assert not Measurement.objects.exists()


def test_what_is_nobodys_is_kept(api: Api) -> None:
    answer(api.post("/measurements", ONE))
    assert UnattributedMeasurement.objects.get().reason == "no_meter"
    answer(api.post("/meters", {"name": "calls"}))
    answer(api.post("/customers", {"name": "acme"}))
    assert Measurement.objects.get().value == 12.5


@pytest.mark.usefixtures("customer")
def test_the_newest_come_first(api: Api, vendor) -> None:
    MeasurementFactory()
    CustomerFactory(vendor=vendor, name="globex")
    for customer in ("acme", "globex"):
        answer(api.post("/measurements", {**ONE, "customer_name": customer}))
    assert [row["customer_name"] for row in answer(api.get("/live_measurements/"))] == ["globex", "acme"]
    assert [row["value"] for row in answer(api.get("/live_measurements", {"customer_name": "acme"}))] == [12.5]
    assert len(answer(api.get("/live_measurements", {"limit": 1}))) == 1
    assert list(refusal(api.get("/live_measurements", {"limit": 5001}), 422)) == ["limit"]


@pytest.mark.usefixtures("customer")
def test_usage_in_a_window(api: Api) -> None:
    for day, value in ((1, 10), (2, 0.5), (3, 100)):
        answer(api.post("/measurements", {**ONE, "time": f"2026-03-0{day}T00:00:00Z", "value": value}))
    window = {"meter_name": "calls", "start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-03T00:00:00Z"}
    assert answer(api.get("/customers/acme/usage", window)) == {"usage": 10.5}
    assert list(refusal(api.get("/customers/acme/usage", {}), 422)) == ["meter_name"]
    assert list(refusal(api.get("/customers/acme/usage", {"meter_name": "calls"}), 422)) == ["start_time"]
    refusal(api.get("/customers/acme/usage", {"meter_name": "nothing"}), 404)
    refusal(api.get("/customers/nobody/usage", window), 404)


@pytest.mark.usefixtures("customer")
def test_usage_of_the_running_cycle(api: Api) -> None:
    answer(api.post("/price_plans", {"name": "pro"}))
    answer(api.post("/customers/acme/subscriptions", {"price_plan_name": "pro"}))
    answer(api.post("/measurements", {"meter_name": "calls", "customer_name": "acme", "value": 3}))
    answer(api.post("/measurements", ONE))
    assert answer(api.get("/customers/acme/usage", {"meter_name": "calls"})) == {"usage": 3}
