-- Every statement of the engine. A `{piece}` is another statement of this file, `{name:Type}` a parameter.
-- Rows are kept in tables that keep the newest of a key (`…_rows`, `told`); what is asked reads views of them.
-- name: schema
create table if not exists told (
    kind LowCardinality(String), source Int64, line Int64, happened DateTime64(6, 'UTC'),
    quarter Int64 materialized intDiv(toUnixTimestamp64Micro(happened), 900000000), order_id Int64, seller Int64,
    product Int64, offer Int64, category String, country LowCardinality(String), channel LowCardinality(String),
    buyer Int64, units Int32, cancelled Int32, returned Int32, gross Int64, discount Int64, tax Int64, shipping Int64,
    commission Int64, refunds Int64, refunded_goods Int64, first Int8, first_seller Int8, first_category Int8,
    first_product Int8, first_seller_category Int8, first_seller_product Int8, position Int64,
    index by_moment happened type minmax
)
engine = ReplacingMergeTree(position) order by (order_id, kind, source, line)
settings non_replicated_deduplication_window = 1000;
create table if not exists product_rows (
    product Int64, title String, category String, category_name String, seller Int64, version Int64
)
engine = ReplacingMergeTree(version) order by product
settings non_replicated_deduplication_window = 1000;
create table if not exists look_rows (
    batch Int64, number Int32, happened DateTime64(6, 'UTC'), what LowCardinality(String), visitor Int64,
    device LowCardinality(String), product Int64, words String, found Int32, shown Array(Int64)
)
engine = ReplacingMergeTree order by (toDate(happened), batch, number)
settings non_replicated_deduplication_window = 1000;
create table if not exists searched_rows (
    batch Int64, number Int32, happened DateTime64(6, 'UTC'), visitor Int64, words String, found Int32,
    shown Array(Int64), place Nullable(Int64), bought Bool, version Int64
)
engine = ReplacingMergeTree(version) order by (toDate(happened), batch, number);
create table if not exists search_words_rows (
    day Date, words String, searches Int64, visitors Int64, no_result Int64, clicks Int64, places Int64, bought Int64,
    version Int64
)
engine = ReplacingMergeTree(version) order by (day, words);
create table if not exists search_quarters_rows (
    day Date, quarter Int64, earlier Int64, searches Int64, visitors Int64, no_result Int64, clicks Int64,
    places Int64, bought Int64, version Int64
)
engine = ReplacingMergeTree(version) order by (day, quarter, earlier);
create table if not exists summed_rows (day Date, done Bool, version Int64)
engine = ReplacingMergeTree(version) order by day;
create or replace view fact as select *, quarter from told final where kind <> 'position';
create or replace view product as select * from product_rows final;
create or replace view look as select * from look_rows final;
create or replace view summed as select day from summed_rows final where done;
create or replace view searched as
select * except version from searched_rows final where toDate(happened) in (select day from summed);
create or replace view search_words as
select * except version from search_words_rows final where day in (select day from summed);
create or replace view search_quarters as
select * except version from search_quarters_rows final where day in (select day from summed);
drop view if exists settled;
drop table if exists settled_rows

-- name: make_database
create database if not exists {database:Identifier}

-- name: now
told

-- name: anew
told_anew

-- name: position
-- The position is a row beside the facts, of the order 0: one insert writes both, it last.
select maxOrNull(position) as position from told where order_id = 0 and kind = 'position'

-- name: lose_anew
drop table if exists told_anew

-- name: make_anew
create table told_anew as told

-- name: exchange
exchange tables told and told_anew

-- name: facts_here
select kind, source, line from {into}
where order_id >= {least:Int64} and order_id <= {most:Int64} and order_id in {orders:Array(Int64)}

-- name: take_facts
insert into {into}

-- name: take_products
insert into product_rows

-- name: take_looks
insert into look_rows

-- name: looks_here
select batch, number from look_rows
where toDate(happened) in {days:Array(Date)} and batch in {batches:Array(Int64)}

-- name: unsettle
-- Looks that come late belong to a day that was settled without them: it is asked of the looks again.
insert into summed_rows
select day, false, (select max(version) from summed_rows) + 1 from summed where day in {days:Array(Date)}

-- name: days_to_settle
select distinct toDate(happened) as day from look
where happened < toDateTime64({before:Date}, 6, 'UTC') and toDate(happened) not in (select day from summed)
order by 1
limit 31

-- name: settle
insert into searched_rows (batch, number, happened, visitor, words, found, shown, place, bought, version)
with {outcomes}
select batch, number, happened, visitor, words, found, shown, place, bought,
    (select max(version) from summed_rows) + 1
from outcomes

-- name: sum_words
insert into search_words_rows (day, words, searches, visitors, no_result, clicks, places, bought, version)
select {day:Date}, words, {search_sums}, (select max(version) from summed_rows) + 1
from searched_rows final where toDate(happened) = {day:Date} group by words

-- name: sum_quarters
-- A visitor counts once in any stretch of a day: where the quarter of an hour in which they searched before lies
-- outside of it. So that one is kept too (`earlier`; -1: none that day), and quarters can be added up.
insert into search_quarters_rows
    (day, quarter, earlier, searches, visitors, no_result, clicks, places, bought, version)
with of_visitors as (
    select {quarter} as quarter, visitor as who, {search_sums}
    from searched_rows final where toDate(happened) = {day:Date} group by quarter, who
), in_turn as (
    select *, lagInFrame(quarter, 1, -1) over (
        partition by who order by quarter rows between unbounded preceding and unbounded following) as earlier
    from of_visitors
)
select {day:Date}, t.quarter, t.earlier, {sums_of_searches}, (select max(version) from summed_rows) + 1
from in_turn t group by t.quarter, t.earlier

-- name: quarter
intDiv(toUnixTimestamp64Micro(happened), 900000000)

-- name: settled
insert into summed_rows select {day:Date}, true, (select max(version) from summed_rows) + 1

-- name: forget_looks
delete from look_rows where happened < toDateTime64({before:Date}, 6, 'UTC')

-- name: forget_searched
delete from searched_rows where happened < toDateTime64({before:Date}, 6, 'UTC')

-- name: forget_words
delete from search_words_rows where day < {before:Date}

-- name: forget_quarters
delete from search_quarters_rows where day < {before:Date}

-- name: forget_settled
delete from summed_rows where day < {before:Date}

-- name: facts_after
-- All facts of the next orders, to be copied.
select kind, source, line, happened, order_id, seller, product, offer, category, country, channel, buyer, units,
    cancelled, returned, gross, discount, tax, shipping, commission, refunds, refunded_goods, first, first_seller,
    first_category, first_product, first_seller_category, first_seller_product
from fact where order_id > {after:Int64} and order_id <= (select max(order_id) from (
    select distinct order_id from fact where order_id > {after:Int64} order by order_id limit {most:Int64}))

-- name: products_after
select * from product where product > {after:Int64} order by product limit {most:Int64}

-- name: looks_after
select batch, number, happened, what, visitor, device, product, words, found, shown
from look where batch > {after:Int64} and batch <= (select max(batch) from (
    select distinct batch from look where batch > {after:Int64} order by batch limit {most:Int64}))

-- name: facts_compared
-- What two engines with the same facts both come to.
select toDate(f.happened) as day, f.kind as kind, count() as facts,
    sum(f.units) as units, sum(f.cancelled) as cancelled, sum(f.returned) as returned, sum(f.gross) as gross,
    sum(f.discount) as discount, sum(f.tax) as tax, sum(f.shipping) as shipping, sum(f.commission) as commission,
    sum(f.refunds) as refunds, sum(f.refunded_goods) as refunded_goods, sum(f.first) as first,
    sum(f.first_seller) as first_seller, sum(f.first_category) as first_category,
    sum(f.first_product) as first_product, sum(f.first_seller_category) as first_seller_category,
    sum(f.first_seller_product) as first_seller_product, sum(f.source % 1000000007) as sources,
    sum(f.line % 1000000007) as lines, sum(f.order_id % 1000000007) as order_ids, sum(f.seller % 1000000007) as sellers,
    sum(f.product % 1000000007) as products, sum(f.offer % 1000000007) as offers, sum(f.buyer % 1000000007) as buyers
from fact f group by day, kind

-- name: shelves_compared
select f.category as category, f.country as country, f.channel as channel, f.kind as kind, count() as facts,
    sum(f.gross) as gross, sum(f.line % 1000000007) as lines
from fact f group by category, country, channel, kind

-- name: products_compared
select '' as day, count() as products, sum(p.product % 1000000007) as product, sum(p.version) as versions,
    sum(lengthUTF8(p.title) + lengthUTF8(p.category) + lengthUTF8(p.category_name)) as letters,
    sum(p.seller % 1000000007) as sellers
from product p having count() > 0

-- name: looks_compared
select toDate(l.happened) as day, l.what as what, l.device as device, count() as looks, sum(l.batch % 1000000007) as batches,
    sum(l.number) as numbers, sum(l.visitor % 1000000007) as visitors, sum(l.product % 1000000007) as products,
    sum(lengthUTF8(l.words)) as letters, sum(l.found) as found, sum(length(l.shown)) as shown
from look l group by day, what, device

-- name: days
-- What each day (UTC) comes to, by seller and in all (seller 0), as the audit compares it with the books.
select toDate(f.happened) as day, f.seller as seller_id,
    if(grouping(f.seller) = 1, sum(f.first), sum(f.first_seller)) as orders, sum(f.units) as units,
    sum(f.gross) as gross, sum(f.discount) as discount, sum(f.tax) as tax, sum(f.shipping) as shipping,
    sum(f.commission) as commission, sum(f.cancelled) as cancelled, sum(f.refunds) as refunds
from fact f
where {every:Bool} or toDate(f.happened) in {days:Array(Date)}
group by grouping sets ((day, f.seller), (day))

-- name: sums
sum(f.units) as units, sum(f.gross) as gross, sum(f.discount) as discount, sum(f.refunds) as refunds, sum(f.tax) as tax,
sum(f.shipping) as shipping, sum(f.commission) as commission,
sum(f.gross) - sum(f.discount) - sum(f.refunded_goods) as net, sum(f.refunded_goods) as refunded_goods,
sum(f.cancelled) as cancelled_units, sum(f.returned) as returned_units

-- name: sums_of_sums
sum(q.orders) as orders, sum(q.units) as units, sum(q.gross) as gross, sum(q.discount) as discount,
sum(q.refunds) as refunds, sum(q.tax) as tax, sum(q.shipping) as shipping, sum(q.commission) as commission,
sum(q.net) as net, sum(q.refunded_goods) as refunded_goods, sum(q.cancelled_units) as cancelled_units,
sum(q.returned_units) as returned_units

-- name: everybody
true

-- name: one_seller
f.seller = {seller:Int64}

-- name: in_time
f.happened >= {since:DateTime64(6, 'UTC')} and f.happened < {until:DateTime64(6, 'UTC')}

-- name: looked_in_time
happened >= {since:DateTime64(6, 'UTC')} and happened < {until:DateTime64(6, 'UTC')}

-- name: money
select {key} as key, sum({orders}) as orders, {sums}
from fact f
where {in_time} and {whose}
group by key
order by gross desc, key
limit {most:UInt32}

-- name: money_by_product
-- Of many products the first are found by one sum, and the other sums are of those alone.
with best as (
    select f.product as product from fact f
    where {in_time} and {whose}
    group by f.product
    order by sum(f.gross) desc, f.product
    limit {most:UInt32}
)
select f.product as key, sum({orders}) as orders, {sums}
from fact f
where {in_time} and {whose} and f.product in (select product from best)
group by key
order by gross desc, key

-- name: money_by_time
with quarters as (
    select f.quarter as quarter, sum({orders}) as orders, {sums}
    from fact f
    where {in_time} and {whose}
    group by f.quarter
)
select {quarter_key} as key, {sums_of_sums}
from quarters q
group by key
order by key

-- name: money_totals
select sum({orders}) as orders, {sums}
from fact f
where {in_time} and {whose}

-- name: key_seller
f.seller

-- name: key_category
f.category

-- name: key_product
f.product

-- name: key_country
f.country

-- name: key_channel
f.channel

-- name: orders_first
f.first

-- name: orders_first_seller
f.first_seller

-- name: orders_first_category
f.first_category

-- name: orders_first_product
f.first_product

-- name: orders_first_seller_category
f.first_seller_category

-- name: orders_first_seller_product
f.first_seller_product

-- name: product_names
select product, title, category, category_name from product where product in {products:Array(Int64)}

-- name: category_names
select category, any(category_name) as category_name from product
where category in {categories:Array(String)} group by category

-- name: bounds
select minOrNull(f.happened) as first, maxOrNull(f.happened) as last from fact f where {whose}

-- name: looks_everybody
true

-- name: looks_one_seller
product in (select product from product where seller = {seller:Int64})

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
    select v.batch as view_batch, v.number as view_number, argMax(s.batch, s.happened) as batch,
        argMax(s.number, s.happened) as number, any(v.visitor) as visitor, any(v.product) as product,
        argMax(toInt64(indexOf(s.shown, v.product)), s.happened) as place
    from seen v join s on s.visitor = v.visitor
    where v.happened >= s.happened and v.happened <= addMinutes(s.happened, 30) and has(s.shown, v.product)
    group by v.batch, v.number
), ordered as (
    select distinct visitor, product, true as bought from look where what = 'order' and {looked_after}
), of_search as (
    select c.batch as batch, c.number as number, min(c.place) as place, max(o.bought is not null) as bought
    from clicked c left join ordered o on o.visitor = c.visitor and o.product = c.product
    group by c.batch, c.number
), outcomes as (
    select s.batch as batch, s.number as number, s.happened as happened, s.visitor as visitor, s.words as words,
        s.found as found, s.shown as shown, c.place as place, coalesce(c.bought, 0) = 1 as bought
    from s left join of_search c on c.batch = s.batch and c.number = s.number
)

-- name: on_the_day
toDate(happened) = {day:Date}

-- name: not_settled
-- A look belongs to the latest search that showed the product, one after the period too.
happened >= {since:DateTime64(6, 'UTC')} and happened < addMinutes({until:DateTime64(6, 'UTC')}, 30)
    and toDate(happened) not in (select day from summed)

-- name: not_settled_after
happened >= toStartOfDay({since:DateTime64(6, 'UTC')}) and happened < addDays({until:DateTime64(6, 'UTC')}, 1)
    and toDate(happened) not in (select day from summed)

-- name: search_sums
toInt64(count()) as searches, toInt64(uniqExact(visitor)) as visitors, toInt64(countIf(found = 0)) as no_result,
toInt64(count(place)) as clicks, toInt64(coalesce(sum(place), 0)) as places, toInt64(countIf(bought)) as in_all_bought

-- name: sums_of_searches
toInt64(sum(t.searches)) as searches, toInt64(sum(t.visitors)) as visitors, toInt64(sum(t.no_result)) as no_result,
toInt64(sum(t.clicks)) as clicks, toInt64(sum(t.places)) as places, toInt64(sum(t.in_all_bought)) as in_all_bought

-- name: searches
-- Of days that are long over it is known what came of each search, and what the days come to: a visitor's number is
-- of one day. Sums stand for the days between `whole_since` and `whole_until`.
with {outcomes}, every as (
    select happened, visitor, words, found, place, bought from outcomes
    where happened < {until:DateTime64(6, 'UTC')} and {shown_to}
    union all
    select happened, visitor, words, found, place, bought from searched
    where {looked_in_time} and not {in_whole} and {shown_to}
), counted as (
    select toString({search_key}) as key, false as whole, {search_sums} from every group by key
    union all
    select '' as key, true as whole, {search_sums} from every
    union all
    select toString(t.key) as key, false as whole, {sums_of_searches} from ({summed_searches}) t group by key
    union all
    select '' as key, true as whole, {sums_of_searches} from (
        select searches, if(earlier < {first_quarter}, q.visitors, 0) as visitors, no_result, clicks, places,
            bought as in_all_bought
        from search_quarters q where {quarter_in_whole}
    ) t
), added as (
    select t.key as key, t.whole as whole, {sums_of_searches} from counted t group by key, whole
), best as (
    select * from (select * from added where not whole and searches > 0 order by searches desc, key limit {most:UInt32})
    union all
    select * from added where whole
)
select {search_key_back} as key, whole, searches, visitors, no_result, clicks,
    if(searches > 0, floor(clicks / searches * 10000 + 0.5) / 10000, null) as click_rate, in_all_bought as bought,
    if(searches > 0, floor(in_all_bought / searches * 10000 + 0.5) / 10000, null) as buy_rate,
    if(clicks > 0, floor(places / clicks * 100 + 0.5) / 100, null) as position
from best b
order by whole desc, searches desc, b.key

-- name: first_quarter
intDiv(toUnixTimestamp64Micro({whole_since:DateTime64(6, 'UTC')}), 900000000)

-- name: last_quarter
intDiv(toUnixTimestamp64Micro({whole_until:DateTime64(6, 'UTC')}), 900000000)

-- name: in_whole
(happened >= {whole_since:DateTime64(6, 'UTC')} and happened < {whole_until:DateTime64(6, 'UTC')})

-- name: quarter_in_whole
quarter >= {first_quarter} and quarter < {last_quarter}

-- name: summed_words
select words as key, searches, visitors, no_result, clicks, places, bought as in_all_bought from search_words
where day >= toDate({whole_since:DateTime64(6, 'UTC')}) and day < toDate({whole_until:DateTime64(6, 'UTC')})

-- name: summed_time
select {quarter_key} as key, q.searches as searches,
    if(q.earlier < {first_quarter} or {earlier_key} <> {quarter_key}, q.visitors, 0) as visitors,
    q.no_result as no_result, q.clicks as clicks, q.places as places, q.bought as in_all_bought
from search_quarters q
where {quarter_in_whole}

-- name: words_back
b.key

-- name: time_back
toDateTime64OrNull(b.key, 0, 'UTC')

-- name: key_words
words

-- name: key_time
toDateTime64(dateTrunc({by:String},
    addSeconds(happened, timezoneOffset(toTimeZone(happened, {tz:String})))), 0, 'UTC')

-- name: key_hour
-- When (UTC) the hour began by the clock that was in force: of the two hours called 02:00 each has its own.
toDateTime64(addSeconds(dateTrunc('hour', addSeconds(happened, timezoneOffset(toTimeZone(happened, {tz:String})))),
    -timezoneOffset(toTimeZone(happened, {tz:String}))), 0, 'UTC')

-- name: offset
timezoneOffset(toTimeZone(toDateTime(q.quarter * 900, 'UTC'), {tz:String}))

-- name: earlier_offset
timezoneOffset(toTimeZone(toDateTime(q.earlier * 900, 'UTC'), {tz:String}))

-- name: quarter_time
toDateTime64(dateTrunc({by:String}, addSeconds(toDateTime(q.quarter * 900, 'UTC'), {offset})), 0, 'UTC')

-- name: quarter_hour
toDateTime64(addSeconds(dateTrunc('hour', addSeconds(toDateTime(q.quarter * 900, 'UTC'), {offset})), -{offset}),
    0, 'UTC')

-- name: earlier_time
toDateTime64(dateTrunc({by:String}, addSeconds(toDateTime(q.earlier * 900, 'UTC'), {earlier_offset})), 0, 'UTC')

-- name: earlier_hour
toDateTime64(addSeconds(dateTrunc('hour', addSeconds(toDateTime(q.earlier * 900, 'UTC'), {earlier_offset})),
    -{earlier_offset}), 0, 'UTC')

-- name: asked_most
select w.words as words from search_words w
where w.day >= {since:Date} and w.day < {until:Date} and w.words <> '…'
group by w.words
having sum(w.clicks) >= {clicks:Int64}
order by sum(w.searches) desc, w.words
limit {most:UInt32}

-- name: learnt_days
-- Of four days three teach, and one is held out.
happened >= toDateTime64({since:Date}, 6, 'UTC') and happened < toDateTime64({until:Date}, 6, 'UTC')
    and (toInt64(toDate(happened)) % 4 = 3) = {held_out:Bool}

-- name: choices
-- How often which product was shown at which place, clicked there, and ordered that day by who clicked it.
with {outcomes}, kept as (
    select k.words as words, k.batch as batch, k.number as number, arraySlice(k.shown, 1, {places:UInt32}) as shown
    from s k where k.words in {words:Array(String)}
), showings as (
    select a.words as words, a.at.1 as product, toInt64(a.at.2) as place, count() as times
    from (select words, arrayJoin(arrayZip(shown, arrayEnumerate(shown))) as at from kept) a
    group by words, product, place
), chosen as (
    select distinct k.words as words, c.product as product, c.place as place, c.batch as batch, c.number as number,
        coalesce(o.bought, false) as took
    from clicked c
    join kept k on k.batch = c.batch and k.number = c.number
    left join ordered o on o.visitor = c.visitor and o.product = c.product
), counted as (
    select n.words as words, n.product as product, n.place as place, count() as clicks, countIf(n.took) as orders
    from chosen n group by words, product, place
)
select h.words as words, h.product as product, h.place as place, h.times as shown, coalesce(c.clicks, 0) as clicked,
    coalesce(c.orders, 0) as bought
from showings h left join counted c on c.words = h.words and c.product = h.product and c.place = h.place
order by shown desc, words, product, place
limit {most:UInt32}

-- name: shown_everybody
true


-- name: shown_one_seller
hasAny(shown, (select groupArray(product) from product where seller = {seller:Int64}))

-- name: funnel
-- How far each visitor of a day came: who did a later step has come past the earlier ones.
with steps as (
    select visitor, any(device) as device, min(l.happened) as happened,
        max(multiIf(what = 'view', 2, what = 'cart', 3, what = 'checkout', 4, what = 'order', 5, 1)) as reached
    from look l
    where l.happened >= {since:DateTime64(6, 'UTC')} and l.happened < {until:DateTime64(6, 'UTC')}
        and what <> 'exposed' and {visitors}
    group by visitor
)
select {funnel_key} as key, count() as visits, countIf(reached >= 2) as viewed, countIf(reached >= 3) as added,
    countIf(reached >= 4) as checkouts, countIf(reached >= 5) as bought
from steps
group by key
order by key

-- name: visitors_everybody
true

-- name: visitors_one_seller
visitor in (select visitor from look where {looked_in_time} and what = 'view'
    and product in (select product from product where seller = {seller:Int64}))
and (what <> 'order' or product in (select product from product where seller = {seller:Int64}))

-- name: funnel_device
device

-- name: arms
-- What came of each way of experiments: an order counts from the moment its visitor was shown the way.
with shown as (
    select words as arm, visitor, min(l.happened) as first, count() as answers from look l
    where what = 'exposed' and l.happened >= {since:DateTime64(6, 'UTC')} and words in {arms:Array(String)}
    group by arm, visitor
), late as (
    select words as arm, quantile(0.95)(found) / 1000 as latency_ms from look
    where what = 'exposed' and happened >= {since:DateTime64(6, 'UTC')} and words in {arms:Array(String)}
    group by arm
), ordered as (
    select visitor, max(l.happened) as last from look l
    where what = 'order' and l.happened >= {since:DateTime64(6, 'UTC')} group by visitor
)
select s.arm as arm, count() as visitors, countIf(coalesce(o.last >= s.first, false)) as bought,
    sum(s.answers) as answers, any(l.latency_ms) as latency_ms
from shown s join late l on l.arm = s.arm left join ordered o on o.visitor = s.visitor
group by s.arm
order by arm

-- name: products_seen
-- What was looked at and what was sold, a product a row.
with best as (
    select product from (select f.product as product from fact f where {in_time} and {whose}
        group by f.product order by sum(f.gross) desc, f.product limit {most:UInt32})
    union distinct
    select product from (select product from look where {looked_in_time} and what = 'view' and {looks}
        group by product order by count() desc, product limit {most:UInt32})
), seen as (
    select product, countIf(what = 'view') as views, uniqExactIf(visitor, what = 'view') as visitors,
        uniqExactIf(visitor, what = 'order') as buyers
    from look
    where {looked_in_time} and what in ('view', 'order') and product in (select product from best) and {looks}
    group by product
), sold as (
    select f.product as product, sum({orders}) as orders, {sums}
    from fact f
    where {in_time} and {whose} and f.product in (select product from best)
    group by f.product
)
select coalesce(m.product, v.product) as key, coalesce(v.views, 0) as views, coalesce(v.visitors, 0) as visitors,
    if(v.visitors > 0, floor(least(v.buyers, v.visitors) / v.visitors * 10000 + 0.5) / 10000, null) as conversion,
    m.orders as orders, m.units as units, m.gross as gross, m.discount as discount, m.refunds as refunds, m.tax as tax,
    m.shipping as shipping, m.commission as commission, m.net as net, m.refunded_goods as refunded_goods,
    m.cancelled_units as cancelled_units, m.returned_units as returned_units
from sold m full join seen v on v.product = m.product
order by coalesce(m.gross, 0) desc, views desc, key
limit {most:UInt32}

-- name: views_in_all
select count() as views, uniqExact(visitor) as visitors
from look
where {looked_in_time} and what = 'view' and {looks}

-- name: month
toStartOfMonth(addSeconds(f.happened, timezoneOffset(toTimeZone(f.happened, {tz:String}))))

-- name: cohorts
-- Buyers by the month of their first order, and who of them bought again how many months later.
with bought as (
    select f.buyer as buyer, {month} as month, max(f.kind = 'sold') as again, sum({orders}) as orders, {sums}
    from fact f
    where {whose}
    group by buyer, month
), firsts as (
    select buyer, min(month) as cohort from bought where again group by buyer
), sizes as (
    select cohort, count() as size from firsts group by cohort
)
select toDateTime64(a.cohort, 0, 'UTC') as key, dateDiff('month', a.cohort, q.month) as months_later,
    countIf(q.again) as buyers, any(z.size) as cohort_size,
    floor(countIf(q.again) / any(z.size) * 10000 + 0.5) / 10000 as retention, sum(q.orders) as orders,
    sum(q.units) as units, sum(q.gross) as gross, sum(q.discount) as discount, sum(q.refunds) as refunds,
    sum(q.tax) as tax, sum(q.shipping) as shipping, sum(q.commission) as commission, sum(q.net) as net
from bought q join firsts a on a.buyer = q.buyer join sizes z on z.cohort = a.cohort
where toYYYYMM(q.month) >= toYYYYMM({since:DateTime64(6, 'UTC')})
    and toDateTime64(a.cohort, 6, 'UTC') < {until:DateTime64(6, 'UTC')}
group by a.cohort, q.month
order by key, months_later
limit {most:UInt32}

-- name: new_buyers
-- Who bought for the first time in the months of the report, with no limit.
select count() as buyers
from (
    select min({month}) as cohort
    from fact f
    where f.kind = 'sold' and {whose}
    group by f.buyer
)
where toYYYYMM(cohort) >= toYYYYMM({since:DateTime64(6, 'UTC')})
    and toDateTime64(cohort, 6, 'UTC') < {until:DateTime64(6, 'UTC')}

-- name: offers_sold
select f.offer as offer_id, any(f.product) as product_id, any(f.seller) as seller_id, sum({orders}) as orders, {sums}
from fact f
where {in_time} and {whose}
group by offer_id
order by units desc, offer_id
limit {most:UInt32}
