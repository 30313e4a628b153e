from http.cookiejar import DefaultCookiePolicy

import httpx
import pytest
from journeys.people import Seller, Town


@pytest.fixture
def town(http: httpx.AsyncClient) -> Town:
    """Its people share a connection pool, and no cookies."""
    http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return Town(http)


@pytest.fixture
async def bea(town: Town) -> Seller:
    """A new seller."""
    return await town.seller()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The books are audited when everybody has gone home."""
    items.sort(key=lambda item: item.name == "test_the_books_balance_at_the_end_of_the_day")
