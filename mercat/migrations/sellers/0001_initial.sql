-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema sellers;

create table sellers.seller (
    seller_id bigint      primary key,
    user_id   bigint      unique,
    name      text        not null check (name <> ''),
    status    text        not null default 'active' check (status in ('active', 'suspended')),
    since     timestamptz not null default now()
);
create unique index seller_name on sellers.seller (lower(name));
