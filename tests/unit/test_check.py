"""`mercat check` finds what is wrong, says what to do, and its exit code says how bad it is."""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from certificates import write_certificate
from commands import mercat

from mercat.cli.checking import look_over, of_backups, of_certificate, of_settings
from mercat.cli.supervise import WORKER
from mercat.embedded import Connection, Home
from mercat.embedded.archive import Archive, holds_too_much
from mercat.settings import load

PUBLIC = {"MERCAT_PUBLIC_URL": "https://shop.example", "MERCAT_PROXIES": "10.0.0.1"}
NOW = datetime.now(UTC)


def looked_at(found):
    return {(each.level, each.said) for each in found if each.level != "fine"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"MERCAT_PULIC_URL": "x"}, "Did you mean MERCAT_PUBLIC_URL?"),
        ({"MERCAT_HOST": "0.0.0.0"}, "does not know by what address"),
        (PUBLIC, "cookies are sent without it"),
        ({"MERCAT_SECURE_COOKIES": "true"}, "Cookies need https"),
        (PUBLIC | {"MERCAT_DEV_PAGES": "true"}, "Test mode is on"),
        (PUBLIC, "no money moves"),
        (PUBLIC, "No letter leaves"),
        (PUBLIC | {"MERCAT_PROXIES": ""}, "all visitors are one network"),
        ({"MERCAT_TLS_KEY": "key.pem"}, "A certificate needs its key"),
    ],
)
def test_settings_that_do_not_go_together_are_named(variables, said):
    assert [each for _, each in looked_at(of_settings(load(variables))) if said in each]


def test_a_shop_nobody_has_set_up_has_nothing_to_look_at():
    assert (
        looked_at(of_settings(load({"MERCAT_CATALOG_URL": "http://10.0.0.7", "MERCAT_STRIPE_KEY": ""})))
        == set()
    )


@pytest.mark.parametrize(
    ("days", "host", "level"),
    [
        (90, "shop.example", "fine"),
        (5, "shop.example", "look"),
        (-1, "shop.example", "wrong"),
        (90, "x", "wrong"),
    ],
)
def test_a_certificate_that_ends_or_is_anothers_is_found(days, host, level, tmp_path):
    certificate, key = write_certificate(tmp_path, host, NOW + timedelta(days=days))
    told = load(PUBLIC | {"MERCAT_TLS_CERTIFICATE": str(certificate), "MERCAT_TLS_KEY": str(key)})
    levels = {each.level for each in of_certificate(told, NOW)}
    assert level in levels
    assert levels <= {level, "fine"}


def test_a_key_of_another_certificate_is_found(tmp_path):
    (tmp_path / "other").mkdir()
    certificate, _ = write_certificate(tmp_path, "shop.example", NOW + timedelta(days=90))
    _, key = write_certificate(tmp_path / "other", "shop.example", NOW + timedelta(days=90))
    told = load(PUBLIC | {"MERCAT_TLS_CERTIFICATE": str(certificate), "MERCAT_TLS_KEY": str(key)})
    assert [each.level for each in of_certificate(told, NOW)] == ["wrong"]


@pytest.mark.parametrize(("age", "level"), [(1, "fine"), (9, "look"), (None, "wrong")])
def test_backups_that_are_old_or_gone_are_found(age, level, tmp_path):
    if age is not None:
        folder = tmp_path / "base" / "one"
        folder.mkdir(parents=True)
        ended = (NOW - timedelta(days=age)).isoformat()
        known = ("1", 1, "0" * 24, ended, ended, "0.2.0")
        names = ("system", "timeline", "start_segment", "began_at", "ended_at", "version")
        (folder / "backup.json").write_bytes(msgspec.json.encode(dict(zip(names, known, strict=True))))
    assert next(of_backups(Archive(tmp_path), NOW)).level == level
    assert next(of_backups(None, NOW)).level == "look"


def test_a_folder_without_a_shop_is_wrong_and_none_is_made(tmp_path: Path):
    done = mercat("check", "--data", tmp_path / "nowhere", "--json")
    assert done.returncode == 2
    found = msgspec.json.decode(done.stdout)["found"]
    assert found[-1]["said"].startswith("There is no shop in")
    assert not (tmp_path / "nowhere").exists()


def test_the_settings_of_an_open_shop_are_its_own_and_not_those_of_the_shell(tmp_path: Path):
    shell = {"MERCAT_PULIC_URL": "x"}
    assert [each for _, each in looked_at(look_over(tmp_path, shell)) if "MERCAT_PULIC_URL" in each]
    home = Home(tmp_path)
    shop = Connection(str(tmp_path), home.key, "127.0.0.1", 1, "", "", "", os.getpid(), "127.0.0.1", 8_000)
    worker = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", WORKER]
    variables = {**os.environ, **PUBLIC, "MERCAT_DEV_PAGES": "true"}
    with (
        home.lock("a test"),
        subprocess.Popen(worker, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        home.announce(shop)
        found = looked_at(of_open_shop(tmp_path, shell))
        process.stdin.close()
    assert [each for _, each in found if "Test mode is on" in each]
    assert not [each for _, each in found if "PULIC" in each]


def of_open_shop(data, shell):
    """What is looked at before the database, which this shop has not."""
    with suppress(OSError):
        yield from look_over(data, shell)


def test_log_is_let_go_only_where_it_would_fill_the_disk():
    gb = 2**30
    assert not holds_too_much(held=gb // 2, free=0)
    assert not holds_too_much(held=5 * gb, free=6 * gb)
    assert holds_too_much(held=5 * gb, free=4 * gb)


def test_a_wrong_setting_is_wrong(tmp_path: Path):
    done = mercat("check", "--data", tmp_path, "--json", MERCAT_POOL_SIZE="many")
    assert done.returncode == 2
    assert "MERCAT_POOL_SIZE" in done.stdout
