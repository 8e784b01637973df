"""/coupons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.paging import CursorQuery, listed, names_field
from customers.api.schema import documented
from customers.customer import Customer
from customers.errors import Invalid
from invoicing.catalog.api.wire import number
from invoicing.rating.discounts import DiscountType
from invoicing.subscriptions import coupons
from invoicing.subscriptions.changes import use_coupon
from invoicing.subscriptions.models import Coupon
from invoicing.subscriptions.verbs import running_or_next


def _names(help_text: str) -> serializers.ListField:
    child = serializers.CharField(max_length=128)
    return serializers.ListField(child=child, required=False, allow_null=True, help_text=help_text)


class CouponInput(StrictSerializer):
    ignored = frozenset({"vendor_id"})

    name = serializers.CharField(max_length=128)
    display_name = serializers.CharField(max_length=256, required=False, allow_null=True, allow_blank=True)
    code = serializers.CharField(
        max_length=128, required=False, allow_null=True, allow_blank=True, help_text="What customers are told."
    )
    frequency = serializers.ChoiceField(choices=Coupon.Frequency.values, help_text="ONCE lowers one invoice.")
    discount_type = serializers.ChoiceField(choices=[str(kind) for kind in DiscountType])
    discount_amount = serializers.DecimalField(
        max_digits=30, decimal_places=4, help_text="Cents (minor units) for FLAT; 25 is 25 % for PERCENT."
    )
    max_uses = serializers.IntegerField(
        required=False, allow_null=True, help_text="How many customers may use it, each once."
    )
    expiration_time = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Until when it may be applied. Without an offset: UTC."
    )
    duration_length = serializers.IntegerField(required=False, allow_null=True)
    duration_unit = serializers.ChoiceField(
        choices=Coupon.Unit.values, required=False, allow_null=True, help_text="How long RECURRING has effect."
    )
    excluded_customers = _names("Customers that may not use it, by name.")
    excluded_price_plans = _names("Price plans it is not for, by name.")


class ApplyCouponInput(StrictSerializer):
    ignored = frozenset({"vendor_id"})

    customer_name = serializers.CharField(required=False)
    customer_id = serializers.IntegerField(required=False, help_text="Not kept here: give customer_name.")
    name = serializers.CharField(required=False, allow_null=True, help_text="This, or code.")
    code = serializers.CharField(required=False, allow_null=True)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given.get("customer_name"):
            raise serializers.ValidationError({"customer_name": "Say which customer, by name."})
        if bool(given.get("name")) == bool(given.get("code")):
            raise serializers.ValidationError({"name": "Give either name or code."})
        return given


class NamedAnswer(TypedDict):
    name: str


class CouponAnswer(TypedDict):
    name: str
    display_name: str
    code: str | None
    frequency: Coupon.Frequency
    discount_type: DiscountType
    discount_amount: Annotated[float, "Minor units, or percent."]
    max_uses: int | None
    used: Annotated[int, "By how many customers."]
    expiration_time: datetime | None
    duration_length: int | None
    duration_unit: str | None
    excluded_customers: list[NamedAnswer]
    excluded_price_plans: list[NamedAnswer]


class CouponQuery(CursorQuery):
    filters = {"names": "name__in", "code": "code"}

    names = names_field()
    code = serializers.CharField(required=False, help_text="Only the one that customers know by this code.")


class CouponsView(VendorView):
    @documented("list_coupons", query=CouponQuery, answer=list[CouponAnswer])
    def get(self, request: Request) -> Response:
        return listed(self, coupons.coupons(self.vendor), coupon_shape, order=("name", "pk"), query=CouponQuery)

    @documented("create_coupon", body=CouponInput, answer=CouponAnswer)
    def post(self, request: Request) -> Response:
        draft = _draft(self.read(CouponInput))
        made = coupons.create_coupon(self.vendor, draft, actor=self.actor, now=self.now, real_now=self.real_now)
        return done(coupon_shape(coupons.find_coupon(self.vendor, name=made.name)))


class CouponView(VendorView):
    @documented("get_coupon", answer=CouponAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done(coupon_shape(self.find_named(coupons.coupons(self.vendor), "coupon", name)))

    @documented("delete_coupon")
    def delete(self, request: Request, name: str) -> Response:
        """Nobody can use it any more. What it lowers already goes on being lowered."""
        found = self.find_named(coupons.coupons(self.vendor), "coupon", name)
        coupons.withdraw_coupon(found, actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


class ApplyCouponView(VendorView):
    @documented("apply_coupon", body=ApplyCouponInput, refusals=(404, 409))
    def post(self, request: Request) -> Response:
        """To the customer's running subscription, or else to the next one. Each customer may use a coupon once."""
        given = self.read(ApplyCouponInput)
        customer = Customer.objects.of(self.vendor).filter(name=given["customer_name"]).first()
        if customer is None:
            raise Invalid({"customer_name": f"There is no customer {given['customer_name']!r}."})
        wanted = {"name": given.get("name") or "", "code": given.get("code") or ""}
        customer.vendor = self.vendor
        subscription = running_or_next(customer, self.now)
        coupon = coupons.find_coupon(self.vendor, **wanted)
        use_coupon(subscription, coupon, actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


def _draft(given: dict[str, Any]) -> coupons.CouponDraft:
    unit = given.get("duration_unit")
    return coupons.CouponDraft(
        name=given["name"],
        frequency=Coupon.Frequency(given["frequency"]),
        type=DiscountType(given["discount_type"]),
        amount=given["discount_amount"],
        display_name=given.get("display_name") or "",
        code=given.get("code") or "",
        max_uses=given.get("max_uses"),
        expires_at=given.get("expiration_time"),
        duration=given.get("duration_length"),
        unit=Coupon.Unit(unit) if unit else None,
        excluded_customers=given.get("excluded_customers") or (),
        excluded_plans=given.get("excluded_price_plans") or (),
    )


def coupon_shape(coupon: Coupon) -> CouponAnswer:
    """As ``coupons.coupons`` loads it, with ``used``."""
    return {
        "name": coupon.name,
        "display_name": coupon.display_name or coupon.name,
        "code": coupon.code or None,
        "frequency": Coupon.Frequency(coupon.frequency),
        "discount_type": DiscountType(coupon.discount_type),
        "discount_amount": number(coupon.amount),
        "max_uses": coupon.max_uses,
        "used": getattr(coupon, "used", 0),
        "expiration_time": coupon.expires_at,
        "duration_length": coupon.duration_length,
        "duration_unit": coupon.duration_unit or None,
        "excluded_customers": [{"name": name} for name in coupon.excluded_customers],
        "excluded_price_plans": [{"name": name} for name in coupon.excluded_price_plans],
    }
