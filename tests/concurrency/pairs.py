"""All ordered pairs of verbs that can meet in one scene, each stopped at each of its points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.concurrency.duel import Fighters, Point
from tests.concurrency.scene import Scene, events, facts

Verb = Callable[[Scene], object]
Make = Callable[[], Scene]


@dataclass(frozen=True)
class End:
    """How it ended: what became of each verb, what is true at rest, and what was told."""

    outcomes: Mapping[str, str]
    facts: Mapping[str, Any]
    told: Counter[str]


class Meeting:
    """One kind of scene, and the verbs that can meet in it."""

    def __init__(self, make: Make, verbs: Mapping[str, Verb], apart: Collection[frozenset[str]] = ()) -> None:
        """``apart``: pairs whose refusal leaves a trace of its own."""
        self.make, self.verbs, self.apart = make, verbs, apart
        self._alone: dict[tuple[str, ...], End] = {}
        self.fighters: Fighters

    def points(self, name: str) -> list[Point]:
        """Where ``name`` is stopped: before its last commit, and at each call."""
        scene = self.make()
        _, seen = self.fighters.points(partial(self.verbs[name], scene))
        last = [(kind, seen[kind]) for kind in ("commit",) if seen[kind]]
        calls = [(kind, n) for kind in ("call", "answer") for n in range(1, seen[kind] + 1)]
        return [*calls, *last]

    def one_after_the_other(self, *names: str) -> End:
        if names not in self._alone:
            scene = self.make()
            outcomes = {f"{place}": self.fighters.points(partial(self.verbs[name], scene))[0]
                        for place, name in enumerate(names)}  # fmt: skip
            self._alone[names] = _end(scene, outcomes)
        return self._alone[names]

    def problems(self, first: str, fighters: Fighters) -> Iterator[str]:
        """Of every pair that begins with ``first``."""
        self.fighters = fighters
        for stop in self.points(first):
            for second in self.verbs.keys() - self._not_with(first):
                yield from self._meet(first, second, stop)

    def _not_with(self, first: str) -> set[str]:
        return {second for second in self.verbs if frozenset({first, second}) in self.apart}

    def _meet(self, first: str, second: str, stop: Point) -> Iterator[str]:
        scene, where = self.make(), f"{first}, stopped at {stop[0]} {stop[1]}, meets {second}"
        try:
            one, two = self.fighters.duel(partial(self.verbs[first], scene), partial(self.verbs[second], scene), stop)
            end = _end(scene, {"0": one, "1": two})
        except Exception as error:
            yield f"{where}: {type(error).__name__}: {error}".strip()
            return
        ways = []
        for names in self._orders(first, second, one, two):
            way = self.one_after_the_other(*names)
            if way.facts == end.facts and not end.told - way.told:
                return
            ways.append(way)
        yield f"{where} ({one or 'done'}, {two or 'done'}): no order gives this\n{_unlike(end, ways)}"

    def _orders(self, first: str, second: str, one: str, two: str) -> Iterator[tuple[str, ...]]:
        """One alone, where the other was refused and so has done nothing; in one order, or in the other."""
        if two:
            yield (first,)
        if one:
            yield (second,)
        yield (first, second)
        yield (second, first)


def _end(scene: Scene, outcomes: Mapping[str, str]) -> End:
    scene.rest()
    return End(outcomes, facts(scene), events(scene))


def _unlike(end: End, ways: Sequence[End]) -> str:
    told = f"    told: {dict(end.told)}\n" + "\n".join(f"       not {dict(way.told)}" for way in ways)
    return (
        told
        + "\n"
        + "\n".join(
            f"    {name}: {end.facts[name]}\n" + "\n".join(f"       not {way.facts[name]}" for way in ways)
            for name in end.facts
            if any(end.facts[name] != way.facts[name] for way in ways)
        )
    )
