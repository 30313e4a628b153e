-- Every statement of the engine. A `{piece}` is another statement of this file.
-- name: schema
create table if not exists fact (
    kind varchar not null, source bigint not null, line bigint not null, happened timestamp not null,
    quarter integer not null, order_id bigint not null, seller bigint not null, product bigint not null,
    offer bigint not null, category varchar not null, country varchar not null, channel varchar not null,
    buyer bigint not null, units integer not null, cancelled integer not null, returned integer not null,
    gross bigint not null, discount bigint not null, tax bigint not null, shipping bigint not null,
    commission bigint not null, refunds bigint not null, refunded_goods bigint not null, first tinyint not null,
    first_seller tinyint not null, first_category tinyint not null, first_product tinyint not null,
    first_seller_category tinyint not null, first_seller_product tinyint not null
);
create table if not exists product (
    product bigint primary key, title varchar not null, category varchar not null, category_name varchar not null,
    seller bigint not null, version bigint not null
);
create table if not exists look (
    batch bigint not null, number integer not null, happened timestamp not null, quarter integer not null,
    what varchar not null, visitor bigint not null, device varchar not null, product bigint not null,
    words varchar not null, found integer not null, shown bigint[] not null
);
create table if not exists reached (position bigint not null);
create table if not exists searched (
    batch bigint not null, number integer not null, happened timestamp not null, visitor bigint not null,
    words varchar not null, found integer not null, shown bigint[] not null, place bigint, bought boolean not null
);
create table if not exists search_words (
    day date not null, words varchar not null, searches bigint not null, visitors bigint not null,
    no_result bigint not null, clicks bigint not null, places bigint not null, bought bigint not null
);
create table if not exists search_quarters (
    day date not null, quarter integer not null, earlier integer not null, searches bigint not null,
    visitors bigint not null, no_result bigint not null, clicks bigint not null, places bigint not null,
    bought bigint not null
);
create table if not exists summed (day date primary key);
drop table if exists settled;
update fact set quarter = epoch_us(happened) // 900000000 where quarter <> epoch_us(happened) // 900000000

-- name: position
select position from reached

-- name: forget_position
delete from reached

-- name: move_on
insert into reached values ($position)

-- name: forget_facts
delete from fact

-- name: empty
delete from fact;
delete from product;
delete from look;
delete from reached;
delete from searched;
delete from search_words;
delete from search_quarters;
delete from summed

-- name: facts_here
-- An order's facts lie between its id and itself: only those are looked through.
select kind, source, line from fact
where order_id between $least and $most and order_id in (select unnest($orders::bigint[]))

-- name: take_facts
-- `told` has a column of numbers a field: read so, a fact costs an eighth of what it does as JSON.
insert into fact by name
select *, (epoch_us(happened) // 900000000)::integer as quarter from told

-- name: take_products
insert into product by name
select distinct on (product) * from (select unnest(from_json($rows, $shape), recursive := true))
order by product, version desc
on conflict (product) do update set title = excluded.title, category = excluded.category,
    category_name = excluded.category_name, seller = excluded.seller, version = excluded.version
where excluded.version > product.version

-- name: take_looks
with told as (
    select unnest(from_json($rows, $shape), recursive := true)
)
insert into look by name
select t.*, (epoch_us(t.happened) // 900000000)::integer as quarter
from told t
where not exists (select 1 from look l where l.batch = t.batch)
returning happened::date

-- name: latest_settled
select max(day) from summed

-- name: unsettle
-- Looks that come late belong to a day that was settled without them.
delete from summed where day in (select unnest($days::date[]))

-- name: unsettle_searches
delete from searched where happened::date in (select unnest($days::date[]))

-- name: unsettle_words
delete from search_words where day in (select unnest($days::date[]))

-- name: unsettle_quarters
delete from search_quarters where day in (select unnest($days::date[]))

-- name: open_since
-- From when on there are looks of days that are not settled.
select min(happened) from look where happened::date not in (select day from summed)

-- name: days_to_settle
select distinct happened::date as day from look
where happened < $before and happened::date not in (select day from summed)
order by 1
limit 31

-- name: settle
insert into searched by name
with {outcomes}
select * from outcomes

-- name: sum_words
insert into search_words by name
select $day as day, words, {search_sums} from searched where happened::date = $day group by words

-- name: sum_quarters
-- A visitor counts once in any stretch of a day: where the quarter of an hour in which they searched before lies
-- outside of it. So that one is kept too (`earlier`; -1: none that day), and quarters can be added up.
insert into search_quarters by name
with of_visitors as (
    select (epoch_us(happened) // 900000000)::integer as quarter, visitor, {search_sums}
    from searched where happened::date = $day group by 1, 2
), in_turn as (
    select *, lag(quarter, 1, -1) over (partition by visitor order by quarter) as earlier from of_visitors
)
select $day as day, quarter, earlier, {sums_of_searches} from in_turn group by quarter, earlier

-- name: settled
insert into summed values ($day)

-- name: forget_looks
delete from look where happened < $before

-- name: forget_searched
delete from searched where happened < $before

-- name: forget_words
delete from search_words where day < $before::date

-- name: forget_quarters
delete from search_quarters where day < $before::date

-- name: forget_settled
delete from summed where day < $before::date

-- name: facts_after
-- All facts of the next orders, to be copied.
select kind, source, line, happened, order_id, seller, product, offer, category, country, channel, buyer, units,
    cancelled, returned, gross, discount, tax, shipping, commission, refunds, refunded_goods, first, first_seller,
    first_category, first_product, first_seller_category, first_seller_product
from fact where order_id > $after and order_id <= (select max(order_id) from (
    select distinct order_id from fact where order_id > $after order by order_id limit $most))

-- name: products_after
select * from product where product > $after order by product limit $most

-- name: looks_after
select batch, number, happened, what, visitor, device, product, words, found, shown
from look where batch > $after and batch <= (select max(batch) from (
    select distinct batch from look where batch > $after order by batch limit $most))

-- name: facts_compared
-- What two engines with the same facts both come to.
select happened::date as day, kind, count(*) as facts,
    sum(units)::bigint as units, sum(cancelled)::bigint as cancelled, sum(returned)::bigint as returned,
    sum(gross)::bigint as gross, sum(discount)::bigint as discount, sum(tax)::bigint as tax,
    sum(shipping)::bigint as shipping, sum(commission)::bigint as commission, sum(refunds)::bigint as refunds,
    sum(refunded_goods)::bigint as refunded_goods, sum(first)::bigint as first,
    sum(first_seller)::bigint as first_seller, sum(first_category)::bigint as first_category,
    sum(first_product)::bigint as first_product, sum(first_seller_category)::bigint as first_seller_category,
    sum(first_seller_product)::bigint as first_seller_product, sum(source % 1000000007)::bigint as sources, sum(line % 1000000007)::bigint as lines,
    sum(order_id % 1000000007)::bigint as order_ids, sum(seller % 1000000007)::bigint as sellers, sum(product % 1000000007)::bigint as products,
    sum(offer % 1000000007)::bigint as offers, sum(buyer % 1000000007)::bigint as buyers
from fact group by all

-- name: shelves_compared
select category, country, channel, kind, count(*) as facts, sum(gross)::bigint as gross, sum(line % 1000000007)::bigint as lines
from fact group by all

-- name: products_compared
select '' as day, count(*) as products, sum(product % 1000000007)::bigint as product, sum(version)::bigint as versions,
    sum(length(title) + length(category) + length(category_name))::bigint as letters,
    sum(seller % 1000000007)::bigint as sellers
from product having count(*) > 0

-- name: looks_compared
select happened::date as day, what, device, count(*) as looks, sum(batch % 1000000007)::bigint as batches,
    sum(number)::bigint as numbers, sum(visitor % 1000000007)::bigint as visitors, sum(product % 1000000007)::bigint as products,
    sum(length(words))::bigint as letters, sum(found)::bigint as found, sum(len(shown))::bigint as shown
from look group by all

-- name: days
-- What each day (UTC) comes to, by seller and in all (seller 0), as the audit compares it with the books.
select happened::date as day, coalesce(seller, 0) as seller_id,
    (case when grouping(seller) = 1 then sum(first) else sum(first_seller) end)::bigint as orders, sum(units)::bigint as units,
    sum(gross)::bigint as gross, sum(discount)::bigint as discount, sum(tax)::bigint as tax,
    sum(shipping)::bigint as shipping, sum(commission)::bigint as commission, sum(cancelled)::bigint as cancelled,
    sum(refunds)::bigint as refunds
from fact
where $every or happened::date in (select unnest($days::date[]))
group by grouping sets ((happened::date, seller), (happened::date))

-- name: sums
sum(units)::bigint as units, sum(gross)::bigint as gross, sum(discount)::bigint as discount,
sum(refunds)::bigint as refunds, sum(tax)::bigint as tax, sum(shipping)::bigint as shipping,
sum(commission)::bigint as commission, (sum(gross) - sum(discount) - sum(refunded_goods))::bigint as net,
sum(refunded_goods)::bigint as refunded_goods, sum(cancelled)::bigint as cancelled_units,
sum(returned)::bigint as returned_units

-- name: everybody
true

-- name: one_seller
seller = $seller

-- name: money
-- By a moment of time the facts are added up by quarters of an hour first, and these by local time: offsets from UTC
-- are multiples of that.
select {key} as key, sum({orders})::bigint as orders, {sums}
from fact
where happened >= $since and happened < $until and {whose}
group by 1
order by gross desc, 1
limit $most

-- name: money_by_product
-- Of many products the first are found by one sum, and the other sums are of those alone.
with best as (
    select product, sum(gross) as gross from fact
    where happened >= $since and happened < $until and {whose}
    group by 1
    order by gross desc, 1
    limit $most
)
select product as key, sum({orders})::bigint as orders, {sums}
from fact
where happened >= $since and happened < $until and {whose} and product in (select product from best)
group by 1
order by gross desc, 1

-- name: money_by_time
with quarters as (
    select quarter, sum({orders})::bigint as orders, {sums}
    from fact
    where happened >= $since and happened < $until and {whose}
    group by 1
)
select {quarter_key} as key,
    sum(orders)::bigint as orders, sum(units)::bigint as units, sum(gross)::bigint as gross,
    sum(discount)::bigint as discount, sum(refunds)::bigint as refunds, sum(tax)::bigint as tax,
    sum(shipping)::bigint as shipping, sum(commission)::bigint as commission, sum(net)::bigint as net,
    sum(refunded_goods)::bigint as refunded_goods, sum(cancelled_units)::bigint as cancelled_units,
    sum(returned_units)::bigint as returned_units
from quarters
group by 1
order by 1

-- name: money_totals
select sum({orders})::bigint as orders, {sums}
from fact
where happened >= $since and happened < $until and {whose}

-- name: key_seller
seller

-- name: key_category
category

-- name: key_product
product

-- name: key_country
country

-- name: key_channel
channel

-- name: orders_first
first

-- name: orders_first_seller
first_seller

-- name: orders_first_category
first_category

-- name: orders_first_product
first_product

-- name: orders_first_seller_category
first_seller_category

-- name: orders_first_seller_product
first_seller_product

-- name: product_names
select product, title, category, category_name from product where product in (select unnest($products::bigint[]))

-- name: category_names
select category, any_value(category_name) as category_name from product
where category in (select unnest($categories::varchar[])) group by 1

-- name: bounds
select min(happened) as first, max(happened) as last from fact where {whose}

-- name: looks_everybody
true

-- name: looks_one_seller
product in (select product from product where seller = $seller)

-- name: outcomes
-- A search is clicked where its visitor looked at something it showed within half an hour, and bought where they
-- ordered that on the same day; what was shown by several searches counts for the latest before the look.
s as (
    select batch, number, happened, visitor, words, found, shown
    from look
    where what = 'search' and {looked}
), seen as (
    select batch, number, happened, visitor, product from look
    where what = 'view' and {looked_after}
), clicked as (
    select v.batch as view_batch, v.number as view_number, arg_max(s.batch, s.happened) as batch,
        arg_max(s.number, s.happened) as number, any_value(v.visitor) as visitor, any_value(v.product) as product,
        arg_max(list_position(s.shown, v.product), s.happened) as place
    from seen v join s on s.visitor = v.visitor and v.happened between s.happened and s.happened + interval 30 minute
        and list_contains(s.shown, v.product)
    group by 1, 2
), of_search as (
    select c.batch, c.number, min(c.place) as place, bool_or(o.visitor is not null) as bought
    from clicked c
    left join (select distinct visitor, product from look where what = 'order' and {looked_after}) o
        on o.visitor = c.visitor and o.product = c.product
    group by 1, 2
), outcomes as (
    select s.*, c.place, coalesce(c.bought, false) as bought
    from s left join of_search c on c.batch = s.batch and c.number = s.number
)

-- name: on_the_day
happened::date = $day

-- name: not_settled
-- A look belongs to the latest search that showed the product, one after the period too.
happened >= $open_since and happened >= $since and happened < $until + interval 30 minute
    and happened::date not in (select day from summed)

-- name: not_settled_after
happened >= $open_since and happened >= date_trunc('day', $since) and happened < $until + interval 1 day
    and happened::date not in (select day from summed)

-- name: searches
-- Of days that are long over it is known what came of each search, and what the days come to: a visitor's number is
-- of one day. Sums stand for the days between `whole_since` and `whole_until`.
with {outcomes}, every as (
    select happened, visitor, words, found, place, bought from outcomes
    where happened < $until and {shown_to}
    union all
    select happened, visitor, words, found, place, bought from searched
    where happened >= $since and happened < $until and not (happened >= $whole_since and happened < $whole_until)
        and {shown_then_to}
), counted as (
    select {search_key} as key, false as whole, {search_sums} from every group by 1
    union all by name
    select null as key, true as whole, {search_sums} from every
    union all by name
    select key, false as whole, {sums_of_searches} from ({summed_searches}) group by 1
    union all by name
    select null as key, true as whole, {sums_of_searches} from (
        select * replace (case when earlier < epoch_us($whole_since) // 900000000 then visitors else 0 end as visitors)
        from search_quarters where {in_whole}
    )
), added as (
    select key, whole, {sums_of_searches} from counted group by 1, 2
), best as (
    (select * from added where whole)
    union all
    (select * from added where not whole and searches > 0 order by searches desc, 1 limit $most)
)
select key, whole, searches, visitors, no_result, clicks, round(clicks / searches, 4) as click_rate, bought,
    round(bought / searches, 4) as buy_rate, round(places / nullif(clicks, 0), 2) as position
from best
order by whole desc, searches desc, 1

-- name: search_sums
count(*)::bigint as searches, count(distinct visitor)::bigint as visitors,
count(*) filter (where found = 0)::bigint as no_result, count(place)::bigint as clicks,
coalesce(sum(place), 0)::bigint as places, count(*) filter (where bought)::bigint as bought

-- name: sums_of_searches
coalesce(sum(searches), 0)::bigint as searches, coalesce(sum(visitors), 0)::bigint as visitors,
coalesce(sum(no_result), 0)::bigint as no_result, coalesce(sum(clicks), 0)::bigint as clicks,
coalesce(sum(places), 0)::bigint as places, coalesce(sum(bought), 0)::bigint as bought

-- name: in_whole
quarter >= epoch_us($whole_since) // 900000000 and quarter < epoch_us($whole_until) // 900000000

-- name: summed_words
select words as key, * from search_words where day >= $whole_since and day < $whole_until

-- name: local_quarters
select quarter, {quarter_key} as key
from (select distinct quarter from search_quarters where {in_whole})

-- name: summed_time
select n.key, s.searches, s.no_result, s.clicks, s.places, s.bought,
    case when s.earlier < epoch_us($whole_since) // 900000000 or e.key <> n.key then s.visitors else 0 end as visitors
from search_quarters s
join ({local_quarters}) n on n.quarter = s.quarter
left join ({local_quarters}) e on e.quarter = s.earlier

-- name: key_words
words

-- name: key_time
date_trunc($by, timezone($tz, happened at time zone 'UTC'))

-- name: key_hour
-- When (UTC) the hour began by the clock that was in force: of the two hours called 02:00 each has its own.
happened - (timezone($tz, happened at time zone 'UTC') - date_trunc('hour', timezone($tz, happened at time zone 'UTC')))

-- name: quarter_time
date_trunc($by, timezone($tz, to_timestamp(quarter::bigint * 900)))

-- name: quarter_hour
timezone('UTC', to_timestamp(quarter::bigint * 900)) - (timezone($tz, to_timestamp(quarter::bigint * 900))
    - date_trunc('hour', timezone($tz, to_timestamp(quarter::bigint * 900))))

-- name: asked_most
select words from search_words
where day >= $since and day < $until and words <> '…'
group by words
having sum(clicks) >= $clicks
order by sum(searches) desc, words
limit $most

-- name: learnt_days
-- Of four days three teach, and one is held out.
happened >= $since and happened < $until and (epoch_us(happened) // 86400000000 % 4 = 3) = $held_out

-- name: choices
-- How often which product was shown at which place, clicked there, and ordered that day by who clicked it.
with {outcomes}, kept as (
    select words, batch, number, shown[:$places] as shown from s where words in (select unnest($words::varchar[]))
), showings as (
    select words, product, place, count(*) as shown
    from (select words, unnest(shown) as product, generate_subscripts(shown, 1) as place from kept)
    group by 1, 2, 3
), chosen as (
    select distinct k.words, c.product, c.place, c.batch, c.number, o.visitor is not null as bought
    from clicked c
    join kept k on k.batch = c.batch and k.number = c.number
    left join (select distinct visitor, product from look where what = 'order' and {looked_after}) o
        on o.visitor = c.visitor and o.product = c.product
), counted as (
    select words, product, place, count(*) as clicked, count(*) filter (where bought) as bought from chosen group by 1, 2, 3
)
select s.words, s.product, s.place, s.shown, coalesce(c.clicked, 0)::bigint as clicked,
    coalesce(c.bought, 0)::bigint as bought
from showings s left join counted c on c.words = s.words and c.product = s.product and c.place = s.place
order by s.shown desc, 1, 2, 3
limit $most

-- name: shown_everybody
true

-- name: shown_one_seller
-- Lists are taken apart and looked up together: an eighth of what it takes to look into each.
row(batch, number) in (
    select row(batch, number) from (
        select batch, number, unnest(shown) as product from look where what = 'search' and {looked}
    )
    where product in (select product from product where seller = $seller)
)

-- name: shown_then_one_seller
row(batch, number) in (
    select row(batch, number) from (
        select batch, number, unnest(shown) as product from searched where happened >= $since and happened < $until
    )
    where product in (select product from product where seller = $seller)
)

-- name: shown_then_everybody
true

-- name: funnel
-- How far each visitor of a day came: who did a later step has come past the earlier ones.
with steps as (
    select visitor, any_value(device) as device, min(happened) as happened, max(case what when 'view' then 2
        when 'cart' then 3 when 'checkout' then 4 when 'order' then 5 else 1 end) as reached
    from look
    where happened >= $since and happened < $until and what <> 'exposed' and {visitors}
    group by visitor
)
select {funnel_key} as key, count(*)::bigint as visits, count(*) filter (where reached >= 2)::bigint as viewed,
    count(*) filter (where reached >= 3)::bigint as added, count(*) filter (where reached >= 4)::bigint as checkouts,
    count(*) filter (where reached >= 5)::bigint as bought
from steps
group by 1
order by 1

-- name: visitors_everybody
true

-- name: visitors_one_seller
visitor in (select visitor from look where happened >= $since and happened < $until and what = 'view'
    and product in (select product from product where seller = $seller))
and (what <> 'order' or product in (select product from product where seller = $seller))

-- name: funnel_device
device

-- name: arms
-- What came of each way of experiments: an order counts from the moment its visitor was shown the way.
with shown as (
    select words as arm, visitor, min(happened) as first, count(*) as answers from look
    where what = 'exposed' and happened >= $since and words in (select unnest($arms::varchar[]))
    group by 1, 2
), late as (
    select words as arm, quantile_cont(found, 0.95) / 1000 as latency_ms from look
    where what = 'exposed' and happened >= $since and words in (select unnest($arms::varchar[]))
    group by 1
), ordered as (
    select visitor, max(happened) as last from look where what = 'order' and happened >= $since group by 1
)
select s.arm, count(*)::bigint as visitors, count(*) filter (where o.last >= s.first)::bigint as bought,
    sum(s.answers)::bigint as answers, any_value(l.latency_ms)::double as latency_ms
from shown s join late l on l.arm = s.arm left join ordered o on o.visitor = s.visitor
group by 1
order by 1

-- name: products_seen
-- What was looked at and what was sold, a product a row.
with best as (
    (select product from fact where happened >= $since and happened < $until and {whose}
        group by 1 order by sum(gross) desc, 1 limit $most)
    union
    (select product from look where happened >= $since and happened < $until and what = 'view' and {looks}
        group by 1 order by count(*) desc, 1 limit $most)
), seen as (
    select product, count(*) filter (where what = 'view') as views,
        count(distinct visitor) filter (where what = 'view') as visitors,
        count(distinct visitor) filter (where what = 'order') as buyers
    from look
    where happened >= $since and happened < $until and what in ('view', 'order')
        and product in (select product from best) and {looks}
    group by 1
), sold as (
    select product, sum({orders})::bigint as orders, {sums}
    from fact
    where happened >= $since and happened < $until and {whose} and product in (select product from best)
    group by 1
)
select coalesce(m.product, v.product) as key, coalesce(v.views, 0)::bigint as views,
    coalesce(v.visitors, 0)::bigint as visitors,
    case when v.visitors > 0 then round(least(v.buyers, v.visitors) / v.visitors, 4) end as conversion,
    m.* exclude (product)
from sold m full join seen v on v.product = m.product
order by coalesce(m.gross, 0) desc, views desc, 1
limit $most

-- name: views_in_all
select count(*) filter (where what = 'view')::bigint as views,
    count(distinct visitor) filter (where what = 'view')::bigint as visitors
from look
where happened >= $since and happened < $until and what = 'view' and {looks}

-- name: cohorts
-- Buyers by the month of their first order, and who of them bought again how many months later.
with months as (
    select quarter, date_trunc('month', timezone($tz, to_timestamp(quarter::bigint * 900))) as month
    from (select distinct quarter from fact)
), bought as (
    select buyer, month, bool_or(kind = 'sold') as again, sum({orders})::bigint as orders, {sums}
    from fact join months using (quarter)
    where {whose}
    group by 1, 2
), firsts as (
    select buyer, min(month) as cohort from bought where again group by 1
), sizes as (
    select cohort, count(*) as size from firsts group by 1
)
select f.cohort as key, date_diff('month', f.cohort, b.month) as months_later,
    count(*) filter (where b.again)::bigint as buyers, any_value(z.size)::bigint as cohort_size,
    round(count(*) filter (where b.again) / any_value(z.size), 4) as retention,
    sum(b.orders)::bigint as orders, sum(b.units)::bigint as units, sum(b.gross)::bigint as gross,
    sum(b.discount)::bigint as discount, sum(b.refunds)::bigint as refunds, sum(b.tax)::bigint as tax,
    sum(b.shipping)::bigint as shipping, sum(b.commission)::bigint as commission, sum(b.net)::bigint as net
from bought b join firsts f using (buyer) join sizes z on z.cohort = f.cohort
where b.month >= date_trunc('month', $since) and f.cohort < $until
group by 1, 2
order by 1, 2
limit $most

-- name: new_buyers
-- Who bought for the first time in the months of the report, with no limit.
select count(*)::bigint as buyers
from (
    select min(date_trunc('month', timezone($tz, to_timestamp(quarter::bigint * 900)))) as cohort
    from fact
    where kind = 'sold' and {whose}
    group by buyer
)
where cohort >= date_trunc('month', $since) and cohort < $until

-- name: offers_sold
select offer as offer_id, any_value(product) as product_id, any_value(seller) as seller_id,
    sum({orders})::bigint as orders, {sums}
from fact
where happened >= $since and happened < $until and {whose}
group by 1
order by units desc
limit $most
