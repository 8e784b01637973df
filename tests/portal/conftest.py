from collections.abc import Callable

import pytest
from django.test import Client

from billing_portal.accounts.models import Role
from tests.portal.scene import Scene, make_scene


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def signed_in(scene: Scene) -> Callable[[Role], Client]:
    def client(role: Role = Role.OWNER) -> Client:
        browser = Client()
        browser.force_login(scene.operators[role])
        return browser

    return client
