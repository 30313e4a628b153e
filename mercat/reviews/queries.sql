-- name: write_many(review_ids, product_ids, user_ids, authors, stars, titles, bodies, written_ats, vouched_for)
-- What was written, and which asks came from somebody who never bought the product; an ask in neither had
-- its review already. `vouched` says whether a review brought along is verified; null asks our own memory,
-- whose rows are share-locked so that a delivery heard meanwhile cannot be missed by both sides.
with asked as materialized (
    select a.*, mine.bought, mine.delivered,
        row_number() over (partition by a.product_id, a.user_id order by a.n) as attempt
    from (
        select * from unnest(
            :review_ids::bigint[], :product_ids::bigint[], :user_ids::bigint[], :authors::text[], :stars::smallint[],
                :titles::text[], :bodies::text[],
            :written_ats::timestamptz[], :vouched_for::boolean[]
        ) with ordinality as ask (review_id, product_id, user_id, author, stars, title, body, written_at, vouched, n)
        order by user_id, product_id
    ) a
    cross join lateral (
        select count(*) > 0 as bought, coalesce(bool_or(state = 'delivered'), false) as delivered
        from (
            select b.state from reviews.bought b
            where b.product_id = a.product_id and (b.user_id = a.user_id
                or b.user_id in (select guest_id from reviews.formerly f where f.user_id = a.user_id))
            order by b.order_id for share
        ) kept
        where kept.state <> 'cancelled'
    ) mine
), written as (
    insert into reviews.review (review_id, product_id, user_id, author, stars, title, body, verified, written_at)
    select review_id, product_id, user_id, author, stars, title, body, coalesce(vouched, delivered), written_at
    from asked
    where attempt = 1 and (bought or vouched is not null)
    order by product_id, user_id
    on conflict (product_id, user_id) do nothing
    returning review_id, product_id, stars, verified, events.tell('ReviewWritten', jsonb_build_object(
        'event', 'ReviewWritten', 'review_id', review_id, 'product_id', product_id, 'user_id', user_id,
        'stars', stars, 'verified', verified))
), rated as (
    insert into reviews.rating as r (product_id, version, written)
    select product_id, 1, array[
        count(*) filter (where stars = 1), count(*) filter (where stars = 2), count(*) filter (where stars = 3),
        count(*) filter (where stars = 4), count(*) filter (where stars = 5)]
    from written
    group by product_id
    order by product_id
    on conflict (product_id) do update
        set written = reviews.plus(r.written, excluded.written), version = r.version + 1
    returning reviews.tell_rating(r)
)
select review_id, true as written, verified from written
union all
select review_id, false, false from asked where not bought and vouched is null;

-- name: start_many(product_ids, ones, twos, threes, fours, fives)
-- Tells only where the sum is ours to tell: what a product came with is known to whoever brought it.
insert into reviews.rating as r (product_id, version, start)
select product_id, 0, array[one, two, three, four, five]
from unnest(:product_ids::bigint[], :ones::bigint[], :twos::bigint[], :threes::bigint[], :fours::bigint[],
    :fives::bigint[])
    as given (product_id, one, two, three, four, five)
order by product_id
on conflict (product_id) do update set start = excluded.start, version = r.version + 1
    where r.start <> excluded.start
returning case when reviews.total(r.written) > 0 then reviews.tell_rating(r) end;

-- name: rating(product_id)
select reviews.mean(h) as rating, reviews.total(h) as review_count, h as histogram, version, written
from (select reviews.plus(start, written) as h, version, reviews.total(written) as written
      from reviews.rating where product_id = :product_id) r;

-- name: newest(product_id, after, limit_to)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at
from reviews.review
where product_id = :product_id and (:after::bigint is null or
    (written_at, review_id) < (select written_at, review_id from reviews.review where review_id = :after))
order by written_at desc, review_id desc
limit :limit_to;

-- name: most_helpful(product_id, after, limit_to)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at
from reviews.review
where product_id = :product_id and (:after::bigint is null or (helpfulness, written_at, review_id) <
    (select helpfulness, written_at, review_id from reviews.review where review_id = :after))
order by helpfulness desc, written_at desc, review_id desc
limit :limit_to;

-- name: most_stars(product_id, after, limit_to)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at
from reviews.review
where product_id = :product_id and (:after::bigint is null or (stars, written_at, review_id) <
    (select stars, written_at, review_id from reviews.review where review_id = :after))
order by stars desc, written_at desc, review_id desc
limit :limit_to;

-- name: vote_many(review_ids, user_ids, votes)
-- A person has one voice a review, none on their own, and may change their mind.
with voted as (
    insert into reviews.vote as v (review_id, user_id, yes)
    select distinct on (a.review_id, a.user_id) a.review_id, a.user_id, a.yes
    from unnest(:review_ids::bigint[], :user_ids::bigint[], :votes::boolean[]) as a (review_id, user_id, yes)
    join reviews.review r on r.review_id = a.review_id and r.user_id <> a.user_id
    order by a.review_id, a.user_id
    on conflict (review_id, user_id) do update set yes = excluded.yes where v.yes <> excluded.yes
    returning v.review_id, new.yes as now, old.yes as before
), net as (
    select review_id,
        sum(now::integer - coalesce(before::integer, 0)) as helpful,
        sum((not now)::integer - coalesce((not before)::integer, 0)) as unhelpful
    from voted
    group by review_id
)
update reviews.review r set helpful = r.helpful + net.helpful, unhelpful = r.unhelpful + net.unhelpful
from net
where r.review_id = net.review_id;

-- name: votes(review_id)
select user_id, helpful, unhelpful from reviews.review where review_id = :review_id;

-- name: remember_purchases(user_ids, product_ids, order_ids)
insert into reviews.bought (user_id, product_id, order_id, state)
select distinct *, 'bought' from unnest(:user_ids::bigint[], :product_ids::bigint[], :order_ids::bigint[])
order by 1, 2, 3
on conflict do nothing;

-- name: forget_purchases(user_ids, order_ids)
update reviews.bought b set state = 'cancelled'
from unnest(:user_ids::bigint[], :order_ids::bigint[]) as told (user_id, order_id)
where b.user_id = told.user_id and b.order_id = told.order_id and b.state = 'bought';

-- name: remember_deliveries(user_ids, product_ids, order_ids)
insert into reviews.bought as b (user_id, product_id, order_id, state)
select distinct *, 'delivered' from unnest(:user_ids::bigint[], :product_ids::bigint[], :order_ids::bigint[])
order by 1, 2, 3
on conflict (user_id, product_id, order_id) do update set state = 'delivered' where b.state = 'bought';

-- name: verify(user_ids, product_ids)
update reviews.review r set verified = true
from unnest(:user_ids::bigint[], :product_ids::bigint[]) as told (user_id, product_id)
left join reviews.formerly f on f.guest_id = told.user_id
where r.product_id = told.product_id and r.user_id in (told.user_id, f.user_id) and not r.verified;

-- name: forget_people(user_ids)
with named as (
    update reviews.review set author = '' where user_id = any (:user_ids::bigint[]) and author <> ''
), formerly as (
    delete from reviews.formerly where user_id = any (:user_ids) or guest_id = any (:user_ids)
)
delete from reviews.bought where user_id = any (:user_ids);

-- name: adopt(guest_id, user_id)
insert into reviews.formerly (guest_id, user_id) values (:guest_id, :user_id) on conflict do nothing;

-- name: of_people(user_ids)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at
from reviews.review where user_id = any (:user_ids::bigint[])
order by review_id desc;
