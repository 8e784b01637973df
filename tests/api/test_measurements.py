"""/measurements, /live_measurements and a customer's usage."""

import pytest

from invoicing.models import Measurement, UnattributedMeasurement
from invoicing.usage import csv_files
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


CSV = """meter_name,customer_name,value,time,labels.region,id,reset_total
calls,acme,12.5,2026-03-01T10:00:00Z,eu,,
calls,acme,7,2026-03-01T10:00:00Z,eu,,
calls,acme,1,2026-03-02,"us, east",e-1,true

calls,initech,4,2026-03-02T10:00:00Z,,,false
"""


def upload(api: Api, text: str | bytes, key: str = "one"):
    content = text.encode() if isinstance(text, str) else text
    headers = api._headers(key)
    return api._checked(
        api.http.generic("POST", "/api/v1/measurements/csv", content, content_type="text/csv", headers=headers)
    )


@pytest.mark.usefixtures("customer")
def test_a_file_is_taken_in(api: Api) -> None:
    """Sent twice under one key it is taken once; a later row of the same moment replaces an earlier one."""
    for _ in range(2):
        assert answer(upload(api, "\ufeff" + CSV)) == {"measurements": 4, "unattributed": 1}
    kept = Measurement.objects.order_by("time").values_list("value", "labels", "external_id", "reset_total")
    assert list(kept) == [(7, {"region": "eu"}, "", False), (1, {"region": "us, east"}, "e-1", True)]
    assert UnattributedMeasurement.objects.get().customer_name == "initech"
    assert refusal(upload(api, CSV.replace("12.5", "13")), 422)["kind"] == "idempotency_key_reused"


@pytest.mark.usefixtures("customer")
@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        (CSV.replace(",7,", ",seven,"), "row 3.value", "'seven' is not a number"),
        (CSV.replace(",7,", ",Infinity,"), "row 3.value", "Out of range"),
        (CSV.replace("true", "maybe"), "row 4.reset_total", "neither true nor false"),
        (CSV.replace("2026-03-02,", "2nd of March,"), "row 4.time", "write it like"),
        (CSV.replace(",,false", ""), "row 6", "It has 5 cells, and row 1 names 7 columns"),
        (CSV.replace("meter_name,c", "metre,c"), "row 1", "There is no column 'metre'. Known: customer_name"),
        (CSV.replace("id,", "value,"), "row 1", "The column 'value' is there twice"),
        (CSV.replace('east"', 'east" of it'), "row 4", "This is not CSV"),
        (CSV.encode("utf-16"), "body", "save it as 'CSV UTF-8'"),
        ("", "body", "The file is empty"),
    ],
)
def test_a_bad_row_refuses_the_file_naming_row_and_reason(api: Api, text, place: str, why: str) -> None:
    [(at, reasons)] = refusal(upload(api, text), 422).items()
    assert (at, why in reasons[0]) == (place, True), (at, reasons)
    assert not Measurement.objects.exists()
    assert not UnattributedMeasurement.objects.exists()


@pytest.mark.usefixtures("customer")
def test_a_row_far_down_takes_back_what_was_written_before(api: Api, monkeypatch) -> None:
    rows = [f"calls,acme,{n},2026-03-01T10:00:00.{n:06}Z" for n in range(2_500)]
    text = "\n".join(["meter_name,customer_name,value,time", *rows])
    assert list(refusal(upload(api, text + "\ncalls,acme,,"), 422)) == ["row 2502.value"]
    assert not Measurement.objects.exists()
    assert answer(upload(api, text, "two"))["measurements"] == 2_500
    assert Measurement.objects.count() == 2_500
    monkeypatch.setattr(csv_files, "MOST_BYTES", 10_000)
    assert "several files" in refusal(upload(api, text, "three"), 422)["body"][0]
