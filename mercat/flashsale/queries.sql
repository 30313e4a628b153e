-- name: create(sale_id, offer_id, product_id, title, units, per_person, per_card, per_address, queue, members_only, rate, ceiling, window_s, seed, starts_at, ends_at, now, price, was_price, currency)
-- A sale that begins at once has nobody to draw.
insert into flashsale.sale (sale_id, offer_id, product_id, title, units, per_person, per_card, per_address, queue,
    members_only, rate, ceiling, window_s, seed, commitment, starts_at, ends_at, state, drawn, roll, opened_at,
    price, was_price, currency)
values (:sale_id, :offer_id, :product_id, :title, :units, :per_person, :per_card, :per_address, :queue,
    :members_only, :rate, :ceiling, :window_s, :seed, sha256(:seed), :starts_at::timestamptz, :ends_at,
    case when :starts_at::timestamptz <= :now then 'open' else 'planned' end,
    case when :starts_at::timestamptz <= :now then 0 end,
    case when :starts_at::timestamptz <= :now then sha256('') end,
    case when :starts_at::timestamptz <= :now then :now::timestamptz end, :price, :was_price, :currency)
on conflict do nothing
returning sale_id;

-- name: standing
-- The sales that are not over, and those that ended within the hour.
select * from flashsale.sale where state <> 'ended' or ended_at > now() - interval '1 hour' order by sale_id;

-- name: priced(sale_id, priced)
update flashsale.sale set priced = :priced where sale_id = :sale_id;

-- name: wrongly_priced
-- Sales of which the catalogue does not know the price, or knows it though they are over.
select * from flashsale.sale where price is not null and priced = (state = 'ended')
    and (state <> 'ended' or ended_at > now() - interval '1 day');

-- name: sale(sale_id)
select * from flashsale.sale where sale_id = :sale_id;

-- name: keep_tickets(sale_id, before, last, numbers, users)
-- Those who joined since `joined` was `before`: the numbers and who has them. Nothing where
-- another process was faster.
with sale as materialized (
    update flashsale.sale set joined = :last where sale_id = :sale_id and joined = :before returning sale_id
)
insert into flashsale.ticket (sale_id, number, user_id)
select s.sale_id, a.number, a.user_id from sale s, unnest(:numbers::int[], :users::bigint[]) as a (number, user_id)
on conflict do nothing;

-- name: tickets(sale_id, after, most)
-- A page of the line as it was joined, without those whose turn has lapsed: they may join anew.
select t.number, t.user_id, coalesce(t.owner_id, t.user_id) as owner_id, u.state is not distinct from 'lapsed' as lapsed
from flashsale.ticket t
left join flashsale.turn u on u.sale_id = t.sale_id and u.number = t.number
where t.sale_id = :sale_id and t.number > :after order by t.number limit :most;

-- name: open(sale_id, drawn, roll, now)
-- The draw: who was there at the start, and the hash of their list. From here on the seed is public.
update flashsale.sale set state = 'open', drawn = :drawn, roll = :roll, opened_at = :now
where sale_id = :sale_id and state = 'planned'
returning sale_id;

-- name: release(sale_id, before, serving, places, numbers, units, now, until)
-- The next in line have their turn: each place with its number and so many units. `serving` was `before`. Who has
-- a turn already is passed over.
with sale as materialized (
    select sale_id from flashsale.sale where sale_id = :sale_id and serving = :before and state = 'open' for update
), granted as (
    insert into flashsale.turn (sale_id, place, number, user_id, units, released_at, until)
    select t.sale_id, a.place, t.number, coalesce(t.owner_id, t.user_id), :units, :now, :until
    from sale s, unnest(:places::int[], :numbers::int[]) as a (place, number)
    join flashsale.ticket t on t.sale_id = :sale_id and t.number = a.number
    order by a.place
    on conflict do nothing
    returning units
)
update flashsale.sale set serving = :serving, taken = taken + (select coalesce(sum(units), 0) from granted)
where sale_id = (select sale_id from sale)
returning (select count(*) from granted) as released;

-- name: shopping(sale_id)
select count(*) filter (where state = 'issued') as issued, count(*) filter (where state = 'claimed') as claimed
from flashsale.turn where sale_id = :sale_id and state in ('issued', 'claimed');

-- name: lapse(sale_id, now, grace)
-- Turns that nobody used in time: each gives its units back once.
with sale as materialized (
    select sale_id from flashsale.sale where sale_id = :sale_id and exists (
        select from flashsale.turn
        where sale_id = :sale_id and state = 'issued' and until < :now::timestamptz - :grace::interval)
    for update
), gone as (
    update flashsale.turn t set state = 'lapsed', settled_at = :now
    where t.sale_id = (select sale_id from sale) and t.state = 'issued'
        and t.until < :now::timestamptz - :grace::interval
    returning t.user_id, t.number, t.units
), back as (
    update flashsale.sale set taken = taken - (select sum(units) from gone)
    where sale_id = :sale_id and exists (select from gone)
)
select user_id, number from gone;

-- name: claimed(sale_id, place)
select place, checkout_id, claimed_at from flashsale.turn
where sale_id = :sale_id and state = 'claimed' and place = coalesce(:place, place) order by place limit 10000;

-- name: settle(sale_id, places, checkout_ids, bought, died, now)
-- What checkouts came to: bought, or the turn is its owner's again while its time lasts. Where one died before
-- it began, that took none of its owner's time.
with sale as materialized (
    select sale_id from flashsale.sale where sale_id = :sale_id for update
), settled as (
    update flashsale.turn t set settled_at = :now,
        until = case when a.died then :now::timestamptz + (t.until - t.claimed_at) else t.until end,
        state = case when a.bought then 'used'
            when t.until > case when a.died then t.claimed_at else :now end then 'issued' else 'lapsed' end,
        checkout_id = case when a.bought then t.checkout_id end,
        quantity = case when a.bought then t.quantity end
    from unnest(:places::int[], :checkout_ids::bigint[], :bought::boolean[], :died::boolean[])
        as a (place, checkout_id, bought, died)
    where t.sale_id = (select sale_id from sale) and t.place = a.place and t.checkout_id = a.checkout_id
        and t.state = 'claimed'
    returning t.user_id, t.number, t.state, t.units, t.quantity
), counted as (
    update flashsale.sale s set
        sold = s.sold + (select coalesce(sum(quantity) filter (where state = 'used'), 0) from settled),
        taken = s.taken - (select coalesce(sum(units - quantity) filter (where state = 'used'), 0)
            + coalesce(sum(units) filter (where state = 'lapsed'), 0) from settled)
    where s.sale_id = :sale_id and exists (select from settled)
)
select user_id, number, state from settled;

-- name: keep(sale_id, pace, now)
-- How it goes, told only where it changed.
update flashsale.sale set pace = :pace,
    sold_out_at = case when sold = units then coalesce(sold_out_at, :now) end,
    state = case when ends_at < :now then 'ended' else state end,
    ended_at = case when ends_at < :now then ends_at else ended_at end
where sale_id = :sale_id and state <> 'ended'
    and (pace is distinct from :pace or (sold = units) <> (sold_out_at is not null) or ends_at < :now);

-- name: adopt(sale_id, number, user_id)
-- A guest signed in: what was the guest's is the account's, unless that has a turn already.
with theirs as (
    update flashsale.ticket set owner_id = :user_id where sale_id = :sale_id and number = :number
)
update flashsale.turn t set user_id = :user_id
where t.sale_id = :sale_id and t.number = :number and t.state = 'issued' and not exists (
    select from flashsale.turn o where o.sale_id = :sale_id and o.user_id = :user_id and o.state <> 'lapsed');

-- name: turn_of(sale_id, user_id)
-- Somebody's latest turn.
select place, number, units, state, released_at, until, checkout_id from flashsale.turn
where sale_id = :sale_id and user_id = :user_id order by released_at desc, place desc limit 1;

-- name: lock_sales(sale_ids)
select sale_id from flashsale.sale where sale_id = any(:sale_ids::text[]) order by sale_id for update;

-- name: claim(sale_ids, places, user_ids, checkout_ids, quantities, cards, addresses, now)
-- A pass is shown at the till: the turn is this checkout's. Those that do not come back were refused.
with asked as materialized (
    select a.*, s.per_card, s.per_address,
        row_number() over (partition by a.sale_id, a.card order by a.checkout_id) as same_card,
        row_number() over (partition by a.sale_id, a.address order by a.checkout_id) as same_address
    from unnest(:sale_ids::text[], :places::int[], :user_ids::bigint[], :checkout_ids::bigint[],
            :quantities::smallint[], :cards::text[], :addresses::text[])
        as a (sale_id, place, user_id, checkout_id, quantity, card, address)
    join flashsale.sale s on s.sale_id = a.sale_id and s.state in ('open', 'paused')
), allowed as materialized (
    select a.* from asked a
    where (a.per_card is null or a.per_card >= a.same_card + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.card = a.card
                and t.state in ('claimed', 'used') and t.place <> a.place))
        and (a.per_address is null or a.per_address >= a.same_address + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.address = a.address
                and t.state in ('claimed', 'used') and t.place <> a.place))
)
update flashsale.turn t set state = 'claimed', checkout_id = a.checkout_id, quantity = a.quantity, card = a.card,
    address = a.address, claimed_at = :now
from allowed a
where t.sale_id = a.sale_id and t.place = a.place and t.user_id = a.user_id and t.state = 'issued'
    and t.until >= :now and t.units >= a.quantity
returning t.checkout_id, t.place;

-- name: rush(sale_ids, places, user_ids, checkout_ids, quantities, cards, addresses, now)
-- Without a waiting room: the turn is made at the till, for as long as there are units. The sale is locked.
with asked as materialized (
    select a.*, s.serving, s.units - s.taken as left_over, s.per_card, s.per_address,
        row_number() over (partition by a.sale_id, a.user_id order by a.checkout_id) as same_user,
        row_number() over (partition by a.sale_id, a.card order by a.checkout_id) as same_card,
        row_number() over (partition by a.sale_id, a.address order by a.checkout_id) as same_address
    from unnest(:sale_ids::text[], :places::int[], :user_ids::bigint[], :checkout_ids::bigint[],
            :quantities::smallint[], :cards::text[], :addresses::text[])
        as a (sale_id, place, user_id, checkout_id, quantity, card, address)
    join flashsale.sale s on s.sale_id = a.sale_id and s.state = 'open' and not s.queue
        and a.quantity <= s.per_person
), allowed as materialized (
    select a.*, sum(a.quantity) over (partition by a.sale_id order by a.checkout_id) as so_far,
        row_number() over (partition by a.sale_id order by a.checkout_id) as nth
    from asked a
    where same_user = 1
        and not exists (select from flashsale.turn t
            where t.sale_id = a.sale_id and t.user_id = a.user_id and t.state <> 'lapsed')
        and (a.per_card is null or a.per_card >= a.same_card + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.card = a.card
                and t.state in ('claimed', 'used')))
        and (a.per_address is null or a.per_address >= a.same_address + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.address = a.address
                and t.state in ('claimed', 'used')))
), made as (
    insert into flashsale.turn (sale_id, place, number, user_id, units, state, released_at, until, checkout_id,
        quantity, card, address, claimed_at)
    select sale_id, serving + nth, serving + nth, user_id, quantity, 'claimed', :now, :now, checkout_id, quantity, card,
        address, :now
    from allowed where so_far <= left_over
    order by sale_id, nth
    returning sale_id, place, checkout_id, units
), counted as (
    update flashsale.sale s set taken = s.taken + m.units, serving = m.place, joined = greatest(s.joined, m.place)
    from (select sale_id, sum(units) as units, max(place) as place from made group by 1) m
    where s.sale_id = m.sale_id
)
select checkout_id, place from made;

-- name: why_not(sale_ids, places, user_ids, checkout_ids)
-- How it stands with claims that were refused, all at once: the sale, the turn that was asked for, and whether
-- the person has one.
select a.checkout_id, s.state as sale, s.units - s.taken as free, t.user_id, t.state, t.until,
    exists (select from flashsale.turn o
        where o.sale_id = a.sale_id and o.user_id = a.user_id and o.state <> 'lapsed') as has_turn
from unnest(:sale_ids::text[], :places::int[], :user_ids::bigint[], :checkout_ids::bigint[])
    as a (sale_id, place, user_id, checkout_id)
left join flashsale.sale s on s.sale_id = a.sale_id
left join flashsale.turn t on t.sale_id = a.sale_id and t.place = a.place;

-- name: act(sale_id, who, what, amount, why, now)
-- What an operator does, with who and why. Units are only ever added.
with done as (
    update flashsale.sale set
        state = case :what when 'pause' then 'paused' when 'resume' then 'open' when 'end' then 'ended' else state end,
        starts_at = case :what when 'start' then :now else starts_at end,
        rate = case :what when 'rate' then :amount else rate end,
        ceiling = case :what when 'ceiling' then :amount else ceiling end,
        units = case :what when 'units' then units + :amount else units end,
        ended_at = case :what when 'end' then :now else ended_at end
    where sale_id = :sale_id and case :what when 'start' then state = 'planned'
        when 'pause' then state = 'open' when 'resume' then state = 'paused'
        else state <> 'ended' end
    returning sale_id
)
insert into flashsale.action (sale_id, who, what, amount, why, at)
select sale_id, :who, :what, :amount, :why, :now from done
returning action_id;

-- name: note(sale_id, who, what, why)
insert into flashsale.action (sale_id, who, what, why) values (:sale_id, :who, :what, :why);

-- name: actions(sale_id, most)
select at, who, what, amount, why from flashsale.action where sale_id = :sale_id order by action_id desc limit :most;

-- name: switch_off(sale_id, names)
-- What the shop can do without while this sale lasts.
update flashsale.sale set switched_off = :names::text[] where sale_id = :sale_id returning sale_id;

-- name: counts(sale_id)
select count(*) as issued, count(*) filter (where state = 'used') as used,
    count(*) filter (where state = 'lapsed') as lapsed, count(*) filter (where state = 'issued') as waiting,
    count(*) filter (where state = 'claimed') as claimed
from flashsale.turn where sale_id = :sale_id;

-- name: turns(sale_id, after, most)
select place, number, user_id, state, units, quantity, extract(epoch from released_at)::bigint as released
from flashsale.turn where sale_id = :sale_id and place > :after order by place limit :most;

-- name: certify(sale_id, body)
insert into flashsale.certificate (sale_id, body) values (:sale_id, :body::json)
on conflict (sale_id) do update set body = excluded.body, made_at = now();

-- name: certificate(sale_id)
select body::text from flashsale.certificate where sale_id = :sale_id;
