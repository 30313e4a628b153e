"""What unit tests stand on."""

from search_engines import for_all as for_all
from search_engines import where as where
