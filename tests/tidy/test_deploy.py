"""What `deploy/` and docs/operating.md tell people to run can be run: commands parse, files are whole."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from typer.main import get_command

from mercat.cli.main import app
from mercat.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OPERATING = ROOT / "docs" / "operating.md"
UNITS = sorted(DEPLOY.glob("mercat*.*"))
COMMAND = re.compile(
    r"(?:^|[\s`\"/])mercat ((?:backup|restore|check|reload|serve|audit|reconcile|operator|import)\b[^`#\n]*)"
)
FOREIGN = {"python3", "useradd", "install", "systemctl", "journalctl", "mercat"}


def commands() -> list[str]:
    found: list[str] = []
    for path in [OPERATING, *sorted(path for path in DEPLOY.rglob("*") if path.is_file())]:
        for line in path.read_text().splitlines():
            if "/" in path.suffix or path.suffix == ".json":
                continue
            found += [match.rstrip(" .,;:|)") for match in COMMAND.findall(line) if "…" not in match]
    return sorted({each for each in found if not re.match(r"\w+ (is|and|names|the|cannot)\b", each)})


def parsed(command: str) -> None:
    """Parse a command line as `mercat` would, without running it."""
    words = command.split()
    group: click.Command = get_command(app)  # type: ignore[assignment]
    context = click.Context(group, info_name="mercat")
    while isinstance(group, click.Group) or hasattr(group, "get_command"):
        name = words.pop(0)
        found = group.get_command(context, name)  # type: ignore[union-attr]
        assert found, f"there is no command {name}"
        group = found
    with group.make_context(group.name, words, parent=context, resilient_parsing=False):
        pass


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 12


@pytest.mark.parametrize("command", commands())
def test_every_command_line_is_one_of_mercat(command: str) -> None:
    parsed(command)


@pytest.mark.parametrize("command", ["restore", "check --dta x", "serve --port many", "restor x"])
def test_a_command_line_that_is_none_is_found(command: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011  - of the library that Typer keeps to itself
        parsed(command)


def test_blocks_of_shell_are_shell_and_of_programs_that_are_named() -> None:
    for block in re.findall(r"^( *)```sh\n(.*?)^ *```", OPERATING.read_text(), re.DOTALL | re.MULTILINE):
        script = block[1]
        assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0, script
        for line in script.split("\n"):
            if line.strip():
                assert Path(line.split()[0]).name in FOREIGN | {"pip"}, line
    for name in re.findall(r"deploy/[\w./-]+\w", OPERATING.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", [*UNITS, DEPLOY / "environment"], ids=lambda path: path.name)
def test_variables_are_settings(path: Path) -> None:
    said = set(re.findall(r"\b(MERCAT_[A-Z_]+)", path.read_text()))
    assert {name.removeprefix("MERCAT_").lower() for name in said} <= {*Settings.__struct_fields__}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_units_are_units(tmp_path: Path) -> None:
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/mercat/bin/mercat", "/bin/true"))
    files = [tmp_path / path.name for path in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "mercat" in line] == []


def of_unit(name: str) -> dict[str, str]:
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def test_the_shop_can_write_where_its_backups_go() -> None:
    unit, backup = of_unit("mercat.service"), of_unit("mercat-backup.service")
    folder = backup["ExecStart"].split(" backup ")[1].split()[0]
    assert unit["ProtectSystem"] == "strict"
    assert folder in {each.removeprefix("-") for each in unit["ReadWritePaths"].split()}
    assert backup["User"] == unit["User"]
    assert f"install -d -o {unit['User']} -g {unit['Group']} -m 0700 {folder}\n" in OPERATING.read_text()


def test_the_image_can_write_where_its_backups_go() -> None:
    shop = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["shop"]
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    [made] = re.findall(r"install -d -o mercat -g mercat -m 0700 ([^&\n]+)", text)
    # A new volume belongs to whom the folder below it does.
    assert {each.split(":")[1] for each in shop["volumes"]} <= {*made.split()}


def test_what_the_unit_names_is_installed() -> None:
    page = of_unit("mercat.service")["Documentation"].removeprefix("file:")
    assert f" {page}\n" in OPERATING.read_text()


def test_the_image_runs_as_nobody_special_and_is_looked_at() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    names = [name for name, _ in steps]
    last = names.index("FROM", names.index("FROM") + 1)
    said = dict(steps[last:])
    assert said["USER"] == "mercat"
    assert said["VOLUME"] == "/data"
    assert "8001/health" in said["HEALTHCHECK"]
    copied = [Path(source) for name, rest in steps[:last] if name == "COPY" for source in rest.split()[:-1]]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {"FROM", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"} <= {*names}


def test_compose_starts_the_shop_without_rights_behind_a_door() -> None:
    said = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    shop, door = said["services"]["shop"], said["services"]["door"]
    assert shop["read_only"] is True
    assert shop["cap_drop"] == ["ALL"]
    assert "ports" not in shop
    assert door["depends_on"]["shop"]["condition"] == "service_healthy"
    variables = {name.removeprefix("MERCAT_").lower() for name in shop["environment"]}
    assert variables <= {*Settings.__struct_fields__}
    mounted = {each.split(":")[0] for service in (shop, door) for each in service["volumes"]}
    assert {each for each in mounted if not each.startswith(".")} <= {*said["volumes"]}
    subnet = said["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert shop["environment"]["MERCAT_PROXIES"] == subnet
