"""What a format of import files is."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mercat.catalog.columns import Columns
from mercat.catalog.messages import ImportRow


class Format(NamedTuple):
    """A kind of file. `knows`: whether a row is of it; `read`: the product of a row, or BadField."""

    name: str
    knows: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Columns], ImportRow]
