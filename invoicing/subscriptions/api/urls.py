from django.urls import path

from invoicing.subscriptions.api.coupons import ApplyCouponView, CouponsView, CouponView
from invoicing.subscriptions.api.usage import UsageAcrossMetersView
from invoicing.subscriptions.api.views import (
    ActiveSubscriptionView,
    CustomerFeatureView,
    DiscountsView,
    ScheduledSubscriptionsView,
    SubscriptionAddOnsView,
    SubscriptionInPlaceView,
    SubscriptionsView,
    SubscriptionView,
    UsageView,
)

urlpatterns = [
    path("coupons", CouponsView.as_view(), name="coupons"),
    path("coupons/apply_coupon", ApplyCouponView.as_view(), name="apply-coupon"),
    path("coupons/<str:name>", CouponView.as_view(), name="coupon"),
    path("customers/<str:name>/subscriptions", SubscriptionsView.as_view(), name="subscriptions"),
    path("customers/<str:name>/subscription", SubscriptionView.as_view(), name="subscription"),
    path("customers/<str:name>/features/<str:feature>", CustomerFeatureView.as_view(), name="customer-feature"),
    path(
        "customers/<str:name>/subscription/update_in_place",
        SubscriptionInPlaceView.as_view(),
        name="subscription-in-place",
    ),
    path("customers/<str:name>/subscription/add_ons", SubscriptionAddOnsView.as_view(), name="subscription-add-ons"),
    path("customers/<str:name>/active_subscription", ActiveSubscriptionView.as_view(), name="active-subscription"),
    path(
        "customers/<str:name>/scheduled_subscriptions",
        ScheduledSubscriptionsView.as_view(),
        name="scheduled-subscriptions",
    ),
    path("customers/<str:name>/discounts", DiscountsView.as_view(), name="discounts"),
    path(
        "customers/<str:name>/usage_across_meters/<str:token>",
        UsageAcrossMetersView.as_view(),
        name="usage-across-meters",
    ),
    path("customers/<str:name>/usage", UsageView.as_view(), name="customer-usage"),
]
