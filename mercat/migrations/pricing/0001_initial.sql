-- Change: tax by data: rates by place and class of goods, and where was sold to without one.
-- Previous release: does not know this schema; it goes by rates in its code.

create schema pricing;

-- What an operator imported; while `tax_table` is empty, the rates that the package comes with stand.
create table pricing.tax_rate (
    country        text    not null check (country ~ '^[A-Z]{2}$'),
    subdivision    text    not null default '',
    postal_from    text    not null default '',
    postal_to      text    not null default '',
    class          text    not null default '',
    ppm            integer not null check (ppm between 0 and 1000000),
    shipping_taxed boolean not null,
    included       boolean not null,
    source         text    not null default '',
    valid_from     date,
    primary key (country, subdivision, postal_from, postal_to, class),
    check (length(postal_from) = length(postal_to) and postal_from <= postal_to)
);

-- One row once rates were set: whoever sets them locks it first.
create table pricing.tax_table (
    one        boolean     primary key default true check (one),
    version    integer     not null default 1,
    changed_at timestamptz not null
);

create table pricing.sold_without_rate (
    country     text        not null,
    subdivision text        not null,
    orders      bigint      not null check (orders > 0),
    last_at     timestamptz not null,
    primary key (country, subdivision)
);

-- People who pay no tax, by an operator's word.
create table pricing.tax_exemption (
    user_id    bigint      primary key,
    reason     text        not null check (length(reason) between 1 and 300),
    granted_at timestamptz not null
);
