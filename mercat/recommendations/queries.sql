-- name: remember_baskets(user_ids, order_ids, products)
-- Answers the orders that were not known yet: only they are counted.
insert into recommendations.basket (user_id, order_id, products)
select user_id, order_id, products::bigint[]
from unnest(:user_ids::bigint[], :order_ids::bigint[], :products::text[]) as told (user_id, order_id, products)
order by user_id, order_id
on conflict do nothing
returning order_id;

-- name: count_sold(product_ids, orders, weights, lately)
insert into recommendations.sold as s (product_id, orders, weight, lately)
select * from unnest(:product_ids::bigint[], :orders::bigint[], :weights::float8[],
    :lately::float8[]) as counted (product_id, orders, weight, lately)
order by product_id
on conflict (product_id) do update set orders = s.orders + excluded.orders, weight = s.weight + excluded.weight,
    lately = s.lately + excluded.lately;

-- name: count_sold_in(countries, product_ids, lately)
insert into recommendations.sold_in as s (country, product_id, lately)
select * from unnest(:countries::text[], :product_ids::bigint[], :lately::float8[]) as counted (country, product_id,
    lately)
order by country, product_id
on conflict (country, product_id) do update set lately = s.lately + excluded.lately;

-- name: count_pairs(product_ids, other_ids, orders, weights)
with told as (
    select * from unnest(:product_ids::bigint[], :other_ids::bigint[], :orders::integer[],
        :weights::float8[]) as told (one, other, orders, weight)
)
insert into recommendations.pair as p (product_id, other_id, orders, weight)
select one, other, orders, weight from told
union all
select other, one, orders, weight from told
order by 1, 2
on conflict (product_id, other_id) do update set orders = p.orders + excluded.orders,
    weight = p.weight + excluded.weight;

-- name: visits(visitors)
select visitor, products from recommendations.visit where visitor = any(:visitors::bigint[]) order by visitor for update;

-- name: put_visits(visitors, products, today)
insert into recommendations.visit as v (visitor, day, products)
select visitor, :today::date, products::bigint[]
from unnest(:visitors::bigint[], :products::text[]) as told (visitor, products)
order by visitor
on conflict (visitor) do update set products = excluded.products;

-- name: forget_visits(today)
-- A visitor's number is of one day; the day before counts still, for who came around midnight.
delete from recommendations.visit where day < :today::date - 1;

-- name: count_viewed(product_ids, other_ids, visitors)
with told as (
    select * from unnest(:product_ids::bigint[], :other_ids::bigint[], :visitors::integer[]) as told (one, other,
        visitors)
)
insert into recommendations.viewed as v (product_id, other_id, visitors)
select one, other, visitors from told
union all
select other, one, visitors from told
order by 1, 2
on conflict (product_id, other_id) do update set visitors = v.visitors + excluded.visitors;

-- name: know_products(product_ids, versions, categories, brands, prices, ratings, review_counts, in_stock, words)
insert into recommendations.product as p
    (product_id, version, category, brand, price, rating, review_count, in_stock, words)
select product_id, version, category, brand, price, rating, review_count, in_stock, words::text[]
from unnest(:product_ids::bigint[], :versions::bigint[], :categories::text[], :brands::text[],
    :prices::bigint[], :ratings::float8[], :review_counts::bigint[], :in_stock::boolean[],
    :words::text[]) as told (product_id, version, category, brand, price, rating, review_count, in_stock, words)
order by product_id
on conflict (product_id) do update set
    version = excluded.version, category = excluded.category, brand = excluded.brand, price = excluded.price,
    rating = excluded.rating, review_count = excluded.review_count, in_stock = excluded.in_stock,
    words = excluded.words
where p.version < excluded.version;

-- name: together(given, left_out, limit_to, companions, user_id, now)
-- Each companion of a given product counts with the square of their similarity, of orders by their weight; of each
-- given one's companions the `companions` heaviest are looked at. What `user_id` bought before, lately above all,
-- counts up to eleven times: people buy again. `now`: the smallest id of this moment, above whose lower 22 bits an
-- order's has its milliseconds. The powers were chosen as `rules.HALF_LIFE` was.
with own as (
    select product_id, sum(power(2, ((order_id - :now::bigint) >> 22) / (120 * 86400000.0))) as lately
    from (
        select order_id, products from recommendations.basket where user_id = :user_id::bigint
        order by order_id desc limit 50
    ) b cross join unnest(products) as product_id
    group by 1
)
select c.other_id as product_id, k.category
from (
    select p.other_id, sum(p.weight * p.weight / s.weight) as weight
    from unnest(:given::bigint[]) as given (product_id)
    join recommendations.sold s on s.product_id = given.product_id
    cross join lateral (
        select other_id, weight from recommendations.pair
        where product_id = given.product_id and weight > 0
        order by weight desc, other_id
        limit :companions
    ) p
    group by p.other_id
) c
join recommendations.sold o on o.product_id = c.other_id
join recommendations.product k on k.product_id = c.other_id and k.in_stock
left join own on own.product_id = c.other_id
where c.other_id <> all (:left_out::bigint[])
order by c.weight / power(o.weight, 0.9) * (1 + 10 * coalesce(own.lately / (1 + own.lately), 0)) desc,
    o.lately desc, c.other_id
limit :limit_to;

-- name: category(product_id)
select category from recommendations.product where product_id = :product_id;

-- name: similar(product_id, left_out, limit_to)
-- Of the same category the nearest in price, dearer and cheaper, and what visitors looked at as well. Words that
-- titles share bring them nearer, so do the same brand, a quarter, five sure stars, a tenth, and visitors.
select near.product_id
from recommendations.product this
cross join lateral (
    (select product_id, brand, price, standing, words from recommendations.product
     where in_stock and category = this.category and price >= this.price and product_id <> this.product_id
     order by price, product_id limit 100)
    union
    (select product_id, brand, price, standing, words from recommendations.product
     where in_stock and category = this.category and price < this.price
     order by price desc, product_id desc limit 100)
    union
    (select p.product_id, p.brand, p.price, p.standing, p.words
     from (select other_id from recommendations.viewed where product_id = this.product_id
         order by visitors desc, other_id limit 50) v
     join recommendations.product p on p.product_id = v.other_id
     where p.in_stock and p.category = this.category)
) near
left join recommendations.viewed v on v.product_id = this.product_id and v.other_id = near.product_id
cross join lateral (
    select count(*) as shared from unnest(near.words) as word where word = any(this.words)
) w
where this.product_id = :product_id and near.product_id <> all (:left_out::bigint[])
order by abs(ln(greatest(near.price, 1)::float8 / greatest(this.price, 1)))
        - case when near.brand = this.brand and this.brand <> '' then 0.25 else 0 end
        - near.standing / 50
        - w.shared::float8 / greatest(cardinality(near.words) + cardinality(this.words) - w.shared, 1)
        - coalesce(0.5 * v.visitors / (v.visitors + 5.0), 0),
    near.product_id
limit :limit_to;

-- name: popular(left_out, limit_to)
select s.product_id
from recommendations.sold s
join recommendations.product p on p.product_id = s.product_id and p.in_stock
where s.product_id <> all (:left_out::bigint[])
order by s.lately desc, s.product_id
limit :limit_to;

-- name: popular_in(country, left_out, limit_to)
select s.product_id
from recommendations.sold_in s
join recommendations.product p on p.product_id = s.product_id and p.in_stock
where s.country = :country and s.product_id <> all (:left_out::bigint[])
order by s.lately desc, s.product_id
limit :limit_to;

-- name: in_stock(product_ids, limit_to)
select product_id from recommendations.product
where product_id = any(:product_ids::bigint[]) and in_stock
order by array_position(:product_ids::bigint[], product_id)
limit :limit_to;

-- name: well_rated(left_out, limit_to)
select product_id from recommendations.product
where in_stock and product_id <> all (:left_out::bigint[])
order by standing desc, product_id
limit :limit_to;

-- name: recent_baskets(user_id)
select products from recommendations.basket where user_id = :user_id order by order_id desc limit 10;
