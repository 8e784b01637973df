"""What holds for every endpoint: keys, addresses, bodies, refusals."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework import exceptions, serializers

from billing_portal.accounts.models import ApiKey
from billing_portal.api.errors import flatten
from customers.api.names import snake_case
from customers.models import Customer
from tests.api.client import Api, answer, refusal


def get(path: str, **headers: str):
    return Client().get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("header", ["Authorization", "X_Authorization"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_key_in_either_header(api: Api, header: str, scheme: str) -> None:
    answer(get("/api/v1/customers", **{header: f"{scheme} {api.key}"}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer bp_wrong"},
        {"X_Authorization": "Bearer bp_wrong"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_without_a_known_key_nothing_is_told(api: Api, headers) -> None:
    response = get("/api/v1/customers", **headers)
    refusal(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_key_is_not_its_own_hash(api: Api) -> None:
    refusal(get("/api/v1/customers", Authorization=f"Bearer {api.row.hash}"), 401)


def test_an_expired_key(api: Api) -> None:
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    answer(api.get("/customers"))
    ApiKey.objects.update(expires_at=timezone.now())
    refusal(api.get("/customers"), 401)


def test_last_use_is_noted_once_a_minute(api: Api, django_assert_num_queries) -> None:
    api.get("/test_clock")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        api.get("/test_clock")
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    api.get("/test_clock")
    last = ApiKey.objects.get().last_used_at
    assert last is not None
    assert last > first


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/customers/acme",
        "/api/v1/customers/acme/",
        "/api/v1/customers//acme",
        "/api/v1//customers//acme//",
        "/customers/acme",
        "/customers//acme",
    ],
)
def test_one_thing_under_every_spelling(api: Api, path: str) -> None:
    api.post("/customers", {"name": "acme"})
    headers = {"X-Authorization": f"Bearer {api.key}"}
    assert answer(Client().get(path, headers=headers))["name"] == "acme"
    body = answer(Client().put(path, '{"display_name": "A"}', content_type="application/json", headers=headers))
    assert body["display_name"] == "A", "the body survives, so nothing was redirected"


def test_the_root_belongs_to_people_unless_a_key_comes_along(api: Api) -> None:
    for_people = Client().get("/customers/")
    assert (for_people.status_code, for_people["Content-Type"].partition(";")[0]) == (302, "text/html")
    answer(get("/customers/", Authorization=f"Bearer {api.key}"))
    refusal(get("/customers/", Authorization="Bearer bp_wrong"), 401)
    assert get("/admin/login/", Authorization=f"Bearer {api.key}")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/nothing", "/customers/acme/nothing", "/", ""])
def test_an_unknown_address(api: Api, path: str) -> None:
    refusal(api.get(path), 404)
    strict = Api(api.vendor, client=Client(enforce_csrf_checks=True))
    for send in (strict.post, strict.put, strict.delete):
        assert refusal(send(path, {}), 404) == {"kind": "not_found"}


@pytest.mark.parametrize("path", ["/customers/a%00b", "/customers?x=%00"])
def test_a_nul_in_the_address(api: Api, path: str) -> None:
    refusal(api.get(path), 400)


def test_a_method_that_is_not_offered(api: Api) -> None:
    refusal(api.delete("/customers"), 405)


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "acme"',
        "name=acme",
        '{"name": NaN}',
        '{"name": "a\\u0000b"}',
        '{"name": "\\ud800"}',
        '{"name": "acme", "displayName": "A", "display_name": "B"}',
        "[" * 100_000,
        '{"n": ' + "9" * 5000 + "}",
    ],
)
def test_a_body_that_cannot_be_read(api: Api, body: str) -> None:
    assert refusal(api.post("/customers", body), 400) == {"kind": "parse_error"}
    assert not Customer.objects.exists()


def test_more_than_is_read(api: Api, settings) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 20
    assert refusal(api.get("/meters", {"names": ["x"] * 21}), 400) == {"kind": "parse_error"}
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20
    assert refusal(api.post("/customers", json.dumps({"name": "x" * 2**20})), 400) == {"kind": "parse_error"}


def test_a_body_in_another_encoding(api: Api) -> None:
    response = Client().post(
        "/api/v1/customers",
        b'{"name": "\xff"}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {api.key}"},
    )
    refusal(response, 400)


def test_a_body_of_another_shape(api: Api) -> None:
    for body in ('["acme"]', '"acme"', "5"):
        assert list(refusal(api.post("/customers", body), 422)) == ["body"]
    assert list(refusal(api.post("/customers", "null"), 422)) == ["name"]
    assert list(refusal(api.post("/customers"), 422)) == ["name"]


def test_json_without_its_content_type(api: Api) -> None:
    """As ``curl -d`` sends it."""
    response = Client().post(
        "/api/v1/customers",
        '{"name": "acme"}',
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {api.key}", "Accept": "text/html"},
    )
    assert answer(response)["name"] == "acme"


def test_camel_case_is_understood(api: Api) -> None:
    body = answer(
        api.post(
            "/customers",
            {
                "name": "acme",
                "displayName": "Acme",
                "contactInfo": {"addressLine1": "1 Main Street", "vatId": "DE123456789"},
                "measurementMappings": [{"label": "accountId", "valueRegex": "a.*"}],
            },
        )
    )
    assert body["display_name"] == "Acme"
    assert body["contact_info"]["address_line_1"] == "1 Main Street"
    assert body["measurement_mappings"][0]["label"] == "accountId"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("displayName", "display_name"),
        ("achBankAddress1", "ach_bank_address_1"),
        ("display_name", "display_name"),
        ("address_line_1", "address_line_1"),
        ("X-Header", "X-Header"),
        ("", ""),
    ],
)
def test_names(written: str, meant: str) -> None:
    assert snake_case(written) == meant


def test_keys_of_free_maps_stay_as_they_are(api: Api) -> None:
    from io import BytesIO

    from billing_portal.api.parsers import CamelOrSnakeJSONParser

    text = b'{"meterName": "m", "labels": {"accountId": "a", "userId": {"deepKey": 1.5}}, "value": 0.1}'
    parsed = CamelOrSnakeJSONParser().parse(BytesIO(text))
    assert parsed["labels"] == {"accountId": "a", "userId": {"deepKey": 1.5}}
    assert str(parsed["value"]) == "0.1"
    assert parsed["meter_name"] == "m"


def test_nested_errors_are_named_by_path() -> None:
    class Part(serializers.Serializer):
        code = serializers.CharField(max_length=1)
        numbers = serializers.ListField(child=serializers.IntegerField(), required=False)

    class Whole(serializers.Serializer):
        parts = Part(many=True)

        def validate(self, given):
            raise serializers.ValidationError("All wrong.")

    with pytest.raises(exceptions.ValidationError) as refused:
        Whole(data={"parts": [{"code": "a"}, {"code": "bb", "numbers": [1, "x"]}]}).is_valid(raise_exception=True)
    assert set(flatten(refused.value.detail)) == {"parts.1.code", "parts.1.numbers.1"}
    with pytest.raises(exceptions.ValidationError) as refused:
        Whole(data={"parts": []}).is_valid(raise_exception=True)
    assert flatten(refused.value.detail) == {"body": ["All wrong."]}
    with pytest.raises(exceptions.ValidationError) as refused:
        Part(data=[{"code": "a"}, {}], many=True).is_valid(raise_exception=True)
    assert flatten(refused.value.detail) == {"1.code": ["This field is required."]}


def test_what_nobody_foresaw_is_json_too(api: Api, monkeypatch, caplog) -> None:
    def broken(*args, **kwargs):
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("billing_portal.api.customers.create_customer", broken)
    api.http.raise_request_exception = False
    response = api.post("/customers", {"name": "acme"})
    assert refusal(response, 500) == {"kind": "internal"}
    assert b"secret" not in response.content
    assert "a secret detail" in caplog.text


def test_the_schema_describes_the_api() -> None:
    schema = json.loads(Client().get("/api/v1/openapi.json").content)
    assert {"/api/v1/customers", "/api/v1/billing_settings"} <= set(schema["paths"])
