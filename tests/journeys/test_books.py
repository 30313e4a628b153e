"""After everything that happened here the laws hold."""

import subprocess
import sys

import msgspec

from mercat.audit.audit import laws
from mercat.lab.bench.shop import audited


async def test_the_books_balance_at_the_end_of_the_day(open_shop):
    findings = await audited(open_shop)
    assert len(findings) == len(laws())
    assert [finding for finding in findings if finding.violations] == []
    assert sum(finding.checked for finding in findings) > 0


def test_our_books_and_the_providers_say_the_same(open_shop):
    command = [sys.executable, "-m", "mercat", "reconcile", "--json", "--data", open_shop.data]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    said = msgspec.json.decode(ran.stdout.splitlines()[-1])
    assert (said["provider"], said["differences"], said["opened"]) == ("sandbox", 0, 0)
