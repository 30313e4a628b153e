-- Change: a rate of exchange of a market, which suggests prices of their own and computes none. In millionths.
-- Previous release: does not name the column, and keeps it where it sets markets.

alter table catalog.market add column rate bigint check (rate > 0);
