"""What a promotion may ask for, one kind a file; see `mercat.promotions.kinds`."""

from typing import Any

from mercat.kit.parts import modules

CONDITIONS: dict[str, Any] = {each.NAME: each for each in modules(__name__, __path__)}
