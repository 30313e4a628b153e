create schema if not exists sellers;

create table if not exists sellers.seller (
    seller_id bigint      primary key,
    user_id   bigint      unique,
    name      text        not null check (name <> ''),
    status    text        not null default 'active' check (status in ('active', 'suspended')),
    since     timestamptz not null default now()
);
create unique index if not exists seller_name on sellers.seller (lower(name));
