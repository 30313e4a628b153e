-- Change: pairs and products have a weight, of which large and old orders are less; what sold lately, by country
-- too; the words of titles; what visitors looked at together. The orders that are here are weighed anew.
-- Previous release: goes on counting orders. What it learns while both run has no weight until it is bought again.

alter table recommendations.pair add column weight double precision not null default 0;
alter table recommendations.sold
    add column weight double precision not null default 0,
    add column lately double precision not null default 0;
alter table recommendations.product add column words text[] not null default '{}';

-- An id has the milliseconds since 2026 above its lower 22 bits.
create temporary table told on commit drop as
select order_id, products, least(cardinality(products), 50) as size,
    power(2, (order_id >> 22) / (120 * 86400000.0)) as recency
from recommendations.basket;

update recommendations.sold s set weight = w.weight, lately = w.lately
from (select product_id, sum(recency / power(greatest(size - 1, 1), 0.75)) as weight, sum(recency) as lately
    from told cross join unnest(products) as product_id group by 1) w
where s.product_id = w.product_id;

update recommendations.pair p set weight = w.weight
from (select a as product_id, b as other_id, sum(recency / power(size - 1, 0.75)) as weight
    from told cross join unnest(products) as a cross join unnest(products) as b where a <> b group by 1, 2) w
where p.product_id = w.product_id and p.other_id = w.other_id;

drop index recommendations.pair_most;
create index pair_heaviest on recommendations.pair (product_id, weight desc, other_id);
drop index recommendations.sold_most;
create index sold_lately on recommendations.sold (lately desc, product_id);

-- What sold where: for what is popular near somebody.
create table recommendations.sold_in (
    country     text   not null,
    product_id  bigint not null,
    lately      double precision not null,
    primary key (country, product_id)
);
create index sold_in_lately on recommendations.sold_in (country, lately desc, product_id);

-- What each visitor of the day looked at last, for a day, and how many looked at two products.
create table recommendations.visit (
    visitor   bigint   primary key,
    day       date     not null,
    products  bigint[] not null
);
create index visit_day on recommendations.visit (day);
create table recommendations.viewed (
    product_id  bigint  not null,
    other_id    bigint  not null,
    visitors    integer not null,
    primary key (product_id, other_id)
);
create index viewed_most on recommendations.viewed (product_id, visitors desc, other_id);
