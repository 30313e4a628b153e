-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema recommendations;

-- What the catalogue told of each product, as far as likeness needs it.
create table recommendations.product (
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
create index product_near on recommendations.product (category, price, product_id) where in_stock;
create index product_standing on recommendations.product (standing desc, product_id) where in_stock;

-- One row an order: what was in it, and that it has been counted.
create table recommendations.basket (
    user_id   bigint   not null,
    order_id  bigint   not null,
    products  bigint[] not null,
    primary key (user_id, order_id)
);

create table recommendations.sold (
    product_id  bigint primary key,
    orders      bigint not null
);
create index sold_most on recommendations.sold (orders desc, product_id);

-- In how many orders two products met; each pair both ways round, so that one index serves either.
create table recommendations.pair (
    product_id  bigint  not null,
    other_id    bigint  not null,
    orders      integer not null,
    primary key (product_id, other_id)
);
create index pair_most on recommendations.pair (product_id, orders desc, other_id);
