-- Change: orders of a former shop are kept as history, to be read only. No law, ledger or stock knows them.
-- Previous release: does not know the table.

create table orders.imported_order (
    imported_order_id bigint      primary key,
    number            text        not null unique check (number <> ''),  -- of the former shop
    email             text        not null default '',  -- empty once the person is forgotten
    placed_at         timestamptz not null,
    status            text        not null default '',
    currency          text        not null,
    subtotal          bigint      not null default 0,
    discount          bigint      not null default 0,
    shipping          bigint      not null default 0,
    tax               bigint      not null default 0,
    total             bigint      not null,
    address           jsonb       not null default '{}',
    lines             jsonb       not null default '[]',
    imported_at       timestamptz not null default now()
);
create index imported_order_email on orders.imported_order (lower(email), placed_at desc);
create index imported_order_placed on orders.imported_order (placed_at desc, imported_order_id desc);
