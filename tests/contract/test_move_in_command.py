"""`mercat move-in` as a person runs it: what it refuses, in one line, and what it shows."""

from dataclasses import replace

import pytest
from commands import mercat

from mercat.cli import move_in as command
from mercat.embedded import Connection, Trouble, record_moved_in


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give one of --to FILE, --back PART and --status."),
        (("--status", "--back", "log"), "Give one of --to FILE, --back PART and --status."),
        (
            ("--back", "carts"),
            "There is no part 'carts' that moves. There are: pictures, search, analytics, log.",
        ),
        (("--status",), "There is no shop in"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, options, said):
    done = mercat("move-in", "--data", tmp_path / "none", *options)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(said)


def test_a_shop_that_is_closed_is_not_moved(tmp_path):
    (tmp_path / "secret.key").write_text("a key")
    done = mercat("move-in", "--data", tmp_path, "--status")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is not open. Parts move while it is" in done.stderr


def test_what_has_moved_wins_over_what_the_shop_was_opened_with_until_a_file_has_all(tmp_path):
    record_moved_in(tmp_path, {"clickhouse_url": "http://there"})
    assert (tmp_path / "moved_in.json").stat().st_mode & 0o777 == 0o600
    shop = Connection(str(tmp_path), "key", "/run", 5432, "mercat", "unix:///s", "unix:///c", supervisor=1)
    assert shop.environment()["MERCAT_CLICKHOUSE_URL"] == "http://there"
    assert "MERCAT_CLICKHOUSE_URL" not in replace(shop, supervisor=0).environment()


def test_parts_that_an_open_shop_has_elsewhere_already_are_not_touched(tmp_path, monkeypatch):
    """By a variable that somebody has set, or at another address."""
    shop = Connection(str(tmp_path), "key", "/run", 5432, "mercat", "unix:///s", "unix:///c", supervisor=1)
    file = tmp_path / "shop.toml"
    file.write_text('[analytics]\nclickhouse = "http://here"\n[valkey]\nstore = "valkey://v"\n')
    variables = {"MERCAT_CLICKHOUSE_URL": "http://by-hand"}
    monkeypatch.setattr(command, "environment_of", lambda _: variables)
    with pytest.raises(Trouble, match=r"opened with MERCAT_CLICKHOUSE_URL: analytics is not moved"):
        command._plan_of(shop, file, "", "")
    variables.clear()
    [(part, way, there)] = command._plan_of(shop, file, "", "")
    assert (part.name, way, there) == ("analytics", "there", {"clickhouse_url": "http://here"})
    with pytest.raises(Trouble, match="does not say where log is: kafka_url is not given"):
        command._plan_of(shop, file, "log", "")
    with pytest.raises(Trouble, match="analytics is on this machine already"):
        command._plan_of(shop, None, "", "analytics")
    record_moved_in(tmp_path, {"clickhouse_url": "http://there"})
    with pytest.raises(Trouble, match=r"at another address than .* mercat move-in --back analytics"):
        command._plan_of(shop, file, "", "")
