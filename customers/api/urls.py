from django.urls import path

from customers.api.views import CustomerView, MappingsView, MappingView, MetadataView

urlpatterns = [
    path("customers/<str:name>", CustomerView.as_view(), name="customer"),
    path("customers/<str:name>/mappings", MappingsView.as_view(), name="customer-mappings"),
    path("customers/<str:name>/mappings/<str:mapping_id>", MappingView.as_view(), name="customer-mapping"),
    path("customers/<str:name>/metadata", MetadataView.as_view(), name="customer-metadata"),
]
