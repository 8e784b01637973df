"""What happens elsewhere when the catalog changes. The room above fills these in when the app is ready.

Each runs in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from customers.vendor import Vendor

meter_created: list[Callable[[Vendor, datetime], object]] = []
"""Called with the vendor and real time: measurements may have been waiting for this meter."""
