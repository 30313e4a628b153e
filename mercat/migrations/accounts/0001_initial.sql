-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema accounts;

create table accounts.person (
    user_id   bigint      primary key,
    email     text        not null,
    name      text        not null,
    password  text        not null,
    roles     text[]      not null default '{shopper}',
    seller_id bigint,
    opened_at timestamptz not null default now()
);
create unique index person_email on accounts.person (lower(email));

-- The guests a person was before signing in: their addresses and orders are the person's.
create table accounts.claimed (
    guest_id bigint primary key,
    user_id  bigint not null
);
create index claimed_by on accounts.claimed (user_id);

create table accounts.address (
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

create table accounts.payment_method (
    user_id           bigint  not null,
    payment_method_id bigint  not null,
    token             text    not null,
    once              boolean not null default false,  -- given for one purchase, not among what a person keeps
    brand             text    not null default '',
    last4             text    not null default '',
    primary key (user_id, payment_method_id)
);
