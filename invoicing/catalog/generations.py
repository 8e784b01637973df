"""The two generations of a meter's kind, kept telling the same story.

The older says COUNTER or GAUGE and whether values are increments, the newer says data type, reporting
method and aggregation. Either may be given; what is left out follows, what contradicts is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from customers.errors import Invalid
from invoicing.catalog.checks import one_of
from invoicing.catalog.models import Aggregation, DataType, MeterType, ReportingMethod


@dataclass(frozen=True, slots=True)
class MeterKind:
    meter_type: MeterType
    is_incremental: bool
    data_type: DataType
    reporting_method: ReportingMethod
    aggregation: Aggregation


_TYPES = {MeterType.COUNTER: DataType.DISCRETE, MeterType.GAUGE: DataType.CONTINUOUS}
_USUAL_METHOD = {DataType.DISCRETE: ReportingMethod.DELTA, DataType.CONTINUOUS: ReportingMethod.TOTAL}
_USUAL_AGGREGATION = {DataType.DISCRETE: Aggregation.SUM, DataType.CONTINUOUS: Aggregation.TIME_WEIGHTED_SUM}
_AGGREGATIONS = {
    DataType.DISCRETE: frozenset(Aggregation) - {Aggregation.TIME_WEIGHTED_SUM},
    DataType.CONTINUOUS: frozenset(Aggregation) - {Aggregation.SUM, Aggregation.COUNT},
}


def meter_kind(values: Mapping[str, Any]) -> MeterKind:
    data_type = _data_type(values)
    method = _reporting_method(values, data_type)
    return MeterKind(
        meter_type=next(old for old, new in _TYPES.items() if new is data_type),
        is_incremental=method is ReportingMethod.DELTA,
        data_type=data_type,
        reporting_method=method,
        aggregation=_aggregation(values, data_type),
    )


def _data_type(values: Mapping[str, Any]) -> DataType:
    old, new = values.get("meter_type"), values.get("data_type")
    by_old = _TYPES[one_of("meter_type", old, MeterType)] if old is not None else None
    by_new: DataType | None = one_of("data_type", new, DataType) if new is not None else None
    if by_old and by_new and by_old is not by_new:
        raise Invalid({"data_type": f"{new} contradicts meter_type {old}: leave one of them out."})
    return by_new or by_old or DataType.DISCRETE


def _reporting_method(values: Mapping[str, Any], data_type: DataType) -> ReportingMethod:
    old, new = values.get("is_incremental"), values.get("reporting_method")
    by_old = (ReportingMethod.DELTA if old else ReportingMethod.TOTAL) if old is not None else None
    by_new: ReportingMethod | None = one_of("reporting_method", new, ReportingMethod) if new is not None else None
    if by_old and by_new and by_old is not by_new:
        raise Invalid({"reporting_method": f"{new} contradicts is_incremental {old}: leave one of them out."})
    method = by_new or by_old or _USUAL_METHOD[data_type]
    field = "reporting_method" if by_new else "is_incremental"
    if data_type is DataType.DISCRETE and method is ReportingMethod.TOTAL:
        raise Invalid({field: "A discrete meter (counter) counts increments: report DELTA (is_incremental true)."})
    return method


def _aggregation(values: Mapping[str, Any], data_type: DataType) -> Aggregation:
    given = values.get("aggregation")
    found: Aggregation = (
        one_of("aggregation", given, Aggregation) if given is not None else _USUAL_AGGREGATION[data_type]
    )
    if found not in _AGGREGATIONS[data_type]:
        allowed = ", ".join(sorted(_AGGREGATIONS[data_type]))
        raise Invalid({"aggregation": f"{found} does not go with {data_type}: use one of {allowed}."})
    return found
