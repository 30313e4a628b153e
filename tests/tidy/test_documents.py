"""What the documents promise: links lead somewhere, names exist, cells are short, the glossary is whole."""

import re
from pathlib import Path
from typing import get_args

import pytest

from mercat import events
from mercat.cli.main import COMMANDS
from mercat.lab.docs import DOCS, glossary, pages
from mercat.lab.docs.source import fields_of
from mercat.settings import Settings
from mercat.shop import SERVICES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
GENERATED = {"api.md", "events.md", "metrics.md", "settings.md"}
HISTORY = {"CHANGELOG.md"}
CELL_WORDS_MAX = 25
ARCHITECTURE_LINES_MAX = 60
WORKSHOP = ROOT / "docs" / "how-to"


def prose(text: str) -> str:
    """Take fenced code out of a page."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def broken_links(page: Path, text: str) -> list[str]:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose(text))
    return [link for link in links if "://" not in link and not (page.parent / link).exists()]


def missing_files(text: str) -> list[str]:
    named = re.findall(r"`((?:mercat|tests|docs|scripts)/[\w/.-]+)`", prose(text))
    return [name for name in named if not (ROOT / name).exists()]


def long_cells(text: str) -> list[str]:
    rows = [line for line in prose(text).splitlines() if line.startswith("|")]
    cells = [cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row)]
    return [cell for cell in cells if len(cell.split()) > CELL_WORDS_MAX]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_files_of_a_page_exist(page):
    text = page.read_text()
    assert broken_links(page, text) == []
    if page.name not in HISTORY and page.parent != WORKSHOP:
        assert missing_files(text) == []


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in GENERATED],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_cells_of_tables_are_phrases(page):
    assert long_cells(page.read_text()) == []


def test_architecture_is_one_page():
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= ARCHITECTURE_LINES_MAX


def test_readme_has_every_command():
    said = set(re.findall(r"`mercat ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert COMMANDS.keys() - said == set()


def test_every_picture_of_the_documents_is_shown():
    shown = {name for page in PAGES for name in re.findall(r"images/([\w-]+\.png)", page.read_text())}
    assert {path.name for path in (ROOT / "docs" / "images").iterdir()} == shown


def test_the_changelog_says_each_subject_once_in_a_release():
    for release in (ROOT / "CHANGELOG.md").read_text().split("\n## "):
        subjects = re.findall(r"^### (.*)$", release, re.MULTILINE)
        assert len(subjects) == len({*subjects}), release[:20]


def test_architecture_has_every_service_above_those_it_asks():
    """A service asks what stands lower; one that asks nobody stands where that is said."""
    lines = [line for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if line.startswith("    ")]
    words = [(n, word) for n, line in enumerate(lines) for word in line.split("     ")[0].split()]
    places = {word: n for n, word in words if word in SERVICES}
    nobody = next(n for n, line in enumerate(lines) if "ask nobody" in line)
    assert places.keys() == SERVICES.keys()
    for name, service in SERVICES.items():
        assert all(places[asked] > places[name] for asked in service.asks), name
        assert (places[name] in (nobody - 1, nobody)) == (not service.asks), name


@pytest.mark.parametrize("folder", ["why", "how-to"])
def test_an_index_has_every_page_under_its_title(folder):
    index = (ROOT / "docs" / folder / "README.md").read_text()
    for page in (ROOT / "docs" / folder).glob("*.md"):
        title = page.read_text().splitlines()[0].removeprefix("# ")
        assert page.name == "README.md" or f"[{title}]({page.name})" in index


def test_generated_pages_are_what_the_code_says() -> None:
    stale = [name for name, text in pages().items() if (DOCS / name).read_text() != text]
    assert not stale, "run .venv/bin/python -m mercat.lab.docs"


def test_every_setting_and_event_says_what_it_is() -> None:
    assert [kind.__name__ for kind in get_args(events.AnyEvent) if not kind.__doc__] == []
    assert [field.name for field in fields_of(Settings) if not field.text or not field.section] == []


def terms(text: str) -> list[str]:
    return [row.split(" | ")[0].strip("| `") for row in text.splitlines() if row.startswith("| ")]


def test_the_glossary_has_every_module_service_and_event_once():
    page = (DOCS / "glossary.md").read_text()
    by_hand, _, generated = page.partition(glossary.MARK)
    expected = {*SERVICES, *glossary.modules(), *(kind.__name__ for kind in get_args(events.AnyEvent))}
    assert expected <= {*terms(generated)}
    once = [term for term in terms(page) if term not in ("term", "service", "event", "---")]
    assert len(once) == len(set(once)), sorted(term for term in once if once.count(term) > 1)
    assert by_hand


def test_every_module_says_what_it_is_for():
    unnamed = {name for name, meaning in glossary.modules().items() if not meaning}
    assert unnamed == WITHOUT_DOCSTRING


WITHOUT_DOCSTRING: set[str] = set()


def test_planted_faults_of_a_page_are_found():
    assert broken_links(ROOT / "README.md", "[here](docs/nowhere.md)") == ["docs/nowhere.md"]
    assert missing_files("see `mercat/nowhere.py`") == ["mercat/nowhere.py"]
    assert long_cells("| a | " + "word " * 26 + "|")
    assert broken_links(ROOT / "README.md", "```\n[x](y)\n```") == []


def test_every_event_is_told_by_a_service():
    assert "Told by ;" not in pages()["events.md"]
