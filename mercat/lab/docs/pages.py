"""The pages: the API from its routes, settings and events from their docstrings, the glossary from all."""

from pathlib import Path

from mercat.lab.docs import events_page, glossary, metrics_page, settings_page
from mercat.web import PREFIX, TABLE, markdown

DOCS = Path(__file__).parents[3] / "docs"


def pages() -> dict[str, str]:
    """Make every generated page: its text by its name in `docs/`."""
    return {
        "api.md": markdown(TABLE, PREFIX),
        "events.md": events_page.markdown(),
        "settings.md": settings_page.markdown(),
        "metrics.md": metrics_page.markdown(),
        "glossary.md": glossary.markdown((DOCS / "glossary.md").read_text()),
    }
