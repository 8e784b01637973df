"""The tables behind the portal, for superusers. Whatever a verb or the schedule writes is only to be
looked at here, so that nothing goes around the rules; people and their roles can be edited."""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from billing_portal.accounts.models import Membership, Operator
from customers import models as parties
from customers.tables import ReadOnlyAdmin, read_only
from invoicing import models as billing
from payments.stripe.admin import ADMINS

admin.site.unregister(Group)


HTTPS = {models.URLField: {"assume_scheme": "https"}}


@admin.register(Operator)
class OperatorAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("operator", "vendor", "role")
    list_filter = ("role",)
    list_select_related = ("operator", "vendor")
    autocomplete_fields = ("operator",)


@admin.register(parties.Vendor)
class VendorAdmin(ModelAdmin):  # type: ignore[misc]
    """The clock moves through the portal and the API, where what falls due is done in order."""

    list_display = ("display_name", "name", "currency", "time_zone", "is_test")
    search_fields = ("name", "display_name")
    formfield_overrides = HTTPS
    readonly_fields = ("name", "is_test", "clock_offset", "clock_target", "clock_frozen_at", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class MeasurementAdmin(ReadOnlyAdmin):
    """In the order of the one index that all months have; by their ids they cannot be sorted without reading all."""

    ordering = ("meter_id", "customer_id", "time", "stream", "external_id")


OURS = ("customers", "invoicing", "payments", "accounts", "api", "lists", "portal")


def tables() -> Iterable[type[models.Model]]:
    """Every model of ours. Without the sandbox's, which are another company's; and without those that have no key of
    their own, which the admin cannot show."""
    for model in apps.get_models():
        if model._meta.app_label in OURS and not isinstance(model._meta.pk, models.CompositePrimaryKey):
            yield model


ORDERED: dict[type[models.Model], type[ReadOnlyAdmin]] = {billing.Measurement: MeasurementAdmin}

for _model, _admin in ADMINS.items():
    admin.site.register(_model, _admin)
for _model in tables():
    if not admin.site.is_registered(_model):
        admin.site.register(_model, read_only(_model, ORDERED.get(_model, ReadOnlyAdmin)))
