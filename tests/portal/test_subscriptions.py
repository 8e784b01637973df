"""Subscriptions, and what is put on them, from the customer's page; coupons from theirs."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.portal.timeline import timeline_of_customer
from customers.models import BillingSettings, Event
from invoicing.catalog.verbs import create_price_plan
from invoicing.models import AdhocCharge, BillingCycle, Coupon, Discount, Subscription
from invoicing.subscriptions.models import AddOnChange, CouponUse
from invoicing.subscriptions.verbs import subscribe
from tests.factories import CustomerFactory, VendorFactory
from tests.portal.scene import NOW, OLIVIA, Scene, make_operator

SignedIn = Callable[..., Client]
MAY = {Role.OWNER: True, Role.BILLING: True, Role.SUPPORT: False, Role.READ_ONLY: False}
COUPON = {
    "name": "spring", "display_name": "Spring", "discount_type": "FLAT", "discount_amount": "$25", "frequency": "ONCE",
    "duration_unit": "month", "max_uses": "1",
}  # fmt: skip


def tab(name: str) -> str:
    return reverse("portal:customer_subscription", args=[name])


def scale_plan(scene: Scene) -> str:
    """$300 a month, with an add-on."""
    seats = {"feature": {"name": "seats"}, "prices": [{"price": 1500}], "quantity_enabled": True, "limit": Decimal(5)}
    plan = create_price_plan(
        scene.vendor, {"name": "scale", "display_name": "Scale", "base_price": 30_000, "add_ons": [seats]}, now=NOW
    )
    return str(plan.external_uuid)


def wonka_since_march(scene: Scene) -> Subscription:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return subscribe(scene.customers["wonka"], scene.plan, effective_at=start, actor=OLIVIA, now=NOW, real_now=NOW)


def test_subscribing_with_everything_a_subscription_can_begin_with(scene: Scene, signed_in: SignedIn) -> None:
    client, uuid = signed_in(Role.BILLING), scale_plan(scene)
    client.post(reverse("portal:new_coupon"), COUPON)
    sent = {
        "plan": uuid, "effective_at": "2026-03-10T00:00", "align_to_calendar": "yes", "trial_length": "14",
        "trial_unit": "day", "coupon": "spring", "add_ons": "seats = 3 at 12.50", "discounts": "10 %",
        "discount_cycles": "2",
    }  # fmt: skip
    page = client.post(reverse("portal:new_subscription", args=["wonka"]), sent, follow=True).content.decode()
    assert "Wonka Confectionery is subscribed to Scale from 10 Mar 2026" in page
    made = Subscription.objects.get(customer=scene.customers["wonka"])
    assert (made.align_to_calendar, made.trial_ends_at) == (True, datetime(2026, 3, 24, tzinfo=UTC))
    assert [use.coupon.name for use in CouponUse.objects.filter(customer=made.customer)] == ["spring"]
    seats = AddOnChange.objects.get(subscription=made)
    assert (seats.add_on.name, seats.quantity, seats.price) == ("seats", 3, 1250)
    discount = Discount.objects.get(subscription=made, discount_type="PERCENT")
    assert (discount.amount, discount.end_cycle) == (10, discount.first_cycle + 2)
    assert "Call off…" in page
    answer = client.post(reverse("portal:end_subscription", args=["wonka"]), {"when": "now"}, follow=True)
    assert "is called off" in answer.content.decode()


def test_a_subscription_with_a_credit_features_and_a_discount_of_an_add_on(scene: Scene, signed_in: SignedIn) -> None:
    client, sent = signed_in(Role.BILLING), {"plan": scale_plan(scene), "trial_length": "2", "trial_unit": "month"}
    address = reverse("portal:new_subscription", args=["wonka"])
    wrong = {"trial_credit": "much", "limits_override": "projects: many", "discounts": "much", "add_ons": "desks = 2"}
    for name, text in [*wrong.items(), ("add_ons", "seats = 2 at most")]:
        refused = client.post(address, sent | {name: text})
        assert refused.context["form"].errors.keys() == {name}
    assert not Subscription.objects.filter(customer=scene.customers["wonka"]).exists()
    sent |= {"trial_credit": "$50", "features_override": "sso | Single sign-on", "limits_override": "projects = 10"}
    page = client.post(address, sent, follow=True).content.decode()
    made = Subscription.objects.get(customer=scene.customers["wonka"])
    assert (made.trial_ends_at, made.trial_credit) == (None, 5000)
    assert "$50.00 off its invoices, of billing cycles that begin before" in page
    assert "Single sign-on" in page
    assert "projects: 10" in page

    give = reverse("portal:give_discount", args=["wonka"])
    discount = {"discount-discount_type": "PERCENT", "discount-amount": "20", "discount-scope": "ADD_ON"}
    discount |= {"discount-start_offset": "0"}
    assert "Choose the add-on that it lowers." in client.post(give, discount).content.decode()
    page = client.post(give, discount | {"discount-add_on": "seats"}, follow=True).content.decode()
    assert Discount.objects.get(subscription=made).add_on == made.price_plan.add_ons.get()
    assert "20 % off seats" in page


def test_subscribing_in_the_past_says_what_follows(scene: Scene, signed_in: SignedIn) -> None:
    sent = {"plan": str(scene.plan.external_uuid), "effective_at": "2025-12-15T00:00"}
    page = signed_in().post(reverse("portal:new_subscription", args=["wonka"]), sent, follow=True).content.decode()
    assert "2 billing cycles ended since then: their invoices follow now." in page


def test_the_preview_of_a_change_is_what_the_change_bills(scene: Scene, signed_in: SignedIn) -> None:
    """A month of 31 days that began on 1 March, changed at noon of the 3rd: two and a half of 31 days of $99."""
    client, uuid = signed_in(), scale_plan(scene)
    wonka_since_march(scene)
    sent = {"plan": uuid, "when": "now"}
    events = Event.objects.count()
    page = client.post(reverse("portal:preview_plan_change", args=["wonka"]), sent).content.decode()
    assert "An invoice follows at once" in page
    assert page.count("$7.98") == 2  # the line, and the sum
    assert Subscription.objects.filter(customer__name="wonka").count() == 1
    assert BillingCycle.objects.get(customer__name="wonka").end == datetime(2026, 4, 1, tzinfo=UTC)
    assert Event.objects.count() == events

    done = client.post(reverse("portal:change_plan", args=["wonka"]), sent, follow=True).content.decode()
    assert "changes from Growth to Scale (version 1) at 3 Mar 2026" in done
    old, new = Subscription.objects.filter(customer__name="wonka").order_by("pk")
    assert (old.expired_at, new.effective_at, new.price_plan.name) == (new.effective_at, old.expired_at, "scale")


def test_the_preview_shows_what_is_billed_in_advance_and_given_back(scene: Scene, signed_in: SignedIn) -> None:
    BillingSettings.objects.filter(vendor=scene.vendor).update(invoice_fixed_components_at_start=True)
    client, uuid = signed_in(), scale_plan(scene)
    wonka_since_march(scene)
    page = client.post(
        reverse("portal:preview_plan_change", args=["wonka"]), {"plan": uuid, "when": "at_cycle_start"}
    ).content.decode()
    assert "$300.00" in page
    assert "Scale" in page


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"plan": ""}, "This field is required"),
        ({"plan": "nonsense"}, "not one of the available choices"),
        ({"when": "moment"}, "Give the time at which it takes effect"),
        ({"when": "moment", "effective_at": "2020-01-01T00:00"}, "Earlier billing cycles have ended"),
        ({"trial_length": "99999"}, "at most ten years"),
        ({"coupon": "none"}, "not one of the available choices"),
    ],
)
def test_a_wrong_change_is_refused_beside_its_field(
    scene: Scene, signed_in: SignedIn, changes: dict[str, str], says: str
) -> None:
    uuid = scale_plan(scene)
    wonka_since_march(scene)
    before = list(Subscription.objects.order_by("pk").values())
    sent = {"plan": uuid, "when": "now", "trial_unit": "day", **changes}
    response = signed_in().post(reverse("portal:change_plan", args=["wonka"]), sent)
    assert response.status_code == 200
    assert says in response.content.decode()
    assert list(Subscription.objects.order_by("pk").values()) == before


def test_what_is_put_on_a_subscription_and_taken_away_again(scene: Scene, signed_in: SignedIn) -> None:
    client, customer = signed_in(Role.BILLING), scene.customers["wonka"]
    client.post(reverse("portal:new_subscription", args=["wonka"]), {"plan": scale_plan(scene)})

    def put(verb: str, sent: dict[str, str]) -> str:
        place = {"give_discount": "discount", "change_add_on": "add_on", "new_charge": "charge"}[verb]
        named = {f"{place}-{name}": value for name, value in sent.items()}
        return client.post(reverse(f"portal:{verb}", args=["wonka"]), named, follow=True).content.decode()

    page = put("give_discount", {"discount_type": "FLAT", "amount": "$20", "scope": "BASE_PRICE", "start_offset": "0"})
    assert "$20.00 off base price" in page
    discount = Discount.objects.get(subscription__customer=customer)
    assert (discount.amount, discount.end_cycle) == (2000, None)
    ended = client.post(reverse("portal:end_discount", args=["wonka", discount.uuid]), {"when": "cycle_end"})
    assert ended.status_code == 302
    discount.refresh_from_db()
    assert discount.end_cycle == 1

    page = put("change_add_on", {"name": "seats", "quantity": "3", "price": "12.50", "when": "now"})
    assert "has 3 more of seats" in page
    change = AddOnChange.objects.get()
    assert (change.quantity, change.price) == (3, 1250)

    page = put("new_charge", {"item_display_name": "Onboarding", "quantity": "2", "total_price": "1,000"})
    assert "Onboarding" in page
    charge = AdhocCharge.objects.get()
    assert (charge.total_price, charge.charge_time.date()) == (100_000, NOW.date())
    assert "$1,317.50" in page  # $300 less $20, three seats at $12.50, and the charge
    gone = client.post(reverse("portal:drop_charge", args=["wonka", charge.uuid]), follow=True).content.decode()
    assert "is called off" in gone
    assert not AdhocCharge.objects.exists()

    coupon = client.post(reverse("portal:new_coupon"), COUPON, follow=True)
    assert coupon.status_code == 200
    client.post(reverse("portal:use_coupon", args=["wonka"]), {"coupon-coupon": "spring"})
    entries = timeline_of_customer(scene.vendor, customer.pk)[:6]
    told = [(one.sentence, one.detail) for one in entries]
    assert told == [
        ("Coupon used", "Spring."),
        ("Charge called off", "Onboarding, $1,000.00, of 2026-03-03."),
        ("Charge added", "Onboarding, $1,000.00, of 2026-03-03."),
        ("Add-ons changed", "3 more of seats at $12.50 each from 2026-03-03 on."),
        ("Discount ended", "$20.00 off the base price: for the running billing cycle."),
        ("Discount given", "$20.00 off the base price, from billing cycle 1 on."),
    ]
    assert {one.actor for one in entries} == {scene.operators[Role.BILLING].as_actor().label}


@pytest.mark.parametrize(
    ("verb", "sent", "says"),
    [
        ("give_discount", {"discount-discount_type": "PERCENT", "discount-amount": "120"}, "up to 100"),
        ("give_discount", {"discount-discount_type": "FLAT", "discount-amount": "ten"}, "not an amount of money"),
        ("give_discount", {"discount-discount_type": "PERCENT", "discount-amount": "x"}, "is not a percentage"),
        (
            "give_discount",
            {"discount-discount_type": "PERCENT", "discount-amount": "5", "discount-scope": "METERED_COMPONENT"},
            "Choose the metered component",
        ),
        (
            "give_discount",
            {"discount-discount_type": "PERCENT", "discount-amount": "5", "discount-scope": "ADD_ON"},
            "Choose the add-on",
        ),
        ("new_charge", {"charge-total_price": "-5"}, "from 0 on"),
        ("new_charge", {"charge-total_price": "5", "charge-charge_time": "2019-01-01T00:00"}, "no subscription at"),
        ("use_coupon", {"coupon-coupon": "none"}, "not one of the available choices"),
    ],
)
def test_a_refused_form_stands_open_and_says_why(
    scene: Scene, signed_in: SignedIn, verb: str, sent: dict[str, str], says: str
) -> None:
    whole = {
        "discount-scope": "INVOICE_TOTAL", "discount-start_offset": "0", "charge-item_display_name": "X",
        "charge-quantity": "1",
    }  # fmt: skip
    response = signed_in().post(reverse(f"portal:{verb}", args=["acme"]), whole | sent)
    assert response.status_code == 200
    page = response.content.decode()
    assert says in page
    assert '<details class="bp-add" open>' in page
    assert not Discount.objects.exists()
    assert not AdhocCharge.objects.exists()


def test_the_credit_of_a_trial_is_shown(scene: Scene, signed_in: SignedIn) -> None:
    subscription = wonka_since_march(scene)
    Subscription.objects.filter(pk=subscription.pk).update(trial_credit=5_000, trial_credit_until=NOW)
    page = signed_in(Role.READ_ONLY).get(tab("wonka")).content.decode()
    assert "$50.00 off its invoices, of billing cycles that begin before" in page


def test_the_usage_of_a_meter_is_drawn_by_day(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in(Role.READ_ONLY).get(tab("acme"), {"meter": "requests", "span": "cycle"}).content.decode()
    assert "<title>1 Mar, API requests: 412 requests</title>" in page
    assert "<title>3 Mar, API requests: 1,236 requests</title>" in page
    assert "API requests of Acme Robotics by day, 1 Mar 2026 to 3 Mar 2026" in page
    month = signed_in(Role.READ_ONLY).get(tab("acme"), {"meter": "none", "span": "quarter"}).content.decode()
    assert month.count("<rect") == 91


# Coupons


def test_a_coupon_is_made_applied_and_withdrawn(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.BILLING)
    page = client.post(reverse("portal:new_coupon"), COUPON, follow=True).content.decode()
    assert "The coupon Spring is created." in page
    assert "$25.00 of the invoice" in page
    apply = reverse("portal:apply_coupon", args=["spring"])
    assert "There is no customer" in client.post(apply, {"customer": "nobody"}).content.decode()
    assert (
        "Acme Robotics uses the coupon Spring."
        in client.post(apply, {"customer": "acme"}, follow=True).content.decode()
    )
    assert "used as often as it may be" in client.post(apply, {"customer": "globex"}).content.decode()
    assert "Used up" in client.get(reverse("portal:coupons")).content.decode()
    gone = client.post(reverse("portal:withdraw_coupon", args=["spring"]), follow=True).content.decode()
    assert "Nobody can use it any more" in gone
    assert "Acme Robotics" in gone  # what it lowers goes on
    assert "Spring" in client.get(reverse("portal:coupons"), {"state": "withdrawn"}).content.decode()
    assert "No coupons yet" in client.get(reverse("portal:coupons")).content.decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "a/b"}, "name"),
        ({"discount_amount": "free"}, "discount_amount"),
        ({"discount_amount": "1.005"}, "discount_amount"),
        ({"discount_type": "PERCENT", "discount_amount": "120"}, "discount_amount"),
        ({"frequency": "RECURRING"}, "duration_length"),
        ({"max_uses": "0"}, "max_uses"),
    ],
)
def test_a_wrong_coupon_is_refused_beside_its_field(
    scene: Scene, signed_in: SignedIn, changes: dict[str, str], field: str
) -> None:
    response = signed_in().post(reverse("portal:new_coupon"), COUPON | changes)
    assert list(response.context["form"].errors) == [field]
    assert not Coupon.objects.exists()


# Who may, and whose it is

CHANGES = {
    "new coupon": (lambda: reverse("portal:new_coupon"), COUPON),
    "subscribe": (lambda: reverse("portal:new_subscription", args=["wonka"]), {"plan": "growth"}),
    "change plan": (lambda: reverse("portal:change_plan", args=["acme"]), {}),
    "preview": (lambda: reverse("portal:preview_plan_change", args=["acme"]), {}),
    "add-on": (lambda: reverse("portal:change_add_on", args=["acme"]), {}),
    "discount": (lambda: reverse("portal:give_discount", args=["acme"]), {}),
    "coupon": (lambda: reverse("portal:use_coupon", args=["acme"]), {}),
    "charge": (lambda: reverse("portal:new_charge", args=["acme"]), {}),
}


@pytest.mark.parametrize("role", list(Role))
def test_only_some_roles(scene: Scene, role: Role, signed_in: SignedIn) -> None:
    client = signed_in(role)
    for change, (address, sent) in CHANGES.items():
        response = client.post(address(), sent)
        assert (response.status_code in (200, 302)) is MAY[role], change
        assert (response.status_code == 403) is not MAY[role], change
    assert Coupon.objects.exists() is MAY[role]


def test_what_another_vendor_has_is_not_found(scene: Scene) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    for change, (address, sent) in CHANGES.items():
        if change != "new coupon":
            assert stranger.post(address(), sent).status_code == 404, change
    assert not Discount.objects.exists()


@pytest.mark.parametrize("state", ["", "trial", "ending", "to-come", "ended"])
def test_the_list_asks_the_same_number_of_questions_however_long(scene: Scene, signed_in: SignedIn, state: str) -> None:
    client, address = signed_in(), reverse("portal:subscriptions")
    times = {
        "": (NOW, None), "trial": (NOW, None), "ending": (NOW, datetime(2026, 5, 1, tzinfo=UTC)),
        "to-come": (datetime(2026, 5, 1, tzinfo=UTC), None), "ended": (datetime(2026, 1, 1, tzinfo=UTC), NOW),
    }  # fmt: skip
    start, end = times[state]

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address, {"state": state}).status_code == 200
        return len(queries)

    def add(count: int) -> None:
        Subscription.objects.bulk_create(
            Subscription(
                vendor=scene.vendor, customer=customer, price_plan=scene.plan, effective_at=start, expired_at=end,
                trial_ends_at=datetime(2026, 6, 1, tzinfo=UTC) if state == "trial" else None, created_at=NOW,
            )
            for customer in CustomerFactory.create_batch(count, vendor=scene.vendor)
        )  # fmt: skip

    add(1)
    asked()
    before = asked()
    add(5)
    assert asked() == before
    rows = client.get(address, {"state": state}).context["page"].rows
    assert len([row for row in rows if row.effective_at == start]) == 6
