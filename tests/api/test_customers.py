"""/customers and what hangs on one customer."""

import pytest

from customers.models import Customer, Event
from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory, SubscriptionFactory

FULL = {
    "name": "acme",
    "display_name": "Acme Inc.",
    "contact_info": {
        "legal_name": "Acme Incorporated",
        "email": "billing@acme.example.com",
        "secondary_emails": ["cfo@acme.example.com", "ap@acme.example.com"],
        "address_line_1": "1 Main Street",
        "country": "US",
        "phone": None,
    },
    "tags": ["enterprise"],
    "measurement_mappings": [{"label": "account", "value_regex": "acme-.*"}],
    "customer_metadata": [{"property": "region", "value": "US"}],
}


def test_creating_a_customer(api: Api) -> None:
    body = answer(api.post("/customers/", FULL))
    assert (body["name"], body["display_name"], body["tags"]) == ("acme", "Acme Inc.", [{"tag": "enterprise"}])
    assert body["contact_info"]["email"] == "billing@acme.example.com"
    assert body["contact_info"]["secondary_emails"] == "cfo@acme.example.com, ap@acme.example.com"
    assert body["contact_info"]["phone"] is None
    assert [mapping["value_regex"] for mapping in body["measurement_mappings"]] == ["acme-.*"]
    assert answer(api.get("/customers/acme")) == body
    assert answer(api.get("/customers/")) == [body]
    assert answer(api.get("/customers/acme/metadata")) == [{"property": "region", "value": "US"}]


def test_a_name_is_enough(api: Api) -> None:
    assert answer(api.post("/customers", {"name": "acme"}))["display_name"] == "acme"


def test_creation_is_told_to_webhook_endpoints(api: Api, vendor) -> None:
    api.post("/customers", {"name": "acme"})
    event = Event.objects.get()
    assert (event.kind, event.payload) == ("customer.new", {"vendor_name": vendor.name, "customer_name": "acme"})
    assert event.actor_label == "API key tests"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"contact_info": {"email": "nobody"}}, "contact_info.email"),
        ({"contact_info": {"secondary_emails": ["ok@example.com", "nobody"]}}, "contact_info.secondary_emails.1"),
        ({"contact_info": {"emial": "a@example.com"}}, "contact_info.emial"),
        ({"measurement_mappings": [{"label": "a", "value_regex": "("}]}, "measurement_mappings.0.value_regex"),
        ({"measurement_mappings": [{"value_regex": ".*"}]}, "measurement_mappings.0.label"),
        ({"measurement_mappings": [{"label": "a", "value_regex": "(?=x)"}]}, "measurement_mappings.0.value_regex"),
        ({"tags": "enterprise"}, "tags"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"autogenerate_accounting_customer": True}, "autogenerate_accounting_customer"),
        ({"price_plan_tag": "v2"}, "price_plan_name"),
        ({"dispaly_name": "Acme"}, "dispaly_name"),
        ({"customer_metadata": [{"property": "x" * 129, "value": "y"}]}, "customer_metadata.0.property"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_created(api: Api, change, field) -> None:
    errors = refusal(api.post("/customers", {"name": "acme", **change}), 422)
    assert list(errors) == [field]
    assert not Customer.objects.exists()
    assert not Event.objects.exists()


def test_a_misspelt_field_gets_a_hint(api: Api) -> None:
    errors = refusal(api.post("/customers", {"name": "acme", "dispaly_name": "Acme"}), 422)
    assert errors == {"dispaly_name": ["Unknown field. Did you mean display_name?"]}


def test_names_are_unique_within_a_vendor_only(api: Api, stranger: Api) -> None:
    api.post("/customers", {"name": "acme"})
    assert "already" in refusal(api.post("/customers", {"name": "acme"}), 422)["name"][0]
    answer(stranger.post("/customers", {"name": "acme"}))
    assert Customer.objects.count() == 2


def test_changing_some_fields_leaves_the_others(api: Api) -> None:
    api.post("/customers", FULL)
    body = answer(api.put("/customers/acme", {"display_name": "Acme", "contact_info": {"city": "Berlin"}}))
    assert body["display_name"] == "Acme"
    assert body["contact_info"]["city"] == "Berlin"
    assert body["contact_info"]["email"] == "billing@acme.example.com"
    assert body["tags"] == [{"tag": "enterprise"}]
    assert len(body["measurement_mappings"]) == 1
    event = Event.objects.latest("id")
    assert event.kind == "customer.updated"
    assert event.details == {
        "display_name": {"before": "Acme Inc.", "after": "Acme"},
        "city": {"before": "", "after": "Berlin"},
    }


def test_what_was_read_can_be_sent_back(api: Api) -> None:
    body = answer(api.post("/customers", FULL))
    assert answer(api.put("/customers/acme", body)) == body
    assert Event.objects.count() == 1, "nothing changed, so nothing is told"


def test_renaming(api: Api) -> None:
    api.post("/customers", {"name": "acme"})
    api.post("/customers", {"name": "other"})
    assert answer(api.put("/customers/acme", {"name": "acme-2"}))["name"] == "acme-2"
    refusal(api.get("/customers/acme"), 404)
    refusal(api.put("/customers/acme-2", {"name": "other"}), 422)
    answer(api.get("/customers/acme-2"))


def test_a_bad_change_changes_nothing(api: Api) -> None:
    before = answer(api.post("/customers", FULL))
    change = {"display_name": "Acme", "measurement_mappings": [{"label": "a", "value_regex": "("}]}
    refusal(api.put("/customers/acme", change), 422)
    assert answer(api.get("/customers/acme")) == before


def test_deleting(api: Api) -> None:
    api.post("/customers", FULL)
    assert answer(api.delete("/customers/acme")) == {}
    refusal(api.get("/customers/acme"), 404)
    assert Event.objects.latest("id").kind == "customer.deleted"


def test_a_customer_with_a_subscription_is_kept(api: Api, vendor) -> None:
    SubscriptionFactory.create(customer=CustomerFactory.create(vendor=vendor, name="acme"))
    response = api.delete("/customers/acme")
    assert refusal(response, 409) == {"kind": "customer_in_use"}
    assert response["octane-should-retry"] == "false"
    answer(api.get("/customers/acme"))
    assert not Event.objects.exists()


def test_mappings(api: Api) -> None:
    api.post("/customers", {"name": "acme"})
    first = answer(api.post("/customers/acme/mappings", {"label": "account", "value_regex": "a+"}))
    again = answer(api.post("/customers/acme/mappings", {"label": "account", "value_regex": "a+"}))
    assert again == first
    any_value = answer(api.post("/customers/acme/mappings", {"label": "tenant"}))
    assert any_value["value_regex"] == ".*"
    assert answer(api.get("/customers/acme/mappings")) == [first, any_value]
    assert answer(api.delete(f"/customers/acme/mappings/{first['id']}")) == {}
    assert answer(api.get("/customers/acme/mappings")) == [any_value]
    refusal(api.delete(f"/customers/acme/mappings/{first['id']}"), 404)
    refusal(api.delete("/customers/acme/mappings/first"), 404)


def test_a_mapping_with_an_invalid_expression(api: Api) -> None:
    api.post("/customers", {"name": "acme"})
    errors = refusal(api.post("/customers/acme/mappings", {"label": "account", "value_regex": "("}), 422)
    assert "RE2" in errors["value_regex"][0]
    assert answer(api.get("/customers/acme/mappings")) == []


def test_metadata_is_added_and_changed(api: Api) -> None:
    api.post("/customers", FULL)
    more = [{"property": "region", "value": "EU"}, {"property": "tier", "value": None}]
    assert answer(api.post("/customers/acme/metadata", more)) == {}
    assert answer(api.get("/customers/acme/metadata")) == [
        {"property": "region", "value": "EU"},
        {"property": "tier", "value": ""},
    ]
    errors = refusal(api.post("/customers/acme/metadata", [{"property": "a"}, {"value": "b"}]), 422)
    assert errors == {"1.property": ["This field is required."]}


def test_names_with_spaces_as_the_python_client_writes_them(api: Api) -> None:
    api.post("/customers", {"name": "Acme Corp"})
    assert answer(api.get("/customers/Acme%20Corp"))["name"] == "Acme Corp"
    assert answer(api.get("/customers/Acme+Corp"))["name"] == "Acme Corp"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "/customers/acme", None),
        ("put", "/customers/acme", {"display_name": "Mine now"}),
        ("delete", "/customers/acme", None),
        ("get", "/customers/acme/status", None),
        ("get", "/customers/acme/mappings", None),
        ("post", "/customers/acme/mappings", {"label": "a", "value_regex": "b"}),
        ("get", "/customers/acme/metadata", None),
        ("post", "/customers/acme/metadata", [{"property": "a", "value": "b"}]),
    ],
)
def test_another_vendors_customer_does_not_exist(api: Api, stranger: Api, method, path, body) -> None:
    before = answer(api.post("/customers", FULL))
    args = (path,) if body is None else (path, body)
    refusal(getattr(stranger, method)(*args), 404)
    assert answer(api.get("/customers/acme")) == before
    assert answer(stranger.get("/customers")) == []


def test_another_vendors_mapping_does_not_exist(api: Api, stranger: Api) -> None:
    api.post("/customers", FULL)
    stranger.post("/customers", {"name": "acme"})
    (mapping,) = answer(api.get("/customers/acme/mappings"))
    refusal(stranger.delete(f"/customers/acme/mappings/{mapping['id']}"), 404)
    assert answer(api.get("/customers/acme/mappings")) == [mapping]
