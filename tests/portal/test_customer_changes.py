"""Creating and editing customers, trying mappings, starting and ending subscriptions."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.models import Customer, Event, MeasurementMapping
from invoicing.models import Subscription
from invoicing.subscriptions.verbs import subscribe
from tests.factories import MappingFactory, VendorFactory
from tests.portal.scene import NOW, OLIVIA, Scene, make_operator

SignedIn = Callable[..., Client]
EVERYBODY_BUT_READERS = {Role.OWNER, Role.BILLING, Role.SUPPORT}
BILLERS = {Role.OWNER, Role.BILLING}

NEW = {
    "name": "cyberdyne",
    "display_name": "Cyberdyne Systems",
    "email": "ap@cyberdyne.example",
    "secondary_emails": "cfo@cyberdyne.example, ceo@cyberdyne.example",
    "city": "Sunnyvale",
    "tags": "west, robots",
    "measurement_mappings": "account = cyberdyne-.*\ncluster",
}


def test_a_customer_is_created_with_what_was_typed(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().post(reverse("portal:new_customer"), NEW, follow=True).content.decode()
    assert "Cyberdyne Systems is created." in page
    customer = Customer.objects.of(scene.vendor).get(name="cyberdyne")
    assert (customer.email, customer.city, customer.tags) == ("ap@cyberdyne.example", "Sunnyvale", ["west", "robots"])
    assert customer.secondary_emails == ["cfo@cyberdyne.example", "ceo@cyberdyne.example"]
    rules = customer.measurement_mappings.order_by("pk").values_list("label", "value_regex")
    assert list(rules) == [("account", "cyberdyne-.*"), ("cluster", ".*")]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "acme", "Names are unique"),
        ("name", "a/b", "no slash"),
        ("email", "nobody", "valid email"),
        ("secondary_emails", "nobody", "valid email"),
        ("measurement_mappings", "account = (", "not a valid regular expression"),
        ("measurement_mappings", "= acme", "cannot be blank"),
    ],
)
def test_a_wrong_customer_is_refused_beside_its_field(
    scene: Scene, signed_in: SignedIn, field: str, value: str, says: str
) -> None:
    before = Customer.objects.of(scene.vendor).count()
    response = signed_in().post(reverse("portal:new_customer"), NEW | {field: value})
    errors = response.context["form"].errors
    assert list(errors) == [field]
    assert says in str(errors)
    assert Customer.objects.of(scene.vendor).count() == before


def test_editing_changes_only_what_was_typed(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse("portal:edit_customer", args=["acme"])
    sent = {field.html_name: field.value() or "" for field in client.get(address).context["form"]}
    before = Customer.objects.filter(name="acme").values().get()
    assert client.post(address, sent).status_code == 302
    assert Customer.objects.filter(name="acme").values().get() == before
    assert not Event.objects.of(scene.vendor).filter(kind="customer.updated").exists()

    client.post(address, sent | {"city": "Shelbyville", "measurement_mappings": "account = acme\nteam = red"})
    after = Customer.objects.filter(name="acme").values().get()
    assert after == before | {"city": "Shelbyville"}
    rules = MeasurementMapping.objects.filter(customer__name="acme").order_by("pk").values_list("label", flat=True)
    assert list(rules) == ["account", "team"]
    assert Event.objects.of(scene.vendor).filter(kind="customer.updated").count() == 1


def tried(client: Client, labels: str) -> str:
    return client.post(reverse("portal:try_mappings"), {"labels": labels}).content.decode()


def test_the_tester_says_whose_a_measurement_would_be(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.READ_ONLY)
    assert "It belongs to" in tried(client, '{"account": "acme"}')
    assert "Acme Robotics" in tried(client, '{"account": "acme"}')
    assert "no mapping matches" in tried(client, '{"account": "acme-2"}')
    assert "no mapping matches" in tried(client, "{}")
    MappingFactory(customer=scene.customers["globex"], value_regex="ac.e")
    both = tried(client, '{"account": "acme"}')
    assert "Several customers match" in both
    assert "Globex Corporation" in both


@pytest.mark.parametrize("labels", ["", "acme", "[]", '{"account": 3}', '{"account": "a\\u0000"}', "[" * 100_000])
def test_the_tester_explains_what_it_takes(scene: Scene, signed_in: SignedIn, labels: str) -> None:
    response = signed_in().post(reverse("portal:try_mappings"), {"labels": labels})
    assert response.status_code == 200
    assert "bp-problem" in response.content.decode()


def test_the_tester_knows_nothing_of_other_vendors(scene: Scene) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert "no mapping matches" in tried(stranger, '{"account": "acme"}')


def test_a_customer_is_subscribed_and_the_subscription_ended(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    assert "Choose…" in client.get(reverse("portal:customer", args=["wonka"])).content.decode()
    page = client.post(reverse("portal:subscribe", args=["wonka"]), {"plan": "growth"}, follow=True).content.decode()
    assert "Wonka Confectionery is subscribed to Growth from 3 Mar 2026" in page
    assert "End subscription" in page
    answer = client.post(reverse("portal:end_subscription", args=["wonka"]), {"when": "cycle_end"}, follow=True)
    assert "The subscription of Wonka Confectionery ends 3 Apr 2026" in answer.content.decode()
    subscription = Subscription.objects.get(customer=scene.customers["wonka"])
    assert subscription.expired_at is not None


def test_a_subscription_can_start_on_a_day_of_the_vendors_calendar(scene: Scene, signed_in: SignedIn) -> None:
    sent = {"plan": "growth", "effective_at": "2026-03-10T00:00"}
    signed_in().post(reverse("portal:subscribe", args=["wonka"]), sent)
    subscription = Subscription.objects.get(customer=scene.customers["wonka"])
    assert subscription.effective_at.isoformat() == "2026-03-10T00:00:00+00:00"


@pytest.mark.parametrize(
    ("name", "sent", "says"),
    [
        ("wonka", {"plan": ""}, "Choose a price plan"),
        ("wonka", {"plan": "none"}, "There is no price plan"),
        ("wonka", {"plan": "growth", "effective_at": "soon"}, "give the start as a date"),
        ("wonka", {"plan": "growth", "effective_at": "1066-10-14T00:00"}, "Give a time from"),
        ("acme", {"plan": "growth"}, "has a subscription from"),
    ],
)
def test_a_wrong_subscription_is_refused_in_words(
    scene: Scene, signed_in: SignedIn, name: str, sent: dict[str, str], says: str
) -> None:
    before = Subscription.objects.count()
    page = signed_in().post(reverse("portal:subscribe", args=[name]), sent, follow=True).content.decode()
    assert says in page
    assert Subscription.objects.count() == before


def test_ending_what_does_not_run_is_refused(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().post(reverse("portal:end_subscription", args=["wonka"]), follow=True).content.decode()
    assert "has no active subscription" in page


CHANGES = {
    "create": (lambda: reverse("portal:new_customer"), NEW, EVERYBODY_BUT_READERS),
    "edit": (lambda: reverse("portal:edit_customer", args=["wonka"]), NEW, EVERYBODY_BUT_READERS),
    "subscribe": (lambda: reverse("portal:subscribe", args=["wonka"]), {"plan": "growth"}, BILLERS),
    "end": (lambda: reverse("portal:end_subscription", args=["stark"]), {"when": "now"}, BILLERS),
}


def traces() -> list[object]:
    return [*Customer.objects.order_by("pk").values(), *Subscription.objects.order_by("pk").values()]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", list(Role))
def test_only_some_roles(scene: Scene, signed_in: SignedIn, role: Role, change: str) -> None:
    address, sent, allowed = CHANGES[change]
    before = traces()
    response = signed_in(role).post(address(), sent)
    assert response.status_code == (302 if role in allowed else 403)
    assert (traces() == before) is (role not in allowed)


@pytest.mark.parametrize("change", CHANGES)
def test_changes_need_the_form_they_were_shown_in(scene: Scene, change: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(scene.operators[Role.OWNER])
    before, (address, sent, _) = traces(), CHANGES[change]
    assert browser.post(address(), sent).status_code == 403
    assert traces() == before


@pytest.mark.parametrize("change", ["edit", "subscribe", "end"])
def test_another_vendors_customer_is_not_found(scene: Scene, change: str) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    before, (address, sent, _) = traces(), CHANGES[change]
    assert stranger.post(address(), sent).status_code == 404
    assert traces() == before


def test_another_vendors_plan_is_not_found(scene: Scene) -> None:
    other = VendorFactory(clock_offset=scene.vendor.clock_offset)
    theirs = Customer.objects.create(vendor=other, name="x", display_name="X", created_at=NOW)
    stranger = Client()
    stranger.force_login(make_operator(other, Role.OWNER))
    page = stranger.post(reverse("portal:subscribe", args=["x"]), {"plan": "growth"}, follow=True).content.decode()
    assert "There is no price plan" in page
    assert not Subscription.objects.filter(customer=theirs).exists()


def test_a_subscription_that_ends_already_offers_no_end(scene: Scene, signed_in: SignedIn) -> None:
    moment = {"actor": OLIVIA, "now": NOW, "real_now": NOW}
    subscribe(scene.customers["wonka"], scene.plan, **moment)
    signed_in().post(reverse("portal:end_subscription", args=["wonka"]), {"when": "cycle_end"})
    assert "ask-end" not in signed_in().get(reverse("portal:customer", args=["wonka"])).content.decode()
