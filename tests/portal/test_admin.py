"""The tables behind the portal: every one of ours, to look at, without secrets, with a constant number of queries."""

from __future__ import annotations

import datetime
import itertools
import uuid
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.models import Membership, Operator
from customers.crypto import EncryptedTextField
from customers.models import Vendor
from customers.tables import searched_columns, secrets_of
from invoicing.models import Invoice
from payments.models import StripeConnection
from tests.portal.scene import NOW, Scene

EDITED = {Operator, Membership, Vendor}
OURS = [
    model
    for model in apps.get_models()
    if model.__module__.startswith(("customers.", "invoicing.", "payments.", "billing_portal."))
    and model._meta.app_label != "sandbox"  # another company's, in effect
    and not isinstance(model._meta.pk, models.CompositePrimaryKey)  # which the admin cannot show
]
SECRET = "whsec_never_to_be_seen"  # noqa: S105 - made up
_numbers = itertools.count(1)


def make(model: type[models.Model]) -> models.Model:
    """A row that need not make sense: what a table forbids it is allowed here, and undone with the test."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for constraint in model._meta.constraints:
            if isinstance(constraint, models.CheckConstraint):
                cursor.execute(f'ALTER TABLE {model._meta.db_table} DROP CONSTRAINT IF EXISTS "{constraint.name}"')
    row = model(**{field.name: value(field) for field in model._meta.concrete_fields if is_needed(field)})
    row.save(force_insert=True)
    return row


def is_needed(field: Any) -> bool:
    if field.primary_key and isinstance(field, models.AutoField):
        return False
    return field.is_relation and not field.null or not field.is_relation and not field.has_default()


def value(field: Any) -> Any:
    number = next(_numbers)
    if field.is_relation:
        return make(field.related_model)
    if isinstance(field, EncryptedTextField):
        return SECRET
    kinds = {
        models.DateTimeField: NOW, models.DateField: NOW.date() + datetime.timedelta(days=number),
        models.UUIDField: uuid.uuid4(), models.BooleanField: False, models.JSONField: [], models.BinaryField: b"x",
        models.EmailField: f"{number}@example.com", models.URLField: "https://example.com",
    }  # fmt: skip
    exact = next((kinds[kind] for kind in kinds if type(field) is kind), None)
    if exact is not None:
        return exact
    if isinstance(field, models.CharField | models.TextField):
        return field.choices[0][0] if field.choices else str(number)[: field.max_length or 40]
    return [] if "Array" in type(field).__name__ else number % 100


@pytest.fixture
def superuser(scene: Scene) -> Client:
    client = Client()
    client.force_login(Operator.objects.create_superuser("root@example.com", "x"))
    return client


def address(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def asked(client: Client, where: str) -> tuple[int, str]:
    with CaptureQueriesContext(connection) as queries:
        response = client.get(where)
    assert response.status_code == 200, where
    return len(queries), response.content.decode()


def test_every_model_of_ours_has_its_table_and_few_can_be_edited_there(rf: Any, superuser: Client) -> None:
    request = rf.get("/")
    request.user = Operator.objects.get(email="root@example.com")
    assert [model for model in OURS if not admin.site.is_registered(model)] == []
    for model in OURS:
        table = admin.site.get_model_admin(model)
        may = (
            table.has_add_permission(request),
            table.has_change_permission(request),
            table.has_delete_permission(request),
        )
        assert any(may) is (model in EDITED), model


def test_each_table_opens_and_asks_the_same_however_long(superuser: Client) -> None:
    for model in OURS:
        row = make(model)
        asked(superuser, address(model, "changelist"))
        before, _ = asked(superuser, address(model, "changelist"))
        for _ in range(2):
            make(model)
        after, page = asked(superuser, address(model, "changelist"))
        assert after == before, model
        _, detail = asked(superuser, address(model, "change", row.pk))
        assert SECRET not in page + detail, model


def test_nothing_is_added_changed_or_deleted_there(superuser: Client) -> None:
    for model in set(OURS) - EDITED:
        row = make(model)
        assert superuser.post(address(model, "change", row.pk), {}).status_code == 403, model
        assert superuser.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403, model
        assert superuser.get(address(model, "add")).status_code == 403, model
        assert model._default_manager.filter(pk=row.pk).exists()


def test_whatever_is_searched_for_a_table_answers(superuser: Client) -> None:
    texts = itertools.cycle(["0b0e-no-such-thing", "9" * 30, "1' OR '1'='1"])
    for model, text in zip(OURS, texts, strict=False):
        asked(superuser, f"{address(model, 'changelist')}?{urlencode({'q': text})}")


def test_secrets_are_known_by_their_kind_and_name() -> None:
    hidden = {f"{model._meta.label}.{name}" for model in OURS for name in secrets_of(model)}
    assert hidden >= {
        "accounts.ApiKey.hash",
        "accounts.Operator.password",
        "api.IdempotentRequest.sealed_body",
        "customers.WebhookEndpoint.previous_secret",
        "payments.StripeConnection.secret_key",
        "payments.StripeWebhookSecret.secret",
    }


def test_a_stored_key_is_not_on_the_page_of_its_account(superuser: Client, scene: Scene) -> None:
    StripeConnection.objects.filter(pk=scene.connection.pk).update(secret_key=SECRET)
    _, page = asked(superuser, address(StripeConnection, "change", scene.connection.pk))
    assert scene.connection.account_id in page
    assert SECRET not in page


def test_searching_compares_whole_values_that_an_index_finds(superuser: Client, scene: Scene) -> None:
    invoice = scene.invoices["issued"]
    assert searched_columns(Invoice).keys() >= {"id", "uuid"}
    for text in (str(invoice.uuid), str(invoice.pk)):
        _, page = asked(superuser, address(Invoice, "changelist") + f"?q={text}")
        assert address(Invoice, "change", invoice.pk) in page
        assert address(Invoice, "change", scene.invoices["late"].pk) not in page
    with CaptureQueriesContext(connection) as queries:
        superuser.get(address(Invoice, "changelist") + f"?q={invoice.uuid}")
    assert not [one["sql"] for one in queries if "LIKE" in one["sql"].upper()]


def test_only_superusers_come_in(scene: Scene, client: Client) -> None:
    for operator in scene.operators.values():
        client.force_login(operator)
        assert client.get(reverse("admin:index")).status_code in (302, 403)
