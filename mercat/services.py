"""The shop, as the doors name it until they are one package."""

from mercat.shop import Shop as Services

__all__ = ["Services"]
