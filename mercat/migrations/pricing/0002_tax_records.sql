-- Change: what was sold is recorded with the tax provider, and what was paid back is reversed there.
-- Previous release: does not know this table; its orders are recorded once this release follows the log.

-- `key`: an order's id, or a refund's; the provider takes each once. `asked` goes once it is recorded.
create table pricing.tax_record (
    key         text        primary key check (length(key) between 1 and 100),
    order_id    bigint      not null,
    kind        text        not null check (kind in ('sale', 'reversal')),
    amount      bigint      not null check (amount >= 0),
    tax         bigint      not null default 0 check (tax >= 0),
    currency    text        not null,
    asked       jsonb,
    status      text        not null default 'waiting' check (status in ('waiting', 'recorded', 'refused')),
    tries       integer     not null default 0,
    due_at      timestamptz not null,
    made_at     timestamptz not null,
    recorded_at timestamptz,
    reference   text        not null default '',
    said_tax    bigint,
    failure     text        not null default '',
    check (kind = 'reversal' or status = 'recorded' or asked is not null)
);

create index tax_record_due on pricing.tax_record (due_at) where status = 'waiting';
create index tax_record_order on pricing.tax_record (order_id);
create index tax_record_status on pricing.tax_record (status, made_at desc);
