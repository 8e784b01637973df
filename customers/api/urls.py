from django.urls import path

from customers.api.clock import TestClockView
from customers.api.views import CustomerView, MappingsView, MappingView, MetadataView

urlpatterns = [
    path("test_clock", TestClockView.as_view(), name="test-clock"),
    path("customers/<str:name>", CustomerView.as_view(), name="customer"),
    path("customers/<str:name>/mappings", MappingsView.as_view(), name="customer-mappings"),
    path("customers/<str:name>/mappings/<str:mapping_id>", MappingView.as_view(), name="customer-mapping"),
    path("customers/<str:name>/metadata", MetadataView.as_view(), name="customer-metadata"),
]
