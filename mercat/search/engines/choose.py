"""The choice of a search engine by the settings."""

from mercat.search.engine import IndexStore
from mercat.search.engines.opensearch import OpenSearchStore, layout_of
from mercat.search.engines.tantivy import TantivyStore
from mercat.settings import Settings


def index_store(settings: Settings) -> IndexStore:
    """Return where the shop's indexes are: in OpenSearch where a setting names one, else in the shop's
    folder."""
    if settings.opensearch_url:
        layout = layout_of(settings.opensearch_shards, settings.opensearch_replicas)
        return OpenSearchStore(settings.opensearch_url, settings.opensearch_index, layout)
    return TantivyStore(settings.data / "search")
