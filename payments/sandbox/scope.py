"""Who acts, where and when: what every piece of work in the sandbox is given."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True)
class News:
    """An event that is emitted when the work commits."""

    type: str
    object: JSON
    previous: JSON | None


@dataclass(frozen=True)
class Scope:
    """One request, or one piece of work that fell due, in one account and mode.

    ``now`` is the account's own time, or that of the ``test_clock`` it is about; ``real_now`` is the real one.
    Work that no request caused has no ``request``."""

    account: str
    livemode: bool
    now: datetime
    real_now: datetime
    request: str | None = None
    idempotency_key: str | None = None
    platform: str = ""
    test_clock: str = ""
    has_test_clocks: bool = False
    endpoint_per_second: float | None = None
    news: list[News] = field(default_factory=list)

    @property
    def timestamp(self) -> int:
        return int(self.now.timestamp())

    def emit(self, type: str, object: JSON, previous: JSON | None = None) -> None:
        self.news.append(News(type, object, previous))


def moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
