-- The rows that a checkout of two lines writes, without services: what pgbench writes one order a transaction.
create table checkout (checkout_id bigint primary key, user_id bigint, key text, fingerprint bytea,
    cart_id bigint unique, record json, begun_at timestamptz, unique (user_id, key));
create table running (checkout_id bigint primary key, fence int default 1, lease_until timestamptz,
    direction text, begun_at timestamptz);
create table answer (checkout_id bigint primary key, status smallint, body bytea, at timestamptz);
create table stock (offer_id bigint primary key, on_hand int, reserved int default 0, version int default 1,
    check (reserved <= on_hand));
create table reservation (checkout_id bigint primary key, state text, offer_ids bigint[], location_ids bigint[],
    quantities int[], at timestamptz default now());
create table movement (kind text, reference text, offer_ids bigint[], location_ids bigint[], quantities int[],
    at timestamptz default now(), primary key (reference, kind));
create table sandbox_charge (key bigint primary key, amount bigint, refunded bigint default 0, currency text,
    token text, state text, at timestamptz default now());
create table payment (payment_id bigint primary key, checkout_id bigint unique, order_id bigint, amount bigint,
    refunded bigint default 0, currency text, status text, parts json, at timestamptz default now());
create index on payment (order_id);
create table entry (kind text, reference bigint, currency text, accounts text[], amounts bigint[],
    at timestamptz default now(), primary key (reference, kind));
create table orders (bucket smallint, order_id bigint, user_id bigint, checkout_id bigint, cart_id bigint,
    status text, email text, subtotal bigint, shipping bigint, tax bigint, total bigint, currency text,
    address json, placed_at timestamptz, primary key (bucket, order_id));
create index on orders (bucket, user_id, order_id desc);
create table line (bucket smallint, order_id bigint, order_line_id bigint, product_id bigint, offer_id bigint,
    seller_id bigint, title text, image_url text, quantity int, unit_price bigint, total bigint,
    primary key (bucket, order_id, order_line_id));
insert into stock (offer_id, on_hand) select n, 1000000000 from generate_series(1, 1000) n;
