-- name: remember_baskets
-- Answers the orders that were not known yet: only they are counted.
insert into recommendations.basket (user_id, order_id, products)
select user_id, order_id, products::bigint[]
from unnest($1::bigint[], $2::bigint[], $3::text[]) as told (user_id, order_id, products)
order by user_id, order_id
on conflict do nothing
returning order_id;

-- name: count_sold
insert into recommendations.sold as s (product_id, orders)
select * from unnest($1::bigint[], $2::bigint[]) as counted (product_id, orders)
order by product_id
on conflict (product_id) do update set orders = s.orders + excluded.orders;

-- name: count_pairs
insert into recommendations.pair as p (product_id, other_id, orders)
select one, other, orders from unnest($1::bigint[], $2::bigint[], $3::integer[]) as a (one, other, orders)
union all
select other, one, orders from unnest($1::bigint[], $2::bigint[], $3::integer[]) as b (one, other, orders)
order by 1, 2
on conflict (product_id, other_id) do update set orders = p.orders + excluded.orders;

-- name: know_products
insert into recommendations.product as p
    (product_id, version, category, brand, price, rating, review_count, in_stock)
select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::float8[], $7::bigint[],
    $8::boolean[]) as told (product_id, version, category, brand, price, rating, review_count, in_stock)
order by product_id
on conflict (product_id) do update set
    version = excluded.version, category = excluded.category, brand = excluded.brand, price = excluded.price,
    rating = excluded.rating, review_count = excluded.review_count, in_stock = excluded.in_stock
where p.version < excluded.version;

-- name: together
-- Orders that two products shared, over the root of the orders each was in: cosine similarity, summed over what
-- is given ($1). $2 is left out; $3 are wanted; of each given one's companions the $4 most frequent are weighed.
select c.other_id as product_id
from (
    select p.other_id, sum(p.orders / sqrt(s.orders)) as weight
    from unnest($1::bigint[]) as given (product_id)
    join recommendations.sold s on s.product_id = given.product_id
    cross join lateral (
        select other_id, orders from recommendations.pair
        where product_id = given.product_id
        order by orders desc, other_id
        limit $4
    ) p
    group by p.other_id
) c
join recommendations.sold o on o.product_id = c.other_id
join recommendations.product k on k.product_id = c.other_id and k.in_stock
where c.other_id <> all ($2::bigint[])
order by c.weight / sqrt(o.orders) desc, o.orders desc, c.other_id
limit $3;

-- name: similar
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
where this.product_id = $1 and near.product_id <> all ($2::bigint[])
order by abs(ln(greatest(near.price, 1)::float8 / greatest(this.price, 1)))
        - case when near.brand = this.brand and this.brand <> '' then 0.25 else 0 end
        - near.standing / 50,
    near.product_id
limit $3;

-- name: popular
select s.product_id
from recommendations.sold s
join recommendations.product p on p.product_id = s.product_id and p.in_stock
where s.product_id <> all ($1::bigint[])
order by s.orders desc, s.product_id
limit $2;

-- name: well_rated
select product_id from recommendations.product
where in_stock and product_id <> all ($1::bigint[])
order by standing desc, product_id
limit $2;

-- name: recent_baskets
select products from recommendations.basket where user_id = $1 order by order_id desc limit 10;
