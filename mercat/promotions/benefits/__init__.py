"""What a promotion may do, one kind a file; see `mercat.promotions.kinds`."""

from typing import Any

from mercat.kit.parts import modules

BENEFITS: dict[str, Any] = {each.NAME: each for each in modules(__name__, __path__)}
