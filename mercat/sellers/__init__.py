"""Sellers: who sells here, under which name."""

from mercat.sellers.api import API
from mercat.sellers.messages import ListingRow, NameTaken, RefusedRow, Seller, SellerListing, SellerName
from mercat.sellers.service import Sellers

__all__ = ["API", "ListingRow", "NameTaken", "RefusedRow", "Seller", "SellerListing", "SellerName", "Sellers"]
