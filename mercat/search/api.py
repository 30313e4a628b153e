from mercat.kit.web import Route
from mercat.search.service import Search

API = [
    Route("POST", "/find", Search.find, status=200),
    Route("GET", "/suggest", Search.suggest),
    Route("GET", "/explain", Search.explain),
    Route("GET", "/category-counts", Search.category_counts),
]
