"""After everything that happened here the laws hold."""

import asyncpg
import msgspec
from commands import mercat

from mercat.audit.audit import laws
from mercat.cli.supervise import connections_for
from mercat.lab.bench.shop import audited


async def test_the_books_balance_at_the_end_of_the_day(open_shop):
    findings = await audited(open_shop)
    assert len(findings) == len(laws())
    assert [finding for finding in findings if finding.violations] == []
    assert sum(finding.checked for finding in findings) > 0


def test_our_books_and_the_providers_say_the_same(open_shop):
    ran = mercat("reconcile", "--json", "--data", open_shop.data)
    assert ran.returncode == 0, ran.stderr
    said = msgspec.json.decode(ran.stdout.splitlines()[-1])
    assert (said["provider"], said["differences"], said["opened"]) == ("sandbox", 0, 0)


def test_the_audit_looks_at_a_true_sample_of_search_and_would_notice_it(open_shop):
    for options, noticed in (([], 0), (["--prove"], 500)):
        ran = mercat("audit", "--json", "--data", open_shop.data, *options)
        assert ran.returncode == 0, ran.stderr
        found = {each["law"]: each for each in msgspec.json.decode(ran.stdout.splitlines()[-1])["laws"]}
        search = found["search has the catalogue's newest (sampled)"]
        assert search["checked"] == 1_000
        assert search["violations"] >= noticed if options else search["violations"] == 0


async def test_postgres_allows_what_the_processes_may_open(open_shop):
    owner = await asyncpg.connect(**open_shop.postgres())
    allowed = int(await owner.fetchval("show max_connections"))
    await owner.close()
    assert allowed == connections_for(2, 4)
