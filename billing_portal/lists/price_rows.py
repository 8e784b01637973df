"""A file of a component's price list: what each row would change, and all of them together as a new version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing_portal.lists.customer_rows import in_words
from billing_portal.lists.models import Import, ImportRow
from billing_portal.portal.exports.table import unshielded
from customers.errors import Invalid
from invoicing.catalog.list_changes import component_of, merge_rows, put_rows_back, read_row
from invoicing.catalog.price_lists import PRICES
from invoicing.catalog.prices import ComponentDraft, RowDraft
from invoicing.catalog.verbs import find_plan

Fate = ImportRow.Fate
# What a file of errors has beside them.
NOT_READ = ("line", "reason")


def check_columns(columns: Sequence[str], component: ComponentDraft) -> None:
    known = (*component.meter.primary_labels, PRICES)
    if not component.meter.primary_labels:
        raise Invalid(
            {"file": f"The meter {component.meter.name!r} has no primary labels: a price list goes by those."}
        )
    if unknown := [name for name in columns if name not in (*known, *NOT_READ)]:
        raise Invalid({"file": f"There is no column {unknown[0]!r}. There can be: {', '.join(known)}."})


def component(of: Import) -> ComponentDraft:
    return component_of(find_plan(of.vendor, of.target["price_plan"]), of.target["position"])


def check(rows: Sequence[ImportRow], of: Import) -> None:
    """All rows of the file at once. Raises ``Refused`` where the component is gone."""
    priced = component(of)
    there = {row.labels: row for row in priced.scheme.rows}
    seen: dict[object, int] = {}
    for row in rows:
        try:
            draft = _draft(row, priced)
        except Invalid as refusal:
            row.fate, row.reason = Fate.ERROR, in_words(refusal)
            continue
        row.name = ", ".join(f"{key} {value}" for key, value in draft.labels)[:256] or "any usage"
        if draft.labels in seen:
            row.fate, row.reason = Fate.ERROR, f"The same labels as in line {seen[draft.labels]}."
            continue
        seen[draft.labels] = row.line
        before = there.get(draft.labels)
        row.fate = Fate.CREATE if before is None else Fate.UNCHANGED if before == draft else Fate.UPDATE


def _draft(row: ImportRow, priced: ComponentDraft) -> RowDraft:
    cells = {name: unshielded(cell.strip()) for name, cell in row.given.items() if name not in NOT_READ}
    return read_row(priced, cells, f"line {row.line}")


def apply(rows: Sequence[ImportRow], of: Import, *, now: datetime) -> None:
    """Within a transaction of the caller's. Raises ``Refused``."""
    before = find_plan(of.vendor, of.target["price_plan"])
    priced = component(of)
    if of.target["version"] != before.version:
        raise Invalid(
            {"file": f"The plan was changed since the file was checked: it has version {before.version} now."}
        )
    drafts = [_draft(row, priced) for row in rows]
    made = merge_rows(of.vendor, before.name, of.target["position"], drafts, now=now)
    of.target = {**of.target, "made": made.version}


def undo(of: Import, *, now: datetime) -> None:
    """As ``apply``."""
    target = of.target
    versions = {"made": target["made"], "before": target["version"]}
    put_rows_back(of.vendor, target["price_plan"], target["position"], **versions, now=now)
