-- name: remember_baskets(user_ids, order_ids, products)
-- Answers the orders that were not known yet: only they are counted.
insert into recommendations.basket (user_id, order_id, products)
select user_id, order_id, products::bigint[]
from unnest(:user_ids::bigint[], :order_ids::bigint[], :products::text[]) as told (user_id, order_id, products)
order by user_id, order_id
on conflict do nothing
returning order_id;

-- name: count_sold(product_ids, orders)
insert into recommendations.sold as s (product_id, orders)
select * from unnest(:product_ids::bigint[], :orders::bigint[]) as counted (product_id, orders)
order by product_id
on conflict (product_id) do update set orders = s.orders + excluded.orders;

-- name: count_pairs(product_ids, other_ids, orders)
insert into recommendations.pair as p (product_id, other_id, orders)
select one, other, orders from unnest(:product_ids::bigint[], :other_ids::bigint[], :orders::integer[]) as a (one,
    other, orders)
union all
select other, one, orders from unnest(:product_ids::bigint[], :other_ids::bigint[], :orders::integer[]) as b (one,
    other, orders)
order by 1, 2
on conflict (product_id, other_id) do update set orders = p.orders + excluded.orders;

-- name: know_products(product_ids, versions, categories, brands, prices, ratings, review_counts, in_stock)
insert into recommendations.product as p
    (product_id, version, category, brand, price, rating, review_count, in_stock)
select * from unnest(:product_ids::bigint[], :versions::bigint[], :categories::text[], :brands::text[],
    :prices::bigint[], :ratings::float8[], :review_counts::bigint[],
    :in_stock::boolean[]) as told (product_id, version, category, brand, price, rating, review_count, in_stock)
order by product_id
on conflict (product_id) do update set
    version = excluded.version, category = excluded.category, brand = excluded.brand, price = excluded.price,
    rating = excluded.rating, review_count = excluded.review_count, in_stock = excluded.in_stock
where p.version < excluded.version;

-- name: together(given, left_out, limit_to, companions)
-- Orders that two products shared, over the root of the orders each was in: cosine similarity, summed over the
-- `given`; of each given one's companions the `companions` most frequent are weighed.
select c.other_id as product_id, k.category
from (
    select p.other_id, sum(p.orders / sqrt(s.orders)) as weight
    from unnest(:given::bigint[]) as given (product_id)
    join recommendations.sold s on s.product_id = given.product_id
    cross join lateral (
        select other_id, orders from recommendations.pair
        where product_id = given.product_id
        order by orders desc, other_id
        limit :companions
    ) p
    group by p.other_id
) c
join recommendations.sold o on o.product_id = c.other_id
join recommendations.product k on k.product_id = c.other_id and k.in_stock
where c.other_id <> all (:left_out::bigint[])
order by c.weight / sqrt(o.orders) desc, o.orders desc, c.other_id
limit :limit_to;

-- name: category(product_id)
select category from recommendations.product where product_id = :product_id;

-- name: similar(product_id, left_out, limit_to)
-- The nearest in price of the same category, dearer and cheaper; the same brand counts as a quarter nearer,
-- five sure stars as a tenth.
select near.product_id
from recommendations.product this
cross join lateral (
    (select product_id, brand, price, standing from recommendations.product
     where in_stock and category = this.category and price >= this.price and product_id <> this.product_id
     order by price, product_id limit 100)
    union all
    (select product_id, brand, price, standing from recommendations.product
     where in_stock and category = this.category and price < this.price
     order by price desc, product_id desc limit 100)
) near
where this.product_id = :product_id and near.product_id <> all (:left_out::bigint[])
order by abs(ln(greatest(near.price, 1)::float8 / greatest(this.price, 1)))
        - case when near.brand = this.brand and this.brand <> '' then 0.25 else 0 end
        - near.standing / 50,
    near.product_id
limit :limit_to;

-- name: popular(left_out, limit_to)
select s.product_id
from recommendations.sold s
join recommendations.product p on p.product_id = s.product_id and p.in_stock
where s.product_id <> all (:left_out::bigint[])
order by s.orders desc, s.product_id
limit :limit_to;

-- name: well_rated(left_out, limit_to)
select product_id from recommendations.product
where in_stock and product_id <> all (:left_out::bigint[])
order by standing desc, product_id
limit :limit_to;

-- name: recent_baskets(user_id)
select products from recommendations.basket where user_id = :user_id order by order_id desc limit 10;
