-- Change: which address and card a person chose as theirs, the second step of signing in, and keys of programs.
-- Previous release: knows none of these tables. Until it is gone it signs people in without their second step.

create table accounts.choice (
    user_id           bigint primary key,
    address_id        bigint,
    payment_method_id bigint
);

-- The secret is derived from the shop's key and this nonce: it cannot be read from here. `last_step` is the time step
-- of the last code that was taken, so that each is good once.
create table accounts.second_step (
    user_id      bigint      primary key,
    nonce        bytea       not null,
    confirmed_at timestamptz,
    last_step    bigint      not null default 0
);
create table accounts.recovery_code (
    user_id bigint not null,
    digest  bytea  not null,
    primary key (user_id, digest)
);

create table accounts.api_key (
    api_key_id   bigint      primary key,
    seller_id    bigint      not null,
    user_id      bigint      not null,
    name         text        not null,
    scopes       text[]      not null check (cardinality(scopes) > 0),
    digest       bytea       not null unique,
    prefix       text        not null,
    created_at   timestamptz not null,
    last_used_at timestamptz
);
create index api_keys_of on accounts.api_key (seller_id, api_key_id);
