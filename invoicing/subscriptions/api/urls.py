from django.urls import path

from invoicing.subscriptions.api.views import (
    ActiveSubscriptionView,
    DiscountsView,
    ScheduledSubscriptionsView,
    SubscriptionsView,
    SubscriptionView,
    UsageView,
)

urlpatterns = [
    path("customers/<str:name>/subscriptions", SubscriptionsView.as_view(), name="subscriptions"),
    path("customers/<str:name>/subscription", SubscriptionView.as_view(), name="subscription"),
    path("customers/<str:name>/active_subscription", ActiveSubscriptionView.as_view(), name="active-subscription"),
    path(
        "customers/<str:name>/scheduled_subscriptions",
        ScheduledSubscriptionsView.as_view(),
        name="scheduled-subscriptions",
    ),
    path("customers/<str:name>/discounts", DiscountsView.as_view(), name="discounts"),
    path("customers/<str:name>/usage", UsageView.as_view(), name="customer-usage"),
]
