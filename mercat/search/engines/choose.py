"""The choice of a search engine by the settings."""

from mercat.search.engine import IndexStore
from mercat.search.engines.opensearch import OpenSearchStore
from mercat.search.engines.tantivy import TantivyStore
from mercat.settings import Settings


def index_store(settings: Settings) -> IndexStore:
    """Return where the shop's indexes are: in OpenSearch where a setting names one, else in the shop's
    folder."""
    if settings.opensearch_url:
        return OpenSearchStore(settings.opensearch_url, settings.opensearch_index)
    return TantivyStore(settings.data / "search")
