"""/invoices and /customers/<name>/invoices"""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from customers.models import Event
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Invoice, OutgoingEmail
from tests.api.client import Api, answer, refusal
from tests.factories import START, CustomerFactory, InvoiceFactory, LineItemFactory


@pytest.fixture
def customer(vendor):
    return CustomerFactory(vendor=vendor, name="acme")


@pytest.fixture
def invoice(customer) -> Invoice:
    """Generated, waiting for its payment grace period."""
    return made(customer)


def made(customer, **fields) -> Invoice:
    invoice = InvoiceFactory(customer=customer, **{"number": "", "issued_at": None, "paid_at": None, **fields})
    LineItemFactory(invoice=invoice, name="Base price", amount=9900)
    return invoice


def issued(customer, **fields) -> Invoice:
    return made(
        customer,
        status=InvoiceStatus.ISSUED,
        number=fields.pop("number", "INV-00001"),
        issued_at=START,
        next_action="",
        next_action_at=None,
        **fields,
    )


def test_an_invoice(api: Api, invoice) -> None:
    body = answer(api.get(f"/invoices/{invoice.uuid}"))
    assert body["id"] == str(invoice.uuid)
    assert body["customer_name"] == "acme"
    assert body["status"] == "INVOICE_GENERATED"
    assert (body["is_invoiced"], body["is_paid"], body["number"]) == (False, False, None)
    assert (body["amount_due"], body["amount_remaining"]) == (invoice.amount_due, invoice.amount_due)
    assert body["next_action"] == "issue"
    assert "push" in body["available_actions"]
    (line,) = body["line_items"]
    assert (line["name"], line["price_int"], line["price"]) == ("Base price", 9900, "$99.00")
    for field in ("invoicing_error", "payment_error", "invoice_retry_attempt", "tax_amount", "start_time", "pdf_url"):
        assert field in body


def test_the_list(api: Api, customer) -> None:
    old = made(customer, generated_at=START)
    new = issued(customer, generated_at=START + timedelta(days=1))
    body = answer(api.get("/invoices/"))
    assert [row["id"] for row in body["invoices"]] == [str(new.uuid), str(old.uuid)]
    assert body["invoices"][0]["status_description"] == "Issued"
    assert (body["limit"], body["sort_column"], body["sort_direction"]) == (10, "generated_at", "desc")
    assert body["forward_sort_offset"] is None


@pytest.mark.parametrize("column", ["generated_at", "issue_date", "amount_due"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_neither_overlap_nor_skip(api: Api, customer, column: str, direction: str) -> None:
    for number in range(7):
        when = START + timedelta(days=number // 3)
        made(customer, generated_at=when, issue_date=when, amount_due=100 * (number // 3))
    query = {"sort_column": column, "sort_direction": direction, "limit": 2}
    seen: list[str] = []
    offsets: dict[str, str] = {}
    while True:
        body = answer(api.get("/invoices", {**query, **offsets}))
        seen += [row["id"] for row in body["invoices"]]
        offsets = {name: body[name] for name in ("forward_sort_offset", "forward_secondary_sort_offset")}
        if offsets["forward_sort_offset"] is None:
            break
    sign = "-" if direction == "desc" else ""
    rows = Invoice.objects.order_by(f"{sign}{column}", f"{sign}pk")
    assert seen == [str(invoice.uuid) for invoice in rows]


def test_filters(api: Api, vendor, customer) -> None:
    mine = made(customer)
    other = issued(CustomerFactory(vendor=vendor, name="other"), period_start=START + timedelta(days=90))

    def ids(**query):
        return {row["id"] for row in answer(api.get("/invoices", query))["invoices"]}

    assert ids(customer_name="acme") == {str(mine.uuid)}
    assert ids(customer_name="nobody") == set()
    assert ids(status="INVOICE_ISSUED") == {str(other.uuid)}
    assert ids(start_time=(START + timedelta(days=60)).isoformat()) == {str(other.uuid)}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "PAID"}, "status"),
        ({"limit": 0}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": 100_000}, "limit"),
        ({"sort_column": "number"}, "sort_column"),
        ({"sort_direction": "up"}, "sort_direction"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"forward_sort_offset": "2026-01-01T00:00:00Z"}, "forward_sort_offset"),
        ({"forward_sort_offset": "soon", "forward_secondary_sort_offset": 1}, "forward_sort_offset"),
        ({"page": 2}, "page"),
    ],
)
def test_a_bad_query_is_named(api: Api, query, field) -> None:
    assert list(refusal(api.get("/invoices", query), 422)) == [field]


def test_a_customers_invoices(api: Api, vendor, customer) -> None:
    for number in range(12):
        made(customer, generated_at=START + timedelta(days=number))
    made(CustomerFactory(vendor=vendor, name="other"))
    body = answer(api.get("/customers/acme/invoices"))
    assert len(body) == 12
    assert {row["customer_name"] for row in body} == {"acme"}
    assert body[0]["line_items"][0]["name"] == "Base price"
    assert answer(api.get("/customers/acme/invoices", {"limit": 2})) == body[:2]


def test_the_number_of_queries_does_not_grow(api: Api, customer, django_assert_max_num_queries) -> None:
    for number in range(5):
        made(customer, generated_at=START + timedelta(days=number))
    with django_assert_max_num_queries(5):
        answer(api.get("/customers/acme/invoices"))
    with django_assert_max_num_queries(3):
        answer(api.get("/invoices"))
    for number in range(5):
        paid = {"status": InvoiceStatus.PAID, "paid_at": START, "amount_paid": 9900}
        made(customer, number=f"INV-{number}", generated_at=START - timedelta(days=number), **paid)
    with django_assert_max_num_queries(7):
        answer(api.get("/customers/acme/invoices"))


def test_pushing(api: Api, invoice) -> None:
    assert answer(api.post(f"/invoices/{invoice.uuid}/retries", {}), 202) == {"success": True}
    invoice.refresh_from_db()
    assert invoice.next_action == "issue"
    assert invoice.next_action_at <= now_of(api)


def now_of(api: Api) -> datetime:
    return datetime.fromisoformat(answer(api.get("/test_clock"))["now"])


def test_pushing_what_is_done_is_refused(api: Api, customer) -> None:
    invoice = issued(customer, external_invoice_id="in_1", gateway="stripe")
    invoice.status = InvoiceStatus.VOIDED
    invoice.save()
    assert refusal(api.post(f"/invoices/{invoice.uuid}/retries"), 409) == {"kind": "illegal_transition"}
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, "INVOICE_PAID"),
        (None, "INVOICE_PAID"),
        ({"status": "INVOICE_PAID"}, "INVOICE_PAID"),
        ({"status": "INVOICE_VOIDED"}, "INVOICE_VOIDED"),
    ],
)
def test_mirroring_a_fact_from_outside(api: Api, invoice, body, status) -> None:
    assert answer(api.post(f"/invoices/{invoice.uuid}/status/", body)) == {}
    shown = answer(api.get(f"/invoices/{invoice.uuid}"))
    assert shown["status"] == status
    assert shown["is_paid"] is (status == "INVOICE_PAID")
    event = Event.objects.get()
    assert event.actor_label == "API key tests"
    refusal(api.post(f"/invoices/{invoice.uuid}/status/", body), 409)
    assert Event.objects.count() == 1


@pytest.mark.parametrize("status", ["INVOICE_ISSUED", "PAID", None, 5])
def test_a_status_that_is_not_for_callers(api: Api, invoice, status) -> None:
    assert list(refusal(api.post(f"/invoices/{invoice.uuid}/status", {"status": status}), 422)) == ["status"]
    assert answer(api.get(f"/invoices/{invoice.uuid}"))["status"] == "INVOICE_GENERATED"


def test_deleting_before_issue_only(api: Api, customer, invoice) -> None:
    assert answer(api.delete(f"/invoices/{invoice.uuid}")) == {}
    refusal(api.get(f"/invoices/{invoice.uuid}"), 404)
    out = issued(customer)
    assert refusal(api.delete(f"/invoices/{out.uuid}"), 409) == {"kind": "illegal_transition"}
    answer(api.get(f"/invoices/{out.uuid}"))


def test_the_pdf_by_its_link_and_by_key(api: Api, invoice) -> None:
    link = answer(api.get(f"/invoices/{invoice.uuid}"))["pdf_url"]
    path = link.removeprefix("http://localhost:8000")
    by_link = Client().get(path)
    assert by_link.status_code == 200
    assert by_link["Content-Type"] == "application/pdf"
    assert by_link.content.startswith(b"%PDF-")
    assert api.get(f"/invoices/{invoice.uuid}/pdf").content.startswith(b"%PDF-")
    refusal(Client().get(f"/api/v1/invoices/{invoice.uuid}/pdf"), 401)
    refusal(Client().get(path.replace("/pdf", "x/pdf")), 401)
    token = path.split("/")[-2]
    theirs = f"/api/v1/customers/{invoice.customer.name}/invoice/{invoice.uuid}"
    assert Client().get(f"{theirs}/{token}").content.startswith(b"%PDF-")
    refusal(Client().get(f"{theirs}/{invoice.uuid}"), 401)
    refusal(Client().get(f"{theirs.replace('/customers/', '/customers/x')}/{token}"), 404)
    invoice.delete()
    refusal(Client().get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "", None),
        ("delete", "", None),
        ("post", "/retries", {}),
        ("post", "/status", {}),
        ("get", "/pdf", None),
    ],
)
def test_another_vendors_invoice_does_not_exist(api: Api, stranger: Api, invoice, method, path, body) -> None:
    before = Invoice.objects.values().get()
    args = (f"/invoices/{invoice.uuid}{path}",) if body is None else (f"/invoices/{invoice.uuid}{path}", body)
    refusal(getattr(stranger, method)(*args), 404)
    assert Invoice.objects.values().get() == before
    assert answer(stranger.get("/invoices"))["invoices"] == []
    refusal(stranger.get("/customers/acme/invoices"), 404)


def test_what_is_no_id(api: Api) -> None:
    refusal(api.get("/invoices/INV-00001"), 404)


# Sub-resources


def refused(response) -> str:
    refusal(response, 409)
    return str(response.json()["message"])


def test_approving(api: Api, customer) -> None:
    waiting = made(customer, is_approved=False, next_action="approve", next_action_at=None)
    body = answer(api.post(f"/invoices/{waiting.uuid}/approve"))
    assert (body["is_approved"], body["next_action"]) == (True, "issue")
    assert "needs no approval" in refused(api.post(f"/invoices/{waiting.uuid}/approve"))


def test_voiding_keeps_the_reason(api: Api, invoice) -> None:
    body = answer(api.post(f"/invoices/{invoice.uuid}/void", {"reason": "Sent to the wrong company."}))
    assert body["status"] == "INVOICE_VOIDED"
    assert Event.objects.get(kind="invoice.voided").details["reason"] == "Sent to the wrong company."
    assert "cannot be voided" in refused(api.post(f"/invoices/{invoice.uuid}/void"))


def test_sending_again(api: Api, customer, invoice) -> None:
    out = issued(customer)
    body = answer(api.post(f"/invoices/{out.uuid}/send"), 202)
    assert "send" in body["available_actions"]
    [email] = OutgoingEmail.objects.all()
    assert (email.kind, email.state, email.recipients) == ("invoice", "waiting", ["acme@example.com"])
    assert "not issued by e-mail" in refused(api.post(f"/invoices/{invoice.uuid}/send"))
