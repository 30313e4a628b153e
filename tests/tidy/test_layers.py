"""Who may import whom: derived from the list of services, so that it is written nowhere else."""

import ast
from pathlib import Path

import grimp
import pytest

from mercat.shop import SERVICES, storeys

PACKAGE = Path(__file__).parents[2] / "mercat"
ABOVE = [
    {"mercat.cli"},
    {"mercat.lab.bench", "mercat.lab.docs", "mercat.lab.simulate"},
    {"mercat.app"},
    {"mercat.web"},
    {"mercat.shop"},
]
BELOW = [
    {"mercat.audit", "mercat.lab.demo", "mercat.embedded", "mercat.migrations", "mercat.resharding"},
    {"mercat.kit"},
    {"mercat.settings"},
    {"mercat.events"},
    {"mercat.ids", "mercat.money", "mercat.countries", "mercat.quantity"},
]


def test_a_lower_storey_never_imports_a_higher_one():
    services = [{f"mercat.{name}" for name in storey} for storey in storeys()]
    graph = grimp.build_graph("mercat")
    broken = graph.find_illegal_dependencies_for_layers(layers=(*ABOVE, *services, *BELOW))
    assert [f"{each.importer} imports {each.imported}" for each in broken] == []


def test_every_package_has_a_storey():
    named = {each.split(".")[1] for layer in [*ABOVE, *BELOW] for each in layer} | {*SERVICES}
    there = {each.name for each in PACKAGE.iterdir() if each.is_dir() and (each / "__init__.py").is_file()}
    assert there <= named


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_imports_only_the_services_it_asks(name):
    allowed = {name, *SERVICES[name].asks}
    for path in (PACKAGE / name).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mercat."):
                asked = node.module.split(".")[1]
                assert asked not in SERVICES or asked in allowed, f"{path}: {asked} is not in its `asks`"


def test_those_who_are_asked_stand_before_those_who_ask():
    before: set[str] = set()
    for name, service in SERVICES.items():
        assert {*service.asks} <= before, name
        before.add(name)
