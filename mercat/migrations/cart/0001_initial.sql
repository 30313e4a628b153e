-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema cart;

-- The durable copy; `seq` is Valkey's time of the last change in it, in microseconds.
create table cart.copy (
    user_id  bigint primary key,
    cart_id  bigint not null,
    lines    jsonb  not null,
    seq      bigint not null,
    at       timestamptz not null default now()
) with (fillfactor = 80);
