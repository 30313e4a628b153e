"""The choice of a search engine by the settings."""

from mercat.search.engine import IndexStore
from mercat.search.engines.opensearch import OpenSearchStore, layout_of
from mercat.search.engines.tantivy import TantivyStore
from mercat.settings import Settings


def index_store(settings: Settings) -> IndexStore:
    """Return where the shop's indexes are: in OpenSearch where a setting names one, else in the shop's
    folder; while they move, the former place."""
    near, far = _near(settings), _far(settings)
    return near if far is None or settings.moving == "search" else far


def store_beside(settings: Settings) -> IndexStore | None:
    """Return where an index is kept in step as well, while the shop moves."""
    if settings.moving not in ("search", "search-back"):
        return None
    return _far(settings) if settings.moving == "search" else _near(settings)


def _near(settings: Settings) -> IndexStore:
    return TantivyStore(settings.data / "search")


def _far(settings: Settings) -> IndexStore | None:
    if not settings.opensearch_url:
        return None
    layout = layout_of(settings.opensearch_shards, settings.opensearch_replicas)
    return OpenSearchStore(settings.opensearch_url, settings.opensearch_index, layout)
