create schema if not exists accounts;

create table if not exists accounts.person (
    user_id   bigint      primary key,
    email     text        not null,
    name      text        not null,
    password  text        not null,
    roles     text[]      not null default '{shopper}',
    seller_id bigint,
    opened_at timestamptz not null default now()
);
create unique index if not exists person_email on accounts.person (lower(email));

-- The guests a person was before signing in: their addresses and orders are the person's.
create table if not exists accounts.claimed (
    guest_id bigint primary key,
    user_id  bigint not null
);
create index if not exists claimed_by on accounts.claimed (user_id);

create table if not exists accounts.address (
    user_id     bigint not null,
    address_id  bigint not null,
    name        text   not null,
    line1       text   not null,
    line2       text,
    city        text   not null,
    region      text,
    postal_code text   not null,
    country     text   not null,
    phone       text,
    primary key (user_id, address_id)
);

create table if not exists accounts.payment_method (
    user_id           bigint not null,
    payment_method_id bigint not null,
    token             text   not null,
    primary key (user_id, payment_method_id)
);
-- `once`: it was given for one purchase, and is not among what a person keeps.
alter table accounts.payment_method add column if not exists once boolean not null default false;
alter table accounts.payment_method add column if not exists brand text not null default '';
alter table accounts.payment_method add column if not exists last4 text not null default '';
