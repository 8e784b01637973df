from django.urls import path

from invoicing.usage.api.views import LiveMeasurementsView, MeasurementsView, MeasurementView

urlpatterns = [
    path("measurements", MeasurementView.as_view(), name="measurement"),
    path("measurements/multi", MeasurementsView.as_view(), name="measurements"),
    path("live_measurements", LiveMeasurementsView.as_view(), name="live-measurements"),
]
