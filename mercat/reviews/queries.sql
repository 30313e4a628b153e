-- name: write_many(review_ids, product_ids, user_ids, authors, stars, titles, bodies, written_ats, vouched_for)
-- What was written, and which asks came from somebody to whom the product was never delivered; an ask in neither had
-- its review already. `vouched` says whether a review brought along is verified; null asks our own memory,
-- whose rows are share-locked so that what is paid back meanwhile cannot be missed by both sides.
with asked as materialized (
    select a.*, mine.delivered,
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
        select coalesce(bool_or(state = 'delivered'), false) as delivered
        from (
            select b.state from reviews.bought b
            where b.product_id = a.product_id and (b.user_id = a.user_id
                or b.user_id in (select guest_id from reviews.formerly f where f.user_id = a.user_id))
            order by b.order_id for share
        ) kept
    ) mine
), written as (
    insert into reviews.review (review_id, product_id, user_id, author, stars, title, body, verified, written_at)
    select review_id, product_id, user_id, author, stars, title, body, coalesce(vouched, delivered), written_at
    from asked
    where attempt = 1 and (delivered or vouched is not null)
    order by product_id, user_id
    on conflict (product_id, user_id) do nothing
    returning review_id, product_id, stars, verified, events.tell('ReviewWritten', jsonb_build_object(
        'event', 'ReviewWritten', 'review_id', review_id, 'product_id', product_id, 'user_id', user_id,
        'stars', stars, 'verified', verified, 'written_at', written_at))
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
select review_id, false, false from asked where not delivered and vouched is null;

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
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at, edited_at, reply,
    replied_at
from reviews.review
where product_id = :product_id and hidden_at is null and (:after::bigint is null or
    (written_at, review_id) < (select written_at, review_id from reviews.review where review_id = :after))
order by written_at desc, review_id desc
limit :limit_to;

-- name: most_helpful(product_id, after, limit_to)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at, edited_at, reply,
    replied_at
from reviews.review
where product_id = :product_id and hidden_at is null and (:after::bigint is null or (helpfulness, written_at, review_id) <
    (select helpfulness, written_at, review_id from reviews.review where review_id = :after))
order by helpfulness desc, written_at desc, review_id desc
limit :limit_to;

-- name: most_stars(product_id, after, limit_to)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at, edited_at, reply,
    replied_at
from reviews.review
where product_id = :product_id and hidden_at is null and (:after::bigint is null or (stars, written_at, review_id) <
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

-- name: remember_deliveries(user_ids, product_ids, order_ids)
-- Releases before wrote a row for each purchase already, 'bought'; a buyer may review once it is here, so now it is
-- written then. What they wrote of it while an earlier purchase stood is shown again.
with heard as (
    insert into reviews.bought as b (user_id, product_id, order_id, state)
    select distinct *, 'delivered' from unnest(:user_ids::bigint[], :product_ids::bigint[], :order_ids::bigint[])
    order by 1, 2, 3
    on conflict (user_id, product_id, order_id) do update set state = 'delivered' where b.state = 'bought'
    returning b.user_id, b.product_id
), writer as (
    select user_id, product_id from heard
    union
    select f.user_id, h.product_id from heard h join reviews.formerly f on f.guest_id = h.user_id
), shown as (
    update reviews.review r set hidden_at = null, hidden_because = '', ended = false from writer w
    where r.user_id = w.user_id and r.product_id = w.product_id and r.ended and r.hidden_at is not null
    returning r.product_id, r.stars
), more as (
    select product_id, array[
        count(*) filter (where stars = 1), count(*) filter (where stars = 2), count(*) filter (where stars = 3),
        count(*) filter (where stars = 4), count(*) filter (where stars = 5)] as counts
    from shown group by product_id
)
update reviews.rating r set written = reviews.plus(r.written, m.counts), version = r.version + 1
from more m where r.product_id = m.product_id
returning reviews.tell_rating(r);

-- name: verify(user_ids, product_ids)
update reviews.review r set verified = true
from unnest(:user_ids::bigint[], :product_ids::bigint[]) as told (user_id, product_id)
left join reviews.formerly f on f.guest_id = told.user_id
where r.product_id = told.product_id and r.user_id in (told.user_id, f.user_id) and not r.verified;

-- name: one(review_id)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at, edited_at, reply,
    replied_at
from reviews.review where review_id = :review_id and hidden_at is null;

-- name: edit(review_id, user_id, stars, title, body, now)
-- The stars that it had go, the ones that it has come.
with changed as (
    update reviews.review set stars = coalesce(:stars, stars), title = coalesce(:title, title),
        body = coalesce(:body, body), edited_at = :now
    where review_id = :review_id and user_id = :user_id
    returning new.*, old.stars as had
), rated as (
    update reviews.rating r
    set written = reviews.plus(reviews.minus(r.written, reviews.one(c.had)), reviews.one(c.stars)), version = r.version + 1
    from changed c where r.product_id = c.product_id and c.had <> c.stars and c.hidden_at is null
    returning reviews.tell_rating(r)
)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at, edited_at, reply,
    replied_at, (select count(*) from rated)
from changed;

-- name: remove(review_id, user_id)
with gone as (
    delete from reviews.review where review_id = :review_id and user_id = :user_id returning *
), votes as (
    delete from reviews.vote v using gone where v.review_id = gone.review_id
), rated as (
    update reviews.rating r set written = reviews.minus(r.written, reviews.one(g.stars)), version = r.version + 1
    from gone g where r.product_id = g.product_id and g.hidden_at is null
    returning reviews.tell_rating(r)
)
select product_id, (select count(*) from rated) from gone;

-- name: report(review_id, user_id, why, now)
-- Once a person; not on their own.
with reported as (
    insert into reviews.report (review_id, user_id, why, at)
    select review_id, :user_id, :why, :now from reviews.review
    where review_id = :review_id and hidden_at is null and user_id <> :user_id
    on conflict do nothing
    returning review_id
)
update reviews.review r set reports = r.reports + 1 from reported where r.review_id = reported.review_id;

-- name: reply(review_id, body, now)
update reviews.review set reply = :body, replied_at = :now where review_id = :review_id and hidden_at is null
returning review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at, edited_at, reply,
    replied_at;

-- name: hide(review_id, why, now)
-- Again changes nothing.
with hidden as (
    update reviews.review set hidden_at = :now, hidden_because = :why
    where review_id = :review_id and hidden_at is null returning product_id, stars
)
update reviews.rating r set written = reviews.minus(r.written, reviews.one(h.stars)), version = r.version + 1
from hidden h where r.product_id = h.product_id
returning reviews.tell_rating(r);

-- name: show(review_id)
-- What was reported was looked at, and begins anew.
with shown as (
    update reviews.review set hidden_at = null, hidden_because = '', ended = false, reports = 0
    where review_id = :review_id and (hidden_at is not null or reports > 0)
    returning new.product_id, new.stars, old.hidden_at as was_hidden
), looked_at as (
    delete from reviews.report where review_id = :review_id
)
update reviews.rating r set written = reviews.plus(r.written, reviews.one(s.stars)), version = r.version + 1
from shown s where r.product_id = s.product_id and s.was_hidden is not null
returning reviews.tell_rating(r);

-- name: moderated(review_id)
select r.review_id, r.product_id, r.user_id, r.author, r.stars, r.title, r.body, r.written_at, r.reports, r.hidden_at,
    r.hidden_because, coalesce((select array_agg(distinct p.why) from reviews.report p
        where p.review_id = r.review_id), '{}') as why
from reviews.review r where r.review_id = :review_id;

-- name: all_of(before, rows_max)
select r.review_id, r.product_id, r.user_id, r.author, r.stars, r.title, r.body, r.written_at, r.reports, r.hidden_at,
    r.hidden_because, coalesce((select array_agg(distinct p.why) from reviews.report p
        where p.review_id = r.review_id), '{}') as why
from reviews.review r where r.review_id < :before order by r.review_id desc limit :rows_max;

-- name: reported(before, rows_max)
select r.review_id, r.product_id, r.user_id, r.author, r.stars, r.title, r.body, r.written_at, r.reports, r.hidden_at,
    r.hidden_because, coalesce((select array_agg(distinct p.why) from reviews.report p
        where p.review_id = r.review_id), '{}') as why
from reviews.review r where r.reports > 0 and r.hidden_at is null and r.review_id < :before
order by r.review_id desc limit :rows_max;

-- name: hidden(before, rows_max)
select r.review_id, r.product_id, r.user_id, r.author, r.stars, r.title, r.body, r.written_at, r.reports, r.hidden_at,
    r.hidden_because, coalesce((select array_agg(distinct p.why) from reviews.report p
        where p.review_id = r.review_id), '{}') as why
from reviews.review r where r.hidden_at is not null and r.review_id < :before
order by r.review_id desc limit :rows_max;

-- name: end_right(user_ids, product_ids, order_ids, now)
-- What was paid back whole was not bought: the right to review goes, and a review that has no other purchase behind
-- it is hidden until one is here. A guest's purchases are the member's that they became.
with told as (
    select distinct * from unnest(:user_ids::bigint[], :product_ids::bigint[], :order_ids::bigint[])
        as t (user_id, product_id, order_id)
), ended as (
    insert into reviews.bought as b (user_id, product_id, order_id, state)
    select user_id, product_id, order_id, 'cancelled' from told order by 1, 2, 3
    on conflict (user_id, product_id, order_id) do update set state = 'cancelled' where b.state <> 'cancelled'
    returning b.user_id, b.product_id, b.order_id
), writer as (
    select distinct coalesce(f.user_id, e.user_id) as user_id, e.product_id
    from ended e left join reviews.formerly f on f.guest_id = e.user_id
), gone as (
    update reviews.review r set hidden_at = :now, hidden_because = 'Its purchase was paid back.', ended = true
    from writer w
    where r.user_id = w.user_id and r.product_id = w.product_id and r.hidden_at is null and not exists (
        select from reviews.bought b
        where b.product_id = w.product_id and b.state = 'delivered'
            and (b.user_id = w.user_id
                or b.user_id in (select guest_id from reviews.formerly f where f.user_id = w.user_id))
            and (b.user_id, b.product_id, b.order_id) not in (select user_id, product_id, order_id from ended))
    returning r.product_id, r.stars
), less as (
    select product_id, array[
        count(*) filter (where stars = 1), count(*) filter (where stars = 2), count(*) filter (where stars = 3),
        count(*) filter (where stars = 4), count(*) filter (where stars = 5)] as counts
    from gone group by product_id
)
update reviews.rating r set written = reviews.minus(r.written, l.counts), version = r.version + 1
from less l where r.product_id = l.product_id
returning reviews.tell_rating(r);

-- name: forget_people(user_ids)
-- What they wrote of a purchase that was paid back is not shown again, so it goes.
with named as (
    update reviews.review set author = ''
    where user_id = any (:user_ids::bigint[]) and author <> '' and not (ended and hidden_at is not null)
), ended as (
    delete from reviews.review where user_id = any (:user_ids) and ended and hidden_at is not null returning review_id
), votes as (
    delete from reviews.vote v using ended where v.review_id = ended.review_id
), formerly as (
    delete from reviews.formerly where user_id = any (:user_ids) or guest_id = any (:user_ids)
)
delete from reviews.bought where user_id = any (:user_ids);

-- name: adopt(guest_id, user_id)
insert into reviews.formerly (guest_id, user_id) values (:guest_id, :user_id) on conflict do nothing;

-- name: of_people(user_ids)
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at, edited_at, reply,
    replied_at
from reviews.review where user_id = any (:user_ids::bigint[])
order by review_id desc;
