"""What a backup needs to be whole: no event is missing from its log, and half a restore is no shop."""

import os
from pathlib import Path
from typing import Any, cast

import pytest
from commands import mercat

from mercat.embedded import Home, Trouble
from mercat.embedded.archive import Archive, Looked
from mercat.embedded.backup import Restored, told_in_log

SINCE = "0/5000028"


def rolled_on(log: Path, *segments: int) -> Restored:
    log.mkdir()
    for number in segments:
        (log / f"{1:08X}{0:08X}{number:08X}").write_bytes(b"no log")
    return Restored(cast(Any, None), "0/7000000", None, log, 1)


def test_a_log_that_begins_after_the_last_event_passed_on_is_trouble(tmp_path: Path):
    with pytest.raises(Trouble, match="what was told between is not in it"):
        next(told_in_log(rolled_on(tmp_path / "log", 6, 7), SINCE))


def test_a_log_that_cannot_be_read_is_trouble(tmp_path: Path):
    with pytest.raises(Trouble, match=r"events may be missing: .*pg_waldump"):
        list(told_in_log(rolled_on(tmp_path / "log", 5, 6), SINCE))


def test_half_a_restore_is_no_shop_and_the_next_one_begins_anew(tmp_path: Path):
    home = Home(tmp_path / "new")

    def dies_half_way() -> None:
        with home.being_restored():
            (home.path / "secret.key").write_text("key")
            (home.path / "media").mkdir()
            with home.lock("mercat restore"):
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dies_half_way()
    assert not Home.made(home.path)
    done = mercat("serve", "--data", home.path)
    assert (done.returncode, "was not restored to its end" in done.stderr) == (1, True)
    with home.being_restored():
        assert not (home.path / "secret.key").exists()
        assert not (home.path / "media").exists()
        (home.path / "secret.key").write_text("key")
    assert Home.made(home.path)
    with home.lock("mercat serve"):
        pass


def test_a_restore_leaves_alone_what_is_there_already(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Trouble, match="is not empty"), Home(tmp_path).being_restored():
        pass
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_nothing_is_written_where_the_disk_of_the_backups_is_not_mounted(tmp_path: Path):
    picture = tmp_path / "shop" / "media" / "ab" / "picture.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    mount = tmp_path / "backups"
    mount.mkdir()
    with pytest.raises(Trouble, match="Is the disk of the backups mounted"):
        Archive(mount).keep_media(tmp_path / "shop")
    assert list(mount.iterdir()) == []


def test_folders_that_are_as_they_were_are_not_looked_through_again(tmp_path: Path):
    old, new = tmp_path / "shop" / "media" / "ab", tmp_path / "shop" / "media" / "cd"
    kept, looked = Archive(tmp_path / "backups"), Looked()
    kept.media.mkdir(parents=True)
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(b"a picture")
        (folder / ".2.png.draft").write_bytes(b"half a picture")
        os.utime(folder, (1e9, 1e9))
    assert kept.keep_media(tmp_path / "shop", looked) == 2
    (kept.media / "ab" / "1.png").unlink()
    (new / "2.png").write_bytes(b"a picture")
    assert kept.keep_media(tmp_path / "shop", looked) == 1, "the new one; nobody looked into the other folder"
    assert sorted(path.name for path in kept.media.rglob("*.png")) == ["1.png", "2.png"]


def test_a_picture_that_could_not_be_copied_is_copied_later(tmp_path: Path):
    folder = tmp_path / "shop" / "media"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(b"a picture")
    os.utime(folder, (1e9, 1e9))
    kept, looked = Archive(tmp_path / "backups"), Looked()
    (kept.media / "1.png.new").mkdir(parents=True)
    with pytest.raises(Trouble, match="cannot be written"):
        kept.keep_media(tmp_path / "shop", looked)
    (kept.media / "1.png.new").rmdir()
    assert kept.keep_media(tmp_path / "shop", looked) == 1
