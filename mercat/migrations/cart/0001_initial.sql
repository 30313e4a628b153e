create schema if not exists cart;

-- The durable copy; `seq` is Valkey's time of the last change in it, in microseconds.
create table if not exists cart.copy (
    user_id  bigint primary key,
    cart_id  bigint not null,
    lines    jsonb  not null,
    seq      bigint not null,
    at       timestamptz not null default now()
) with (fillfactor = 80);
