"""After everything that happened here the laws hold."""

from mercat.audit.audit import laws
from mercat.bench.shop import audited


async def test_the_books_balance_at_the_end_of_the_day(open_shop):
    findings = await audited(open_shop)
    assert len(findings) == len(laws())
    assert [finding for finding in findings if finding.violations] == []
    assert sum(finding.checked for finding in findings) > 0
