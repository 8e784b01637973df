import pytest

from customers.models import Vendor
from tests.api.client import Api
from tests.factories import VendorFactory


def _vendor() -> Vendor:
    vendor: Vendor = VendorFactory.create()
    return vendor


@pytest.fixture
def vendor(db: None) -> Vendor:
    return _vendor()


@pytest.fixture
def api(vendor: Vendor) -> Api:
    return Api(vendor)


@pytest.fixture
def stranger(db: None) -> Api:
    """Another vendor's client."""
    return Api(_vendor())
