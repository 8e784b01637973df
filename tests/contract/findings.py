"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contract.endpoints import Endpoint


@dataclass(frozen=True)
class Issue:
    """One finding. ``kind`` is a stable slug one can filter on."""

    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"[{self.kind}] {self.where or '(top)'}: {self.message}"


@dataclass
class Report:
    issues: list[Issue] = field(default_factory=list)
    extras: list[Issue] = field(default_factory=list)
    absent: list[Issue] = field(default_factory=list)
    endpoint: Endpoint | None = None

    @property
    def ok(self) -> bool:
        return not self.issues

    def add(self, kind: str, where: str, message: str) -> None:
        target = {"extra": self.extras, "absent": self.absent}.get(kind, self.issues)
        target.append(Issue(kind, where, message))

    def merge(self, other: Report) -> None:
        self.issues += other.issues
        self.extras += other.extras
        self.absent += other.absent

    def strings(self) -> list[str]:
        return [str(i) for i in self.issues]
