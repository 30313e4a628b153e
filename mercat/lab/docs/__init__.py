"""The pages of `docs/` that are written from the code: `python -m mercat.lab.docs`."""

from mercat.lab.docs.pages import DOCS, pages

__all__ = ["DOCS", "pages"]
