from django.urls import path

from invoicing.catalog.api.paginate import PricePlanPageView
from invoicing.catalog.api.views import (
    AddAddOnsView,
    AddComponentsView,
    AddFeaturesView,
    FeaturesView,
    MeterArchiveView,
    MetersView,
    MeterUnarchiveView,
    MeterView,
    PricePlanArchiveView,
    PricePlanInPlaceView,
    PricePlansView,
    PricePlanVersionView,
    PricePlanView,
    RemoveFeaturesView,
    TaggedPlanInPlaceView,
    UpdateLimitsView,
)

urlpatterns = [
    path("meters", MetersView.as_view(), name="meters"),
    path("meters/<str:name>", MeterView.as_view(), name="meter"),
    path("meters/<str:name>/unarchive", MeterUnarchiveView.as_view(), name="meter-unarchive"),
    path("meters/<str:name>/archive", MeterArchiveView.as_view(), name="meter-archive"),
    path("price_plans", PricePlansView.as_view(), name="price-plans"),
    path("features", FeaturesView.as_view(), name="features"),
    path("price_plans/paginate", PricePlanPageView.as_view(), name="price-plan-pages"),
    path("price_plans/update_in_place/<str:name>", PricePlanInPlaceView.as_view(), name="plan-in-place"),
    path("price_plans/update_in_place/<str:name>/<str:tag>", TaggedPlanInPlaceView.as_view(), name="tagged-in-place"),
    path(
        "price_plans/metered_components/<str:uuid>/update_limits", UpdateLimitsView.as_view(), name="component-limits"
    ),
    path("price_plans/<str:uuid>/add_features", AddFeaturesView.as_view(), name="add-features"),
    path("price_plans/<str:uuid>/remove_features", RemoveFeaturesView.as_view(), name="remove-features"),
    path("price_plans/<str:uuid>/add_add_ons", AddAddOnsView.as_view(), name="add-add-ons"),
    path("price_plans/<str:uuid>/add_metered_components", AddComponentsView.as_view(), name="add-components"),
    path("price_plans/<str:name>", PricePlanView.as_view(), name="price-plan"),
    path("price_plans/<str:name>/archive", PricePlanArchiveView.as_view(), name="price-plan-archive"),
    path("price_plans/<str:name>/<str:tag>", PricePlanVersionView.as_view(), name="price-plan-version"),
]
