create schema if not exists recommendations;

-- What the catalogue told of each product, as far as likeness needs it.
create table if not exists recommendations.product (
    product_id    bigint  primary key,
    version       bigint  not null,
    category      text    not null,
    brand         text    not null,
    price         bigint  not null,
    rating        double precision not null,
    review_count  bigint  not null,
    in_stock      boolean not null,
    -- A rating counts for more the more people gave it: as if twenty others had given none.
    standing      double precision not null generated always as (rating * review_count / (review_count + 20)) stored
);
create index if not exists product_near on recommendations.product (category, price, product_id) where in_stock;
create index if not exists product_standing on recommendations.product (standing desc, product_id) where in_stock;

-- One row an order: what was in it, and that it has been counted.
create table if not exists recommendations.basket (
    user_id   bigint   not null,
    order_id  bigint   not null,
    products  bigint[] not null,
    primary key (user_id, order_id)
);

create table if not exists recommendations.sold (
    product_id  bigint primary key,
    orders      bigint not null
);
create index if not exists sold_most on recommendations.sold (orders desc, product_id);

-- In how many orders two products met; each pair both ways round, so that one index serves either.
create table if not exists recommendations.pair (
    product_id  bigint  not null,
    other_id    bigint  not null,
    orders      integer not null,
    primary key (product_id, other_id)
);
create index if not exists pair_most on recommendations.pair (product_id, orders desc, other_id);
