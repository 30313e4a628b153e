-- Change: markets: what goods cost by country, and prices of their own that offers have there.
-- Previous release: does not know these tables; it sells everywhere at the price of the offer.

create table catalog.market (
    code     text    primary key check (code ~ '^[a-z0-9][a-z0-9-]{0,29}$'),
    name     text    not null check (length(name) between 1 and 80),
    percent  integer not null check (percent between -9999 and 100000),
    round_to bigint  not null check (round_to >= 0),
    less     bigint  not null check (less >= 0),
    check (2 * less <= round_to)
);

-- A country is in one market at most.
create table catalog.market_country (
    country text primary key check (country ~ '^[A-Z]{2}$'),
    market  text not null references catalog.market on delete cascade
);

-- One row once markets were set: whoever sets them locks it first.
create table catalog.market_set (
    one        boolean     primary key default true check (one),
    version    integer     not null default 1,
    changed_at timestamptz not null
);

-- What an offer costs in a market, whatever it costs elsewhere.
create table catalog.market_price (
    offer_id bigint not null references catalog.offer on delete cascade,
    market   text   not null references catalog.market on delete cascade,
    price    bigint not null check (price > 0),
    primary key (offer_id, market)
);

create index market_price_market on catalog.market_price (market);
