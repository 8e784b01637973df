"""Coupons: the list, a new one, and a coupon's page with who has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, screen, verb
from billing_portal.portal.customer_subscription import taken_off
from billing_portal.portal.forms import CODE, TEXT, MomentField, WordsField, in_words, numeric, refuse
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from billing_portal.portal.subscription_forms import amount_off
from customers.customer import Customer
from customers.errors import Invalid, Refused
from customers.vendor import Vendor
from invoicing.rating.discounts import DiscountType
from invoicing.subscriptions.changes import use_coupon
from invoicing.subscriptions.coupons import CouponDraft, create_coupon, find_coupon, withdraw_coupon
from invoicing.subscriptions.models import Coupon
from invoicing.subscriptions.verbs import running_or_next

STATES = (("", "To be used"), ("withdrawn", "Withdrawn"))


class CouponForm(forms.Form):
    name = forms.CharField(
        label="Code name", max_length=128, widget=forms.TextInput(CODE), help_text="Unique. The API refers to it."
    )
    display_name = forms.CharField(
        required=False, max_length=256, widget=forms.TextInput(TEXT), help_text="Printed on invoices."
    )
    code = forms.CharField(
        required=False, max_length=128, widget=forms.TextInput(CODE), help_text="What customers are told."
    )
    discount_type = forms.ChoiceField(label="Takes off", choices=[("PERCENT", "Percent"), ("FLAT", "An amount")])
    discount_amount = forms.CharField(label="How much", max_length=40, widget=numeric("10"))
    frequency = forms.ChoiceField(label="Lowers", choices=Coupon.Frequency.choices)
    duration_length = forms.IntegerField(
        label="For how long",
        required=False,
        min_value=1,
        widget=numeric(),
        help_text="Counted from the day it is applied. Only where it lowers invoices for a time.",
    )
    duration_unit = forms.ChoiceField(
        label="Unit of that time", required=False, choices=Coupon.Unit.choices, initial=Coupon.Unit.MONTH
    )
    max_uses = forms.IntegerField(
        label="Customers that may use it",
        required=False,
        min_value=1,
        widget=numeric("any number"),
        help_text="Each may use it once.",
    )
    expires_at = MomentField(label="Can be applied until", help_text="Empty: for good.")
    excluded_customers = WordsField(
        required=False, widget=forms.TextInput(CODE), help_text="Code names of customers that may not use it."
    )
    excluded_price_plans = WordsField(
        required=False, widget=forms.TextInput(CODE), help_text="Code names of price plans that it is not for."
    )

    def __init__(self, vendor: Vendor, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.vendor = vendor
        self.fields["discount_amount"].help_text = f"12.5 is 12.5 %, or an amount in {vendor.currency}."

    def draft(self) -> CouponDraft:
        """Raises ``Invalid``."""
        given = self.cleaned_data
        kind, frequency = DiscountType(given["discount_type"]), Coupon.Frequency(given["frequency"])
        recurs = frequency is Coupon.Frequency.RECURRING
        if recurs and not given["duration_length"]:
            raise Invalid({"duration_length": "Say for how long it lowers invoices."})
        return CouponDraft(
            name=given["name"],
            frequency=frequency,
            type=kind,
            amount=amount_off(given["discount_amount"], kind, self.vendor.currency, "discount_amount"),
            display_name=given["display_name"],
            code=given["code"],
            max_uses=given["max_uses"],
            expires_at=given["expires_at"],
            duration=given["duration_length"] if recurs else None,
            unit=Coupon.Unit(given["duration_unit"]) if recurs else None,
            excluded_customers=given["excluded_customers"],
            excluded_plans=given["excluded_price_plans"],
        )


@screen
def coupon_list(request: OperatorRequest) -> HttpResponse:
    rows = chosen_rows(request.vendor, request.GET).annotate(used=Count("uses")).select_related("vendor")
    page = newest_first(rows, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "rows": [(coupon, takes(coupon), standing(coupon, request)) for coupon in page.rows],
        "states": STATES,
        "state": "withdrawn" if request.GET.get("state") == "withdrawn" else "",
        "search": request.GET.get("q", "").strip(),
    }
    return show(request, "portal/catalog/coupons.html", context, title="Coupons", area="coupons")


def chosen_rows(vendor: Vendor, asked: QueryDict) -> QuerySet[Coupon]:
    """What the list shows on its pages."""
    text, is_withdrawn = asked.get("q", "").strip(), asked.get("state") == "withdrawn"
    rows = Coupon.objects.of(vendor).filter(withdrawn_at__isnull=not is_withdrawn)
    named = Q(name__istartswith=text) | Q(code__istartswith=text) | Q(display_name__icontains=text)
    return rows.filter(named) if text else rows


def takes(coupon: Coupon) -> str:
    return taken_off(coupon.discount_type, coupon.amount, coupon.vendor.currency)


@dataclass(frozen=True)
class Standing:
    label: str
    tone: str


def standing(coupon: Coupon, request: OperatorRequest) -> Standing:
    """``coupon`` comes with ``used``."""
    used: int = coupon.used  # type: ignore[attr-defined]
    rules = (
        (coupon.withdrawn_at is not None, Standing("Withdrawn", "default")),
        (coupon.expires_at is not None and coupon.expires_at <= request.now, Standing("Expired", "warning")),
        (coupon.max_uses is not None and used >= coupon.max_uses, Standing("Used up", "warning")),
    )
    return next((found for applies, found in rules if applies), Standing("Can be used", "success"))


def _moment(request: OperatorRequest) -> dict[str, Any]:
    return {"actor": request.actor, "now": request.now, "real_now": request.real_now}


@form_screen(Permission.CHANGE_CATALOG)
def new_coupon(request: OperatorRequest) -> HttpResponse:
    form = CouponForm(request.vendor, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            coupon = create_coupon(request.vendor, form.draft(), **_moment(request))
        except Refused as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"The coupon {coupon} is created. Customers can use it from now on.")
            return redirect("portal:coupon", name=coupon.name)
    context = {"form": form, "editable": may(request, Permission.CHANGE_CATALOG)}
    return show(request, "portal/catalog/new_coupon.html", context, title="New coupon", area="coupons")


class CustomerForm(forms.Form):
    customer = forms.CharField(
        label="Customer's code name",
        max_length=128,
        widget=forms.TextInput(CODE),
        help_text="From its running billing cycle on, or the first one of its next subscription.",
    )


@screen
def coupon_page(request: OperatorRequest, name: str) -> HttpResponse:
    return _show(request, _find(request, name))


def _show(request: OperatorRequest, coupon: Coupon, form: CustomerForm | None = None) -> HttpResponse:
    uses = coupon.uses.select_related("customer", "discount__subscription__price_plan")
    context = {
        "coupon": coupon,
        "takes": takes(coupon),
        "standing": standing(coupon, request),
        "page": newest_first(
            uses, "applied_at", before=request.GET.get("before", ""), after=request.GET.get("after", "")
        ),
        "form": form or CustomerForm(),
        "open": ["apply"] if form else [],
        "editable": may(request, Permission.CHANGE_CATALOG),
    }
    return show(request, "portal/catalog/coupon.html", context, title=str(coupon), area="coupons")


def _find(request: OperatorRequest, name: str) -> Coupon:
    """The one that can be used, else the last that was withdrawn: names become free."""
    rows = Coupon.objects.of(request.vendor).filter(name=name).annotate(used=Count("uses")).select_related("vendor")
    coupon = rows.order_by("-withdrawn_at").first()  # nothing sorts first: that which is not withdrawn
    if coupon is None:
        raise Http404("There is no such coupon.")
    return coupon


@verb(Permission.CHANGE_SUBSCRIPTION)
def apply(request: OperatorRequest, name: str) -> HttpResponse:
    coupon, form = _find(request, name), CustomerForm(request.POST)
    if form.is_valid():
        try:
            customer = _customer(request, form.cleaned_data["customer"])
            use_coupon(running_or_next(customer, request.now), coupon, **_moment(request))
        except Refused as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"{customer} uses the coupon {coupon}.")
            return redirect("portal:coupon", name=name)
    return _show(request, coupon, form)


def _customer(request: OperatorRequest, name: str) -> Customer:
    found = Customer.objects.of(request.vendor).select_related("vendor").filter(name=name).first()
    if found is None:
        raise Invalid({"customer": f"There is no customer {name!r}."})
    return found


@verb(Permission.CHANGE_CATALOG)
def withdraw(request: OperatorRequest, name: str) -> HttpResponse:
    get_object_or_404(Coupon.objects.of(request.vendor), name=name, withdrawn_at__isnull=True)
    coupon = find_coupon(request.vendor, name=name)
    try:
        withdraw_coupon(coupon, **_moment(request))
    except Refused as refusal:
        messages.error(request, in_words(refusal))
    else:
        messages.success(request, f"The coupon {coupon} is withdrawn. Nobody can use it any more.")
    return redirect("portal:coupon", name=name)
