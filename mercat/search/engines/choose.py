"""Where the index of a shop is kept."""

from mercat.search.engine import Place
from mercat.search.engines.opensearch import OpenSearch
from mercat.search.engines.tantivy import Folder
from mercat.settings import Settings


def place_of(settings: Settings) -> Place:
    """In OpenSearch, where a setting names one; else in the shop's folder."""
    if settings.opensearch_url:
        return OpenSearch(settings.opensearch_url, settings.opensearch_index)
    return Folder(settings.data / "search")
