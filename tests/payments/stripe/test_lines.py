"""What fits on a Stripe invoice, and how it is made to fit."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from invoicing.gateways import GatewayRejected, OrderLine
from payments.stripe import amounts, texts
from payments.stripe.lines import MOST_LINES, apportion, fitting, params, without_credits


def line(amount: int, group: str = "Storage", n: int = 0) -> OrderLine:
    return OrderLine(f"l-{n}", f"{group}: {n}", amount, "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00", group)


def many(*counts: int) -> list[OrderLine]:
    """So many lines of each of so many components, mixed."""
    lines = [line(n + 1, f"Component {g}", n) for g, count in enumerate(counts) for n in range(count)]
    random.Random(1).shuffle(lines)  # noqa: S311
    return lines


@pytest.mark.parametrize(
    "counts", [(1,), (250,), (251,), (100, 100, 100), (1000,), (1,) * 300, (2,) * 400, (900, 1, 1)]
)
def test_at_most_250_lines_and_the_same_sum(counts: tuple[int, ...]) -> None:
    lines = many(*counts)
    fit = fitting(lines)
    assert len(fit) == min(len(lines), MOST_LINES)
    assert sum(one.amount for one in fit) == sum(one.amount for one in lines)


def test_what_does_not_fit_is_grouped_by_name() -> None:
    fit = fitting([line(1, "Storage", n) for n in range(200)] + [line(2, "Traffic", n) for n in range(100)])
    assert [one.description for one in fit[-2:]] == [
        "Traffic: 48",
        "Traffic … and 51 more lines, see the attached detail",
    ]
    assert fit[-1].amount == 102
    fit = fitting([line(1, f"Component {n % 60}", n) for n in range(400)])
    assert sum("more lines, see the attached detail" in one.description for one in fit) == 60


def test_too_many_names_are_put_together_in_one_line() -> None:
    fit = fitting([line(n, f"Component {n}", n) for n in range(400)])
    assert fit[-1].description == "… and 151 more lines, see the attached detail"


def test_credits_lower_the_other_lines_for_automatic_tax() -> None:
    lowered = without_credits([line(1000), line(500), line(-301, "Discount")])
    assert [one.amount for one in lowered] == [799, 400]
    assert lowered[0].description.endswith("(after discounts)")
    assert without_credits([line(100), line(-100)]) == []
    assert [one.amount for one in without_credits([line(7), line(0)])] == [7]


def test_apportioned_parts_are_together_the_whole() -> None:
    rng = random.Random(7)  # noqa: S311
    for _ in range(300):
        weights = [rng.randint(-50, 1000) for _ in range(rng.randint(1, 20))]
        exact = [Fraction(weight * 19, 100) for weight in weights]
        whole = round(sum(exact, Fraction(0)))
        parts = apportion(whole, exact)
        assert sum(parts) == whole
        assert all(abs(part - share) <= 1 for part, share in zip(parts, exact, strict=True))


def test_a_text_that_is_too_long_is_cut_and_nothing_fails() -> None:
    sent = params([OrderLine("x", "d" * 6000, 1, "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00")], [])
    assert sent["lines"][0]["description"] == "d" * 4999 + "…"
    assert texts.cut("short", 5) == "short"


@pytest.mark.parametrize(
    ("total", "parts", "currency", "refusal"),
    [
        (99_999_999, [99_999_999], "USD", ""),
        (100_000_000, [100_000_000], "USD", r"at most \$999,999\.99 in one payment, and this is \$1,000,000\.00"),
        (100_000_000, [100_000_000], "JPY", ""),
        (1_230, [1_230], "KWD", ""),
        (1_234, [1_234], "KWD", r"only in steps of KWD.0\.010, and the total is KWD.1\.234"),
        (1_230, [1_234, -4], "KWD", r"an item is KWD.1\.234"),
        (150, [150], "ISK", "only in steps of"),
    ],
)
def test_amounts_that_stripe_does_not_take(total: int, parts: list[int], currency: str, refusal: str) -> None:
    if not refusal:
        amounts.check(total, parts, currency)
        return
    with pytest.raises(GatewayRejected, match=refusal):
        amounts.check(total, parts, currency)
