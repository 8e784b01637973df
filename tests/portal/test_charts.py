"""Charts: where bars, lines and labels are put, and what those read who do not see them."""

from decimal import Decimal

import pytest
from django.template import Context, Template

from billing_portal.portal.charts import BOTTOM, HEIGHT, TOP, Bars, Mark, Series, compact, draw, scale_for


@pytest.mark.parametrize(
    ("values", "low", "high", "step"),
    [
        ([], 0, 1, 1),
        ([0, 0], 0, 1, 1),
        ([7, 3], 0, 8, 2),
        ([100], 0, 100, 25),
        ([101], 0, 150, 50),
        ([-30, 90], -50, 100, 50),
        ([Decimal("0.004")], 0, Decimal("0.004"), Decimal("0.001")),
        ([12_345_678], 0, 15_000_000, 5_000_000),
    ],
)
def test_scales_end_at_round_numbers(
    values: list[int | Decimal], low: int, high: int | Decimal, step: int | Decimal
) -> None:
    scale = scale_for([Decimal(value) for value in values])
    assert (scale.low, scale.high, scale.step) == (low, high, step)
    assert scale.lines[0] == low
    assert scale.lines[-1] == high


def test_bars_stand_on_nothing_and_hang_from_it() -> None:
    chart = Bars(
        "Invoiced and collected", "Week of", ["2 Mar", "9 Mar"], [Series("A", [100, -100]), Series("B", [50, 0])]
    )
    drawing = draw(chart)
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    assert drawing.zero == f"{middle:.1f}"
    places = [(bar.y, bar.height) for bar in drawing.bars]
    half = middle - TOP
    assert places == [
        (f"{TOP:.1f}", f"{half:.1f}"),
        (f"{TOP + half / 2:.1f}", f"{half / 2:.1f}"),
        (drawing.zero, f"{half:.1f}"),
        (drawing.zero, "0.0"),
    ]
    assert [bar.text for bar in drawing.bars][:2] == ["2 Mar, A: 100", "2 Mar, B: 50"]


@pytest.mark.parametrize(("count", "shown", "on_a_phone"), [(1, 1, 1), (12, 6, 3), (31, 8, 4), (100, 8, 4)])
def test_labels_leave_room_for_each_other(count: int, shown: int, on_a_phone: int) -> None:
    labels = draw(Bars("t", "Day", [str(n) for n in range(count)], [Series("A", [1] * count)])).labels
    assert len(labels) == shown
    assert sum(label.on_a_phone for label in labels) == on_a_phone


def test_a_mark_is_part_of_the_scale() -> None:
    drawing = draw(Bars("t", "Day", ["1"], [Series("A", [10])], marks=[Mark("Limit", 100)]))
    assert [line.text for line in drawing.marks] == ["Limit: 100"]
    assert drawing.marks[0].y == f"{TOP:.1f}"


def test_the_numbers_are_there_as_a_table_and_texts_are_escaped() -> None:
    chart = Bars("Usage of <b>", "Day", ["1 Mar"], [Series("GB & h", [1500])], written=lambda value: f"{value:,} GB")
    html = Template("{% load portal %}{% chart bars id='usage' %}").render(Context({"bars": chart}))
    assert 'aria-labelledby="usage-title"' in html
    assert "Usage of &lt;b&gt;" in html
    assert '<td class="bp-num">1,500 GB</td>' in html
    assert "style=" not in html
    assert "<script" not in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (950, "950"), (12_500, "12.5k"), (-2_000_000, "-2m"), (3 * 10**9, "3bn"), (Decimal("0.250"), "0.25")],
)
def test_numbers_beside_a_scale_are_short(value: int | Decimal, text: str) -> None:
    assert compact(value) == text
