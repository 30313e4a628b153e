"""A shop whose disk is gone is made again from a bucket, with what it committed after the backup."""

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from buckets import KEY, s3_server
from commands import mercat
from waiting import until

from mercat.embedded.mirror import Mirror
from mercat.lab.bench import faults as scene
from mercat.lab.bench.shop import audited, serving
from mercat.settings import Secret, Settings

WHERE = "s3://pictures/mercat"


async def registers(port: int, name: str) -> None:
    person = {"email": f"{name}@shop.example", "password": "a long enough one", "name": name}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60) as http:
        assert (await http.post("/accounts", json=person)).status_code == 201


async def signs_in(port: int, name: str) -> bool:
    person = {"email": f"{name}@shop.example", "password": "a long enough one"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60) as http:
        return (await http.post("/sessions", json=person)).status_code == 201


@pytest.mark.long
async def test_a_shop_whose_disk_is_gone_comes_back_from_its_bucket(tmp_path: Path):
    tmp_path.chmod(0o755)
    shop, again = tmp_path / "shop", tmp_path / "again"
    shop.mkdir(mode=0o711)
    with s3_server() as server:
        keys = {
            "MERCAT_BACKUP_S3_ENDPOINT": server,
            "MERCAT_BACKUP_S3_ACCESS_KEY": KEY.access_key,
            "MERCAT_BACKUP_S3_SECRET_KEY": KEY.secret_key,
        }
        bucket = Mirror.of(
            WHERE,
            Settings(
                backup_s3_endpoint=server,
                backup_s3_access_key=KEY.access_key,
                backup_s3_secret_key=Secret(KEY.secret_key),
            ),
        )
        async with serving(shop, more=keys) as connection:
            await registers(connection.port, "before")
            done = await asyncio.to_thread(mercat, "backup", WHERE, "--data", shop, **keys)
            assert done.returncode == 0, done.stderr
            assert f"Every commit goes to {WHERE}/wal" in done.stderr
            checked = await asyncio.to_thread(mercat, "check", "--data", shop, **keys)
            assert WHERE in checked.stderr.replace("\n", "")
            await registers(connection.port, "after")
            fetches = 0

            async def arrived() -> bool:
                nonlocal fetches
                fetches += 1
                folder = tmp_path / f"look{fetches}"
                await asyncio.to_thread(bucket.fetch, folder, None, lambda _: None)
                log = b"".join(path.read_bytes() for path in (folder / "wal").iterdir())
                shutil.rmtree(folder)
                return b"after@shop.example" in log

            await until(arrived, 60)
            for pid in scene.family(connection.supervisor):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(shop)
        done = await asyncio.to_thread(mercat, "restore", WHERE, "--data", again, **keys)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in tmp_path.iterdir()} == {"again"}, "what was fetched is removed"
        async with serving(again, more=keys) as connection:
            assert await signs_in(connection.port, "before")
            assert await signs_in(connection.port, "after")
            assert [finding for finding in await audited(connection) if finding.violations] == []
            done = await asyncio.to_thread(mercat, "backup", WHERE, "--data", again, **keys)
            assert done.returncode == 1
            assert "is of another shop, or of this one before it was restored" in done.stderr
