from django.urls import path

from invoicing.usage.api.views import (
    LiveMeasurementsView,
    MeasurementsFileView,
    MeasurementsView,
    MeasurementView,
    UsageByTimeView,
)

urlpatterns = [
    path("measurements", MeasurementView.as_view(), name="measurement"),
    path("measurements/multi", MeasurementsView.as_view(), name="measurements"),
    path("measurements/csv", MeasurementsFileView.as_view(), name="measurements-file"),
    path("live_measurements", LiveMeasurementsView.as_view(), name="live-measurements"),
    path("customers/<str:name>/usage_by_time", UsageByTimeView.as_view(), name="usage-by-time"),
]
