"""The demo shop: goods, their pictures and what people say of them, made up by code from invented words.

It does no IO and knows no service: whoever fills a shop reads `products()` as from any other source.
"""

from mercat.lab.demo.departments import DEPARTMENTS
from mercat.lab.demo.names import SELLERS
from mercat.lab.demo.pictures import draw, draw_from_path, kind_of, seed_of
from mercat.lab.demo.products import ProductRow, VariantRow, products
from mercat.lab.demo.reviews import reviews

__all__ = [
    "DEPARTMENTS",
    "SELLERS",
    "ProductRow",
    "VariantRow",
    "draw",
    "draw_from_path",
    "kind_of",
    "products",
    "reviews",
    "seed_of",
]
