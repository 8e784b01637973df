"""/meters and /price_plans."""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView, done
from customers.api.paging import listed
from customers.api.schema import documented
from customers.errors import Missing
from invoicing.catalog import in_place, limits, verbs
from invoicing.catalog.api.add_ons import AddAddOnsInput
from invoicing.catalog.api.features import FeatureAnswer, FeaturesInput, RemoveFeaturesInput, feature_shape
from invoicing.catalog.api.meters import MeterAnswer, MeterInput, MeterQuery, meter_shape
from invoicing.catalog.api.plans import (
    PricePlanAnswer,
    PricePlanInPlaceInput,
    PricePlanInput,
    PricePlanQuery,
    plan_shape,
    with_components,
)
from invoicing.catalog.api.prices import AddComponentsInput, LimitsInput, MeteredComponentAnswer, component_shape
from invoicing.catalog.features import features_of
from invoicing.catalog.models import Meter, PricePlan


class MetersView(VendorView):
    @documented("list_meters", query=MeterQuery, answer=list[MeterAnswer])
    def get(self, request: Request) -> Response:
        """Those that are not archived, by name."""
        rows = Meter.objects.of(self.vendor).filter(archived_at__isnull=True)
        return listed(self, rows, meter_shape, order=("name",), query=MeterQuery)

    @documented("create_meter", body=MeterInput, answer=MeterAnswer)
    def post(self, request: Request) -> Response:
        given = self.read(MeterInput)
        meter = verbs.create_meter(self.vendor, given, now=self.now, real_now=self.real_now)
        return done(meter_shape(meter))


class MeterView(VendorView):
    @documented("get_meter", answer=MeterAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done(meter_shape(self.meter(name)))

    @documented("update_meter", body=MeterInput, answer=MeterAnswer)
    def put(self, request: Request, name: str) -> Response:
        meter = self.meter(name)
        return done(meter_shape(verbs.update_meter(self.vendor, meter.name, self.read(MeterInput))))

    @documented("delete_meter")
    def delete(self, request: Request, name: str) -> Response:
        verbs.delete_meter(self.vendor, self.meter(name).name)
        return done()

    def meter(self, name: str) -> Meter:
        return self.find_named(Meter.objects.of(self.vendor), "meter", name)


class MeterArchiveView(VendorView):
    @documented("archive_meter")
    def post(self, request: Request, name: str) -> Response:
        """Its measurements are still billed. What is sent to it from now on is kept, and waits for it to return."""
        meter = self.find_named(Meter.objects.of(self.vendor), "meter", name)
        verbs.archive_meter(self.vendor, meter.name, now=self.now)
        return done()


class MeterUnarchiveView(VendorView):
    @documented("unarchive_meter", answer=MeterAnswer)
    def post(self, request: Request, name: str) -> Response:
        """It takes measurements again, also those that were sent meanwhile."""
        meter = self.find_named(Meter.objects.of(self.vendor), "meter", name)
        return done(meter_shape(verbs.unarchive_meter(self.vendor, meter.name, real_now=self.real_now)))


class PricePlansView(VendorView):
    @documented("list_price_plans", query=PricePlanQuery, answer=list[PricePlanAnswer])
    def get(self, request: Request) -> Response:
        """The newest version of each plan that is not archived, by name."""
        rows = with_components(verbs.latest_plans(self.vendor))
        return listed(self, rows, plan_shape, order=("name",), query=PricePlanQuery)

    @documented("create_price_plan", body=PricePlanInput, answer=PricePlanAnswer)
    def post(self, request: Request) -> Response:
        given = self.read(PricePlanInput)
        return done(plan_shape(verbs.create_price_plan(self.vendor, given, now=self.now)))


class PricePlanView(VendorView):
    """The newest version. A PUT makes the next one."""

    @documented("get_price_plan", answer=PricePlanAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done(plan_shape(verbs.find_plan(self.vendor, self.plan_name(name))))

    @documented("update_price_plan", body=PricePlanInput, answer=PricePlanAnswer)
    def put(self, request: Request, name: str) -> Response:
        name, given = self.plan_name(name), self.read(PricePlanInput)
        return done(plan_shape(verbs.update_price_plan(self.vendor, name, given, now=self.now)))

    @documented("delete_price_plan")
    def delete(self, request: Request, name: str) -> Response:
        verbs.delete_price_plan(self.vendor, self.plan_name(name), now=self.now)
        return done()

    def plan_name(self, name: str) -> str:
        return self.find_named(PricePlan.objects.of(self.vendor), "price plan", name).name


class PricePlanVersionView(PricePlanView):
    http_method_names = ("get", "head", "options")

    @documented("get_price_plan_version", answer=PricePlanAnswer)
    def get(self, request: Request, name: str, tag: str = "") -> Response:
        return done(plan_shape(verbs.find_plan(self.vendor, self.plan_name(name), tag)))


class PricePlanArchiveView(PricePlanView):
    http_method_names = ("post", "options")

    @documented("archive_price_plan")
    def post(self, request: Request, name: str) -> Response:
        verbs.archive_price_plan(self.vendor, self.plan_name(name), now=self.now)
        return done()


class PricePlanInPlaceView(PricePlanView):
    """The newest version, or the one that holds the tag, for all its subscribers at once."""

    http_method_names = ("post", "options")

    @documented("update_price_plan_in_place", body=PricePlanInPlaceInput, answer=PricePlanAnswer)
    def post(self, request: Request, name: str) -> Response:
        plan = verbs.find_plan(self.vendor, self.plan_name(name))
        return done(plan_shape(in_place.update_in_place(plan, self.read(PricePlanInPlaceInput))))


class TaggedPlanInPlaceView(PricePlanInPlaceView):
    @documented("update_tagged_price_plan_in_place", body=PricePlanInPlaceInput, answer=PricePlanAnswer)
    def post(self, request: Request, name: str, tag: str = "") -> Response:
        plan = verbs.find_plan(self.vendor, self.plan_name(name), tag)
        return done(plan_shape(in_place.update_in_place(plan, self.read(PricePlanInPlaceInput))))


class PlanVersionView(VendorView):
    """One version of a plan, by its uuid."""

    def plan(self, uuid: str) -> PricePlan:
        try:
            return self.find(PricePlan.objects.of(self.vendor), "price plan", external_uuid=UUID(uuid))
        except ValueError:
            raise Missing(f"There is no price plan {uuid!r}.") from None


class AddFeaturesView(PlanVersionView):
    @documented("add_features", body=FeaturesInput, answer=PricePlanAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        return done(plan_shape(in_place.update_in_place(self.plan(uuid), self.read(FeaturesInput))))


class RemoveFeaturesView(PlanVersionView):
    @documented("remove_features", body=RemoveFeaturesInput, answer=PricePlanAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        names = self.read(RemoveFeaturesInput)["feature_names"]
        return done(plan_shape(in_place.remove_features(self.plan(uuid), names)))


class AddComponentsView(PlanVersionView):
    @documented("add_metered_components", body=AddComponentsInput, answer=PricePlanAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        return done(plan_shape(in_place.update_in_place(self.plan(uuid), self.read(AddComponentsInput))))


class AddAddOnsView(PlanVersionView):
    @documented("add_add_ons", body=AddAddOnsInput, answer=PricePlanAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        return done(plan_shape(in_place.update_in_place(self.plan(uuid), self.read(AddAddOnsInput))))


class UpdateLimitsView(VendorView):
    @documented("update_limits", body=LimitsInput, answer=MeteredComponentAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """For all subscribers of the plan's version at once. What is left out stays."""
        component = limits.find_component(self.vendor, uuid)
        given = self.read(LimitsInput)
        limits.update_limits(component, given, actor=self.actor, now=self.now, real_now=self.real_now)
        return done(component_shape(component))


class FeaturesView(VendorView):
    @documented("list_features", answer=list[FeatureAnswer])
    def get(self, request: Request) -> Response:
        return done([feature_shape(feature) for feature in features_of(self.vendor)])
