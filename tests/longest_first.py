"""A pytest plugin: what takes longest begins first, so that the processes of a run finish together.

The order stays drawn by chance otherwise. A test of two minutes that happens to be drawn last keeps one process busy
while the others have nothing left to do.
"""

import pytest

LONGEST = (
    "tests/browser/test_screens.py",
    "tests/test_quality.py::test_mypy",
    "tests/scenarios/",
    "tests/browser/",
    "tests/contract/",
    "tests/demo/",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
