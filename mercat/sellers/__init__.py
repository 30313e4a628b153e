"""Sellers: who sells here, under which name."""

from mercat.sellers.api import API
from mercat.sellers.messages import NameTaken, Seller, SellerName
from mercat.sellers.service import Sellers

__all__ = ["API", "NameTaken", "Seller", "SellerName", "Sellers"]
