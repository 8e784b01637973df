"""Meters, price plans and unattributed usage: what can be done on their screens, by whom, and what it costs."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.portal.meters import KINDS
from invoicing.models import Meter, PricePlan, UnattributedMeasurement
from tests.factories import MeterFactory, PricePlanFactory, SubscriptionFactory, VendorFactory
from tests.portal.scene import NOW, Scene, make_operator

SignedIn = Callable[..., Client]
MAY = {Role.OWNER: True, Role.BILLING: True, Role.SUPPORT: False, Role.READ_ONLY: False}

METER = {"name": "gigabytes", "kind": "DISCRETE:SUM", "unit_name": "GB", "primary_labels": "region, cluster"}
FILTER = '{"filter": {"key": "tier", "operation": "EQUALS", "value": "paid"}}'  # the example on the screen
PLAN = {
    "name": "scale",
    "display_name": "Scale",
    "period": "month",
    "currency": "USD",
    "base_price": "1,250.50",
    "components": "1",
    "c0-meter": "requests",
    "c0-scheme": "TIERED",
    "c0-batch": "1",
    "c0-quantity": "1500",
    "c0-tiers": "2",
    "c0-t0-price": "0.05",
    "c0-t0-cap": "1,000",
    "c0-t1-price": "0.0125",
}


def test_a_meter_is_created_with_what_was_typed(scene: Scene, signed_in: SignedIn) -> None:
    response = signed_in().post(reverse("portal:new_meter"), METER, follow=True)
    assert "The meter gigabytes is created." in response.content.decode()
    meter = Meter.objects.of(scene.vendor).get(name="gigabytes")
    assert (meter.event_name, meter.unit_name, meter.data_type, meter.aggregation) == (
        "gigabytes", "GB", "DISCRETE", "SUM",
    )  # fmt: skip
    assert meter.primary_labels == ["region", "cluster"]


@pytest.mark.parametrize("kind", [kind for _, kinds in KINDS for kind, _ in kinds])
def test_every_kind_that_is_offered_is_accepted(scene: Scene, signed_in: SignedIn, kind: str) -> None:
    assert signed_in().post(reverse("portal:new_meter"), METER | {"kind": kind}).status_code == 302
    meter = Meter.objects.of(scene.vendor).get(name="gigabytes")
    assert f"{meter.data_type}:{meter.aggregation}" == kind


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "a/b", "leave out"),
        ("primary_labels", "region, region", "Give each label once"),
        ("event_label_filter", '{"filter": 3}', "Give"),
        ("event_label_filter", "{", "valid JSON"),
    ],
)
def test_a_wrong_meter_is_refused_beside_its_field(
    scene: Scene, signed_in: SignedIn, field: str, value: str, says: str
) -> None:
    response = signed_in().post(reverse("portal:new_meter"), METER | {field: value})
    assert response.status_code == 200
    problems = response.context["form"].errors
    assert list(problems) == [field]
    assert says in str(problems)
    assert Meter.objects.of(scene.vendor).count() == 1


def test_a_label_filter_that_was_not_given_is_empty(scene: Scene, signed_in: SignedIn) -> None:
    form = signed_in().get(reverse("portal:new_meter")).context["form"]
    assert ">null<" not in str(form["event_label_filter"]).replace("\n", "")
    signed_in().post(reverse("portal:new_meter"), METER | {"event_label_filter": FILTER})
    kept = Meter.objects.of(scene.vendor).get(name="gigabytes").event_label_filter
    assert kept == {"filter": {"key": "tier", "operation": "EQUALS", "value": "paid"}}


def test_a_meters_name_is_given_once(scene: Scene, signed_in: SignedIn) -> None:
    MeterFactory(vendor=scene.vendor, name="gigabytes", event_name="bytes")
    response = signed_in().post(reverse("portal:new_meter"), METER)
    assert "exists already: choose another name" in str(response.context["form"].errors["name"])
    assert Meter.objects.of(scene.vendor).count() == 2


def test_a_meters_texts_can_be_changed(scene: Scene, signed_in: SignedIn) -> None:
    texts = {"display_name": "Calls", "description": "Every call."}
    page = signed_in().post(reverse("portal:meter", args=["requests"]), texts, follow=True).content.decode()
    assert "The meter Calls is saved." in page
    meter = Meter.objects.of(scene.vendor).get(name="requests")
    assert (meter.display_name, meter.description, meter.unit_name) == ("Calls", "Every call.", "requests")


def test_a_meter_in_use_is_not_archived(scene: Scene, signed_in: SignedIn) -> None:
    MeterFactory(vendor=scene.vendor, name="unused")
    used = signed_in().post(reverse("portal:archive_meter", args=["requests"]), follow=True).content.decode()
    assert "uses the meter" in used
    free = signed_in().post(reverse("portal:archive_meter", args=["unused"]), follow=True).content.decode()
    assert "The meter unused is archived." in free
    archived = Meter.objects.of(scene.vendor).filter(archived_at__isnull=False)
    assert [meter.name for meter in archived] == ["unused"]


def test_a_plan_is_created_with_what_was_typed(scene: Scene, signed_in: SignedIn) -> None:
    response = signed_in().post(reverse("portal:new_price_plan"), PLAN, follow=True)
    assert "The price plan Scale is created." in response.content.decode()
    plan = PricePlan.objects.of(scene.vendor).get(name="scale")
    assert (plan.base_price, plan.currency, plan.period) == (125_050, "USD", "month")
    scheme = plan.metered_components.get().price_scheme
    assert scheme.scheme_type == "TIERED"
    assert [(tier.price, tier.cap) for tier in scheme.tiers.all()] == [
        (Decimal(5), Decimal(1000)),
        (Decimal("1.25"), None),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "growth"}, "exists already"),
        ({"currency": "XXX"}, "not a currency in use"),
        ({"base_price": "lots"}, "not an amount of money"),
        ({"base_price": "1.005"}, "too many decimals"),
        ({"c0-meter": ""}, "Give the name of a meter"),
        ({"c0-t0-price": ""}, "Give a price."),
        ({"c0-t0-price": "free"}, "is not a number"),
        ({"c0-t1-price": "NaN"}, "out of range"),
        ({"c0-t1-cap": "900"}, "give more than 1000"),
        ({"c0-t0-cap": ""}, "Only the last tier"),
        ({"c0-batch": "1.5"}, "whole number"),
        ({"c0-scheme": "GUESS"}, "is not one of"),
    ],
)
def test_a_wrong_plan_is_refused_and_says_where(
    scene: Scene, signed_in: SignedIn, changes: dict[str, str], says: str
) -> None:
    response = signed_in().post(reverse("portal:new_price_plan"), PLAN | changes)
    assert response.status_code == 200
    page = response.content.decode()
    marked = page[page.index("Nothing was saved.") : page.index("Price preview")]
    assert says in marked
    assert not PricePlan.objects.of(scene.vendor).exclude(name="growth").exists()


# What each scheme makes of 1,500 units at 0.05 up to 1,000 and 0.0125 beyond.
@pytest.mark.parametrize(
    ("scheme", "steps", "amount"),
    [
        ("FLAT", ["1,500 at $0.05 each: $75.00"], "$75.00"),
        (
            "TIERED",
            ["1,000 at $0.05 each: $50.00", "500 at $0.0125 each: $6.25"],
            "$56.25",
        ),
        ("VOLUME", ["1,500 at $0.0125 each: $18.75"], "$18.75"),
        ("STAIRSTEP", ["$0.0125 in all"], "$0.01"),
    ],
)
def test_the_preview_prices_as_the_invoice_will(
    scene: Scene, signed_in: SignedIn, scheme: str, steps: list[str], amount: str
) -> None:
    address = reverse("portal:preview_new_price_plan")
    page = signed_in(Role.READ_ONLY).post(address, PLAN | {"c0-scheme": scheme, "base_price": ""}).content.decode()
    assert [step for step in steps if step not in page] == []
    assert page.count(amount) >= 2  # the component, and the cycle
    assert not PricePlan.objects.of(scene.vendor).filter(name="scale").exists()


@pytest.mark.parametrize(
    "changes", [{"c0-quantity": "many"}, {"c0-t1-price": ""}, {"c0-quantity": "1e40"}, {"c0-quantity": "-1"}]
)
def test_the_preview_says_what_it_still_needs(scene: Scene, signed_in: SignedIn, changes: dict[str, str]) -> None:
    response = signed_in().post(reverse("portal:preview_new_price_plan"), PLAN | changes)
    assert response.status_code == 200
    assert "To see what it costs:" in response.content.decode()


def test_buttons_of_the_form_change_only_the_form(scene: Scene, signed_in: SignedIn) -> None:
    def after(command: str) -> tuple[int, list[int]]:
        response = signed_in().post(reverse("portal:new_price_plan"), PLAN | {"do": command})
        boxes = response.context["boxes"]
        assert boxes.texts["name"] == "scale"
        return len(boxes.components), [len(component.tiers) for component in boxes.components]

    assert after("add") == (2, [2, 1])
    assert after("add-tier-0") == (1, [3])
    assert after("drop-tier-0-1") == (1, [1])
    assert after("drop-0") == (0, [])
    for nonsense in ("drop-7", "drop-tier-0-9", "add-tier-4", "x", "", "drop"):
        assert after(nonsense) == (1, [2])
    assert PricePlan.objects.of(scene.vendor).count() == 1


def test_a_plans_page_shows_versions_and_who_is_on_which(scene: Scene, signed_in: SignedIn) -> None:
    PricePlanFactory(vendor=scene.vendor, name="growth", display_name="Growth", version=2, base_price=12_900)
    client = signed_in()
    newest = client.get(reverse("portal:price_plan", args=["growth"])).content.decode()
    assert "$129.00 a month" in newest
    assert "Acme Robotics" in newest
    first = client.get(reverse("portal:price_plan", args=["growth"]), {"version": "1"}).content.decode()
    assert "$99.00 a month" in first
    assert "$0.07 each" in first
    versions = client.get(reverse("portal:price_plan", args=["growth"])).context["versions"]
    assert [(plan.version, plan.customer_count) for plan in versions] == [(2, 0), (1, 8)]
    for version in ("3", "0", "x"):
        assert client.get(reverse("portal:price_plan", args=["growth"]), {"version": version}).status_code == 404


def test_a_plan_with_customers_is_not_archived(scene: Scene, signed_in: SignedIn) -> None:
    PricePlanFactory(vendor=scene.vendor, name="old")
    kept = signed_in().post(reverse("portal:archive_price_plan", args=["growth"]), follow=True).content.decode()
    assert "end or change their subscriptions first" in kept
    gone = signed_in().post(reverse("portal:archive_price_plan", args=["old"]), follow=True).content.decode()
    assert "The price plan old is archived." in gone
    archived = PricePlan.objects.of(scene.vendor).filter(archived_at__isnull=False)
    assert [plan.name for plan in archived] == ["old"]


CHANGES = {
    "new meter": (lambda: reverse("portal:new_meter"), METER),
    "meter texts": (lambda: reverse("portal:meter", args=["requests"]), {"display_name": "Calls"}),
    "archive meter": (lambda: reverse("portal:archive_meter", args=["requests"]), {}),
    "new plan": (lambda: reverse("portal:new_price_plan"), PLAN),
    "archive plan": (lambda: reverse("portal:archive_price_plan", args=["growth"]), {}),
}


def traces() -> list[object]:
    return [*Meter.objects.order_by("pk").values(), *PricePlan.objects.order_by("pk").values()]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", list(Role))
def test_only_some_roles_change_the_catalog(scene: Scene, signed_in: SignedIn, role: Role, change: str) -> None:
    address, sent = CHANGES[change]
    before = traces()
    response = signed_in(role).post(address(), sent)
    assert response.status_code == (302 if MAY[role] else 403)
    if not MAY[role]:
        assert traces() == before


@pytest.mark.parametrize("change", CHANGES)
def test_changes_need_the_form_they_were_shown_in(scene: Scene, change: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(scene.operators[Role.OWNER])
    before, (address, sent) = traces(), CHANGES[change]
    assert browser.post(address(), sent).status_code == 403
    assert traces() == before


@pytest.mark.parametrize("change", ["archive meter", "archive plan"])
def test_nothing_is_archived_by_looking(scene: Scene, signed_in: SignedIn, change: str) -> None:
    assert signed_in().get(CHANGES[change][0]()).status_code == 405


@pytest.mark.parametrize("change", ["meter texts", "archive meter", "archive plan"])
def test_the_catalog_of_another_vendor_is_not_found(scene: Scene, change: str) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    before, (address, sent) = traces(), CHANGES[change]
    assert stranger.post(address(), sent).status_code == 404
    assert traces() == before


def test_a_stranger_cannot_price_our_meter(scene: Scene) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    page = stranger.post(reverse("portal:preview_new_price_plan"), PLAN).content.decode()
    assert "There is no meter" in page


def test_unattributed_usage_says_why_and_what_to_do(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in(Role.READ_ONLY).get(reverse("portal:unattributed")).content.decode()
    assert "account=massive-dynamic" in page
    assert "add a mapping that matches these labels" in page
    other = signed_in().get(reverse("portal:unattributed"), {"reason": "no_meter"}).content.decode()
    assert "massive-dynamic" not in other
    assert "Nothing waits for this reason" in other


@pytest.mark.parametrize(
    ("area", "says"),
    [("meters", "No meters yet"), ("price_plans", "No price plans yet"), ("unattributed", "Nothing is unattributed")],
)
def test_an_empty_list_says_what_to_do(db: None, area: str, says: str) -> None:
    newcomer = Client()
    newcomer.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert says in newcomer.get(reverse(f"portal:{area}")).content.decode()


@pytest.mark.parametrize("area", ["meters", "price_plans", "unattributed"])
def test_lists_ask_the_same_number_of_questions_however_long(scene: Scene, signed_in: SignedIn, area: str) -> None:
    client = signed_in()

    def questions() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get(reverse(f"portal:{area}")).status_code == 200
        return len(asked)

    questions()  # what is kept between requests is fetched once
    before = questions()
    meters = MeterFactory.create_batch(10, vendor=scene.vendor)
    PricePlanFactory.create_batch(10, vendor=scene.vendor)
    UnattributedMeasurement.objects.bulk_create(
        UnattributedMeasurement(
            vendor=scene.vendor, reason="no_meter", event_name=meter.name, time=NOW, value=1, received_at=NOW
        )
        for meter in meters
    )
    assert questions() == before


def test_a_plans_page_asks_the_same_number_of_questions_however_many_are_on_it(
    scene: Scene, signed_in: SignedIn
) -> None:
    client, address = signed_in(), reverse("portal:price_plan", args=["growth"])
    client.get(address)
    with CaptureQueriesContext(connection) as before:
        client.get(address)
    SubscriptionFactory.create_batch(10, customer__vendor=scene.vendor, price_plan=scene.plan)
    with CaptureQueriesContext(connection) as after:
        client.get(address)
    assert len(after) == len(before)


def test_a_plan_with_a_price_list_and_a_price_for_a_time(scene: Scene, signed_in: SignedIn) -> None:
    MeterFactory(vendor=scene.vendor, name="traffic", unit_name="GB", primary_labels=["region"])
    MeterFactory(
        vendor=scene.vendor, name="disk", unit_name="GB", meter_type="GAUGE", data_type="CONTINUOUS",
        is_incremental=False, reporting_method="TOTAL", aggregation="TIME_WEIGHTED_SUM",
    )  # fmt: skip
    rows = 'region,prices\neu,price=9\nus,"[{""price"": 8, ""cap"": 10}, {""price"": 7.5}]"'
    by_label = {
        "c0-meter": "traffic",
        "c0-scheme": "TIERED",
        "c0-tiers": "1",
        "c0-t0-price": "0.12",
        "c0-price_list": rows,
    }
    by_time = {"c1-meter": "disk", "c1-scheme": "FLAT", "c1-tiers": "1", "c1-t0-price": "2.50", "c1-time_unit": "month"}
    texts = {name: PLAN[name] for name in ("name", "period", "currency", "base_price")}
    sent = {**texts, "components": "2", **by_label, **by_time}
    page = signed_in().post(reverse("portal:new_price_plan"), sent, follow=True).content.decode()
    assert "The price plan" in page
    assert "$0.08 each up to 10" in page
    assert "$0.075 each beyond" in page
    disk = PricePlan.objects.of(scene.vendor).get(name="scale").metered_components.get(meter__name="disk")
    assert disk.price_scheme.time_unit_name == "month"
    wrong = {**sent, "name": "other", "c0-price_list": "region,prices\neu,9"}
    assert "price=900" in signed_in().post(reverse("portal:new_price_plan"), wrong).content.decode()
