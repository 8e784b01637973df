"""Price plans with all they can have: typed, copied, made anew as the next version, changed for all at once."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.portal import plan_draft
from billing_portal.portal.plan_draft import AddOnBoxes, ComponentBoxes, PlanBoxes
from invoicing.catalog.api.plans import plan_shape
from invoicing.models import PricePlan
from tests.factories import MeterFactory, VendorFactory
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]

WHOLE = {
    "name": "whole",
    "display_name": "The whole plan",
    "description": "Everything at once",
    "period": "month",
    "currency": "USD",
    "base_price": "1,250.50",
    "base_price_description": "Platform fee",
    "base_price_frequency": "12",
    "minimum_charge": "500",
    "minimum_charge_frequency": "6",
    "trial_length": "2",
    "trial_unit": "week",
    "trial_credit": "40",
    "tags": "spring, public",
    "features": "sso | Single sign-on | For the team\nprojects | Projects",
    "limits": "projects = 10",
    "components": "2",
    "c0-meter": "traffic",
    "c0-display_name": "Traffic",
    "c0-scheme": "TIERED",
    "c0-batch": "100",
    "c0-unit_name": "gigabytes",
    "c0-minimum": "100",
    "c0-minimum_every": "3",
    "c0-months": "12",
    "c0-change": "-12.5",
    "c0-limit": "5000",
    "c0-label_limits": "region=eu: 1,000\nregion=each: 20",
    "c0-price_list": 'region,prices\neu,price=9\nus,"[{""price"": 8, ""cap"": 10}, {""price"": 7.5}]"\n',
    "c0-tiers": "2",
    "c0-t0-price": "0.05",
    "c0-t0-cap": "1000",
    "c0-t0-description": "the first thousand",
    "c0-t1-price": "0.0125",
    "c1-meter": "disk",
    "c1-scheme": "FLAT",
    "c1-time_unit": "month",
    "c1-watermark": "2.5",
    "c1-tiers": "1",
    "c1-t0-price": "2.5",
    "add_ons": "2",
    "a0-name": "seats",
    "a0-display_name": "Seats",
    "a0-scheme": "TIERED",
    "a0-quantity_enabled": "on",
    "a0-limit": "50",
    "a0-every": "12",
    "a0-in_one": "on",
    "a0-at_once": "on",
    "a0-tiers": "2",
    "a0-t0-price": "15",
    "a0-t0-cap": "10",
    "a0-t1-price": "12",
    "a1-name": "setup",
    "a1-scheme": "FLAT",
    "a1-single_use": "on",
    "a1-tiers": "1",
    "a1-t0-price": "250",
}


@pytest.fixture
def meters(scene: Scene) -> None:
    MeterFactory(vendor=scene.vendor, name="traffic", unit_name="GB", primary_labels=["region"])
    MeterFactory(
        vendor=scene.vendor, name="disk", unit_name="GB", meter_type="GAUGE", data_type="CONTINUOUS",
        is_incremental=False, reporting_method="TOTAL", aggregation="TIME_WEIGHTED_SUM",
    )  # fmt: skip


def sent_from(boxes: PlanBoxes) -> dict[str, str]:
    """What a browser sends of a form that shows these boxes."""
    sent = dict(boxes.texts) | {"components": str(len(boxes.components)), "add_ons": str(len(boxes.add_ons))}
    kinds: list[tuple[str, Sequence[ComponentBoxes | AddOnBoxes]]] = [("c", boxes.components), ("a", boxes.add_ons)]
    for letter, rows in kinds:
        for place, row in enumerate(rows):
            plain = {name: value for name, value in vars(row).items() if name != "tiers"}
            sent |= {f"{letter}{place}-{name}": value for name, value in plain.items()}
            sent[f"{letter}{place}-tiers"] = str(len(row.tiers))
            for n, tier in enumerate(row.tiers):
                sent |= {f"{letter}{place}-t{n}-{name}": value for name, value in vars(tier).items()}
    return sent


def shape(plan: PricePlan) -> dict[str, Any]:
    """All that a plan says, without what tells versions apart."""
    said: dict[str, Any] = dict(plan_shape(PricePlan.objects.get(pk=plan.pk)))
    for name in ("external_uuid", "version", "created_at", "tags"):
        said.pop(name)
    for part in (*said["metered_components"], *said["add_ons"]):
        part.pop("external_uuid")
    return said


@pytest.mark.usefixtures("meters")
def test_a_plan_with_everything_is_typed_and_its_next_version_begins_with_all_of_it(
    scene: Scene, signed_in: SignedIn
) -> None:
    client = signed_in(Role.BILLING)
    page = client.post(reverse("portal:new_price_plan"), WHOLE, follow=True).content.decode()
    assert "The price plan The whole plan is created." in page
    first = PricePlan.objects.of(scene.vendor).get(name="whole")
    said = shape(first)
    assert (said["base_price"], said["base_price_frequency"], said["minimum_charge"]) == (125_050, 12, 50_000)
    assert said["trial"] == {"time_length": 2, "time_unit_name": "week", "credit": 4000}
    assert first.tags == ["spring", "public"]
    assert [(one["feature"]["name"], one["limit"]) for one in said["limits"]] == [("projects", 10)]
    traffic, disk = said["metered_components"]
    assert (traffic["minimum_charge"], traffic["limit"], disk["watermark"]) == (10_000, 5000, 2.5)
    assert traffic["price_scheme"]["post_minimum_charge_percentage_change"] == -12.5
    assert traffic["price_scheme"]["prices"][0] == {"price": 5, "cap": 1000, "description": "the first thousand"}
    assert [one["labels"] for one in traffic["label_limits"]] == [{"region": "eu"}, {"region": "each"}]
    assert [(one["feature"]["name"], one["single_use"]) for one in said["add_ons"]] == [
        ("seats", False),
        ("setup", True),
    ]
    frequencies = ("price_frequency", "charge_frequency", "immediately_charge")
    assert [[one[name] for name in frequencies] for one in said["add_ons"]] == [[12, 12, True], [1, 1, False]]
    for shown in (
        "Platform fee",
        "$1,250.50 every 12 months",
        "at least $100.00",
        "Seats",
        "Single sign-on",
        "2 weeks",
        "Tiered for 12 cycles, when added",
    ):
        assert shown in page

    address = reverse("portal:new_plan_version", args=["whole"])
    boxes = client.get(address).context["boxes"]
    assert client.get(address).context["differences"] == []
    client.post(address, sent_from(boxes))
    second = PricePlan.objects.of(scene.vendor).get(name="whole", version=2)
    assert shape(second) == said


@pytest.mark.usefixtures("meters")
def test_a_new_version_says_what_it_changes_and_for_whom(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse("portal:new_plan_version", args=["growth"])
    form = client.get(address)
    assert "8 customers on the plan stay as they are" in form.content.decode()
    sent = sent_from(form.context["boxes"]) | {"base_price": "129", "c0-t0-price": "0.08", "c0-quantity": "10"}
    page = client.post(reverse("portal:preview_plan_version", args=["growth"]), sent).content.decode()
    assert "Base price: 99.00 → 129" in page
    assert "Metered component requests: tiers changed" in page
    done = client.post(address, sent, follow=True).content.decode()
    assert "Version 2 of Growth is made. 8 customers on older versions keep theirs." in done
    assert PricePlan.objects.of(scene.vendor).get(name="growth", version=2).base_price == 12_900


@pytest.mark.usefixtures("meters")
def test_a_copy_begins_with_everything_but_the_name(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    client.post(reverse("portal:new_price_plan"), WHOLE)
    boxes = client.get(reverse("portal:new_price_plan"), {"copy": "whole"}).context["boxes"]
    assert (boxes.texts["name"], boxes.texts["display_name"]) == ("", "Copy of The whole plan")
    client.post(reverse("portal:new_price_plan"), sent_from(boxes) | {"name": "twin", "display_name": "The whole plan"})
    plans = PricePlan.objects.of(scene.vendor)
    assert shape(plans.get(name="twin")) == shape(plans.get(name="whole")) | {"name": "twin"}
    assert client.get(reverse("portal:new_price_plan"), {"copy": "none"}).status_code == 404


@pytest.mark.usefixtures("meters")
def test_what_all_subscribers_of_a_version_have_at_once(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse("portal:change_plan_in_place", args=["growth", 1])
    page = client.get(address).content.decode()
    assert "8 customers on version 1" in page
    more = {"components": "1", "c0-meter": "traffic", "c0-scheme": "FLAT", "c0-tiers": "1", "c0-t0-price": "0.1"}
    sent = {"display_name": "Growth plus", "features": "sso | Single sign-on\nold", **more}
    done = client.post(address, sent, follow=True).content.decode()
    assert "is changed, for 8 customers at once" in done
    plan = PricePlan.objects.of(scene.vendor).get(name="growth")
    assert (plan.label, plan.version, plan.base_price) == ("Growth plus", 1, 9900)
    assert [part.meter.name for part in plan.metered_components.all()] == ["requests", "traffic"]

    client.post(address, {"display_name": "Growth plus", "features": "sso | Single sign-on"})
    plan.refresh_from_db()
    assert [feature["name"] for feature in plan.features] == ["sso"]
    again = client.post(address, {"display_name": "Lost", **more})
    assert "prices change with a new version" in again.content.decode()
    plan.refresh_from_db()
    assert plan.display_name == "Growth plus"
    assert [feature["name"] for feature in plan.features] == ["sso"]  # whole or not at all


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"base_price_frequency": "0"}, "Give a whole number of billing cycles"),
        ({"minimum_charge": "much"}, "not an amount of money"),
        ({"trial_length": "1.5"}, "Give a whole number"),
        ({"trial_length": "99999", "trial_unit": "year"}, "at most ten years"),
        ({"limits": "projects ten"}, "is not a number"),
        ({"features": "a/b"}, "without &#x27;/&#x27;"),
        ({"c0-minimum": "-1"}, "from 0 on"),
        ({"c0-change": "x"}, "is not a number"),
        ({"c0-label_limits": "zone=a: 3"}, "no primary label"),
        ({"a0-name": ""}, "Give a name"),
        ({"a1-t0-price": ""}, "Give a price."),
        ({"a1-name": "seats"}, "has an add-on"),
    ],
)
@pytest.mark.usefixtures("meters")
def test_a_wrong_plan_is_refused_and_says_where(
    scene: Scene, signed_in: SignedIn, changes: dict[str, str], says: str
) -> None:
    response = signed_in().post(reverse("portal:new_price_plan"), WHOLE | changes)
    page = response.content.decode()
    assert says in page[page.index("Nothing was saved.") : page.index("Price preview")]
    assert not PricePlan.objects.of(scene.vendor).filter(name="whole").exists()


@pytest.mark.usefixtures("meters")
def test_the_preview_knows_price_lists_and_minimums(scene: Scene, signed_in: SignedIn) -> None:
    """5 batches of 100 in the EU cost 9 cents each: 45 cents, and both minimums top it up."""
    sent = WHOLE | {"c0-quantity": "500", "c0-labels": "region=eu", "components": "1", "base_price": ""}
    page = signed_in().post(reverse("portal:preview_new_price_plan"), sent).content.decode()
    assert "500 at $0.09 per 100 gigabytes: $0.45" in page
    assert "Traffic Minimum Charge" in page
    assert "$99.55" in page
    assert "$400.00" in page
    assert page.count("$500.00") == 2  # in the minimum's text, and the cycle's sum


def test_buttons_change_add_ons_like_components() -> None:
    boxes = plan_draft.changed(plan_draft.empty("USD"), "addon-add")
    assert (len(boxes.add_ons), len(boxes.components)) == (1, 0)
    boxes = plan_draft.changed(boxes, "addon-add-tier-0")
    assert len(boxes.add_ons[0].tiers) == 2
    assert len(plan_draft.changed(boxes, "addon-drop-tier-0-1").add_ons[0].tiers) == 1
    assert plan_draft.changed(boxes, "addon-drop-0").add_ons == []


def test_who_may_and_whose(scene: Scene, signed_in: SignedIn) -> None:
    addresses = [
        reverse("portal:new_plan_version", args=["growth"]),
        reverse("portal:change_plan_in_place", args=["growth", 1]),
    ]
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    for address in addresses:
        assert signed_in(Role.SUPPORT).post(address, {}).status_code == 403
        assert signed_in(Role.SUPPORT).get(address).status_code == 200
        assert stranger.get(address).status_code == 404
        assert stranger.post(address, {}).status_code == 404
    assert PricePlan.objects.of(scene.vendor).count() == 1


def test_the_list_finds_names_and_tags_and_keeps_the_archived_apart(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse("portal:price_plans")
    PricePlan.objects.create(
        vendor=scene.vendor, name="old", currency="USD", tags=["public"], created_at="2026-01-01T00:00Z"
    )

    def found(**asked: str) -> list[str]:
        return [plan.name for plan in client.get(address, asked).context["page"].rows]

    assert found(q="rowt") == ["growth"]
    assert found(q="#public") == ["old"]
    assert found(q="nothing") == []
    assert found(state="archived") == []
    client.post(reverse("portal:archive_price_plan", args=["old"]))
    assert found() == ["growth"]
    assert found(state="archived") == ["old"]
