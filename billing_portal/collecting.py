"""How often a long-lived process looks for objects that refer to each other in circles."""

from __future__ import annotations

import gc

# Python begins one such look every 700 new objects, and every hundredth goes through all there are.
_NEW_OBJECTS = 20_000


def collect_seldom() -> None:
    """Once all is imported, in each process that works. What was imported stays for good and is not looked at again;
    and a billing run makes a thousand objects for each invoice, none of them in circles: without this it spends a fifth
    of its time on looking."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
