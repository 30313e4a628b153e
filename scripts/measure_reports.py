"""Measures what reports cost: writes millions of order lines into an engine of their own, and asks it all.

    .venv/bin/python scripts/measure_reports.py [LINES]      # 5,000,000 by default; about two minutes

Two thirds of a year, 2.5 lines an order, 1,000 sellers, 50,000 products; and 2 million looks.
"""

import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from mercat.analytics import reports
from mercat.analytics.engines.duckdb import FILE, DuckDbEngine
from mercat.analytics.messages import ReportAsk
from mercat.ids import SellerId

LOOKS = 2_000_000
LINES_FACTS = """
insert into fact by name
select 'sold' as kind, i // 5 * 2 + (i % 5) // 3 as source, i as line,
    timestamp '2026-03-01' + to_milliseconds((i * 4147)::bigint) as happened,
    (epoch_us(timestamp '2026-03-01' + to_milliseconds((i * 4147)::bigint)) // 900000000)::integer as quarter,
    i // 5 * 2 + (i % 5) // 3 as order_id, (hash(i * 3) % 1000)::bigint + 1 as seller,
    (hash(i * 7) % 50000)::bigint as product, (hash(i * 7) % 50000)::bigint as offer,
    'category-' || (hash(i * 7) % 50000 % 200) as category,
    (['US', 'DE', 'FR', 'GB', 'JP', 'AU', 'CA', 'NO'])[1 + (hash(i // 5) % 8)::int] as country,
    'web' as channel,
    (hash(i // 5) % 700000)::bigint as buyer, 1 + (hash(i) % 3)::int as units, 0 as cancelled, 0 as returned,
    500 + (hash(i * 11) % 9500)::bigint as gross, (hash(i * 13) % 50)::bigint as discount,
    (hash(i * 17) % 800)::bigint as tax, (hash(i * 19) % 500)::bigint as shipping,
    (hash(i * 23) % 950)::bigint as commission, 0 as refunds, 0 as refunded_goods,
    (i % 5 in (0, 3))::int as first, 1 as first_seller, 1 as first_category, 1 as first_product,
    1 as first_seller_category, 1 as first_seller_product
from range({low}, {high}) t(i)
"""
LOOKS_ROWS = """
insert into look by name
select i // 1000 as batch, (i % 1000)::int as number,
    timestamp '2026-11-01' + to_milliseconds((i * 1200)::bigint) as happened,
    (epoch_us(timestamp '2026-11-01' + to_milliseconds((i * 1200)::bigint)) // 900000000)::integer as quarter,
    (['view', 'view', 'view', 'view', 'search', 'search', 'cart', 'checkout', 'order', 'view'])
        [1 + (hash(i * 3) % 10)::int] as what,
    (hash(i // 40 * 4 + i % 4) % 500000)::bigint as visitor,
    (['phone', 'desktop'])[1 + (hash(i) % 2)::int] as device,
    (hash(i * 7) % 50000)::bigint as product, 'words ' || (hash(i * 5) % 3000) as words,
    (hash(i * 5) % 20)::int as found,
    case when hash(i * 3) % 10 in (4, 5)
        then [(hash((i + k) * 7) % 50000)::bigint for k in range(1, 25)] else [] end as shown
from range({low}, {high}) t(i)
"""
PRODUCTS = """
insert into product by name
select i as product, 'Product ' || i as title, 'category-' || (i % 200) as category,
    'Category' as category_name, i % 1000 + 1 as seller, 1 as version
from range(50000) t(i)
"""


def fill(engine: DuckDbEngine, lines: int) -> None:
    db = engine._db
    for low in range(0, lines, 100_000):
        db.execute(LINES_FACTS.format(low=low, high=min(lines, low + 100_000)))
    for low in range(0, LOOKS, 100_000):
        db.execute(LOOKS_ROWS.format(low=low, high=low + 100_000))
    db.execute(PRODUCTS)
    engine.settle(date(2026, 11, 29))
    db.execute("checkpoint")


def asks() -> list[ReportAsk]:
    month, november = date(2026, 10, 1), date(2026, 11, 1)
    every = [
        ReportAsk(name="sales", by=by, tz=tz, seller_id=seller)
        for by, tz, seller in [
            ("day", "UTC", None),
            ("day", "America/New_York", None),
            ("hour", "Asia/Kathmandu", None),
            ("month", "UTC", None),
            ("seller", "UTC", None),
            ("category", "UTC", None),
            ("product", "UTC", None),
            ("country", "UTC", None),
            ("day", "UTC", SellerId(7)),
            ("product", "UTC", SellerId(7)),
        ]
    ]
    return [
        *every,
        ReportAsk(name="sales", by="day", since=month, until=november, compare="previous"),
        ReportAsk(name="orders", by="day"),
        ReportAsk(name="products", since=month),
        ReportAsk(name="products", since=november),
        ReportAsk(name="searches", since=november),
        ReportAsk(name="searches", since=november, by="day"),
        ReportAsk(name="funnel", since=november),
        ReportAsk(name="funnel", since=november, by="day"),
        ReportAsk(name="cohorts", since=date(2026, 3, 1)),
        ReportAsk(name="stock", since=month),
    ]


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDbEngine(Path(folder, FILE), 512)
        began = time.perf_counter()
        fill(engine, lines)
        megabytes = Path(folder, FILE).stat().st_size / 1e6
        took = time.perf_counter() - began
        say(f"{lines:,} lines and {LOOKS:,} looks: {took:.0f} s, {megabytes:.0f} MB on disk")
        now = datetime(2026, 11, 30, tzinfo=UTC)
        for ask in asks():
            reports.make(engine, ask, now)
            times, cpu = [], time.process_time()
            for _ in range(5):
                began = time.perf_counter()
                made = reports.make(engine, ask, now)
                times.append(time.perf_counter() - began)
            cpu = (time.process_time() - cpu) / 5
            what = f"{ask.name} by {ask.by or 'itself'}"
            what += f" of seller {int(ask.seller_id)}" if ask.seller_id else ""
            what += f" from {ask.since}" if ask.since else ""
            say(
                f"{what:44s} {ask.tz:18s} {len(made.rows):6,d} rows {min(times) * 1e3:7.0f} ms best "
                f"{sorted(times)[2] * 1e3:7.0f} ms median {cpu * 1e3:7.0f} ms cpu"
            )
        engine.close()
    say(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
