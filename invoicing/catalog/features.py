"""Features and limits of a price plan: named entitlements, without a price. Your software asks who has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from customers.errors import Invalid
from customers.vendor import Vendor
from invoicing.catalog.models import PricePlan

_TEXTS = ("display_name", "description")
_NAME_LENGTH = 128
_TOO_LARGE = Decimal("1e18")


@dataclass(frozen=True, slots=True)
class Features:
    """As a plan keeps them: features with their texts, and how much of some of them."""

    features: tuple[Mapping[str, str], ...] = ()
    limits: tuple[Mapping[str, str], ...] = ()


NO_FEATURES = Features()


def of_subscription(plan: PricePlan, override: Features) -> Features:
    """What a subscriber has: the plan's, and beside or in place of them what the subscription says."""
    features = {feature["name"]: feature for feature in plan.features}
    for feature in override.features:
        # One that only a limit names has no texts of its own.
        if feature["name"] not in features or any(feature[text] for text in _TEXTS):
            features[feature["name"]] = feature
    limits = {limit["feature"]: limit for limit in (*plan.limits, *override.limits)}
    return Features(tuple(features.values()), tuple(limits.values()))


def read_override(values: Mapping[str, Any]) -> Features:
    """``features_override`` and ``limits_override`` of a subscription. Raises ``Invalid``."""
    given = values.get("features_override") or [], values.get("limits_override") or []
    features = _features(given[0], "features_override")
    return _with_limits(features, given[1], "limits_override")


def read(values: Mapping[str, Any], before: Features) -> Features:
    """``before`` with the lists given. A limit's feature is one of the plan's, and becomes one. Raises ``Invalid``."""
    features = before.features if values.get("features") is None else _features(values["features"], "features")
    if values.get("limits") is None:
        kept = {feature["name"] for feature in features}
        return Features(features, tuple(limit for limit in before.limits if limit["feature"] in kept))
    return _with_limits(features, values["limits"], "limits")


def _with_limits(features: Sequence[Mapping[str, str]], given: Sequence[Mapping[str, Any]], at: str) -> Features:
    known = {feature["name"]: feature for feature in features}
    limits = []
    for place, values in enumerate(given):
        feature, limit = _limit(values, f"{at}.{place}")
        known.setdefault(feature["name"], feature)
        limits.append({"feature": feature["name"], "limit": limit})
    _check_once([limit["feature"] for limit in limits], at)
    return Features(tuple(known.values()), tuple(limits))


def merged(before: Features, values: Mapping[str, Any]) -> Features:
    """With the features and limits given added; those of the same name are replaced."""
    given = read({"features": values.get("features") or [], "limits": values.get("limits") or []}, Features())
    features = {feature["name"]: feature for feature in before.features}
    named = {entry.get("name") for entry in values.get("features") or []}
    for feature in given.features:
        if feature["name"] in named or feature["name"] not in features:
            features[feature["name"]] = feature
    limits = {limit["feature"]: limit for limit in (*before.limits, *given.limits)}
    return Features(tuple(features.values()), tuple(limits.values()))


def without(before: Features, names: Sequence[str]) -> Features:
    """Raises ``Invalid`` where the plan has no such feature."""
    for name in names:
        if name not in {feature["name"] for feature in before.features}:
            raise Invalid({"feature_names": f"The plan has no feature {name!r}."})
    return Features(
        tuple(feature for feature in before.features if feature["name"] not in names),
        tuple(limit for limit in before.limits if limit["feature"] not in names),
    )


def of_plan(plan: PricePlan) -> Features:
    return Features(tuple(plan.features), tuple(plan.limits))


def features_of(vendor: Vendor) -> list[Mapping[str, str]]:
    """Each once, by name, as the newest version that has it calls it."""
    found: dict[str, Mapping[str, str]] = {}
    plans = PricePlan.objects.of(vendor).filter(archived_at__isnull=True).exclude(features=[])
    for features in plans.order_by("-created_at", "-pk").values_list("features", flat=True).iterator():
        for feature in features:
            found.setdefault(feature["name"], feature)
    return [found[name] for name in sorted(found)]


def _features(given: Sequence[Mapping[str, Any]], at: str) -> tuple[Mapping[str, str], ...]:
    found = tuple(read_feature(values, f"{at}.{place}") for place, values in enumerate(given))
    _check_once([feature["name"] for feature in found], at)
    return found


def read_feature(values: Mapping[str, Any], at: str) -> dict[str, str]:
    name = values.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > _NAME_LENGTH or "/" in name:
        raise Invalid({f"{at}.name": f"Give a name of at most {_NAME_LENGTH} characters, without '/'."})
    return {"name": name.strip(), **{field: str(values.get(field) or "") for field in _TEXTS}}


def _limit(values: Mapping[str, Any], at: str) -> tuple[dict[str, str], str]:
    feature = read_feature(values.get("feature") or {}, f"{at}.feature")
    limit = values.get("limit")
    if limit is None or not 0 <= limit < _TOO_LARGE:
        raise Invalid({f"{at}.limit": "Give a number from 0 on."})
    return feature, f"{limit:f}"


def _check_once(names: Sequence[str], at: str) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise Invalid({f"{at}.{place}": f"{name!r} is there already: give each feature once."})
