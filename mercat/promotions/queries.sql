-- name: add(promotion_id, seller_id, name, code, has_codes, rule, starts_at, ends_at, combines, by_seller, priority,
--     uses_max, person_max, budget, now, once)
-- Nothing where it was added under this key already.
insert into promotions.promotion (promotion_id, seller_id, name, code, has_codes, rule, starts_at, ends_at, combines,
    by_seller, priority, uses_max, person_max, budget, created_at, once)
values (:promotion_id, :seller_id, :name, :code, :has_codes, :rule::json, :starts_at, :ends_at, :combines, :by_seller,
    :priority, :uses_max, :person_max, :budget, :now, :once)
on conflict (coalesce(seller_id, 0), once) where once is not null do nothing
returning promotion_id;

-- name: rename_categories(slugs)
update promotions.promotion p set rule = jsonb_set(p.rule::jsonb, '{when,category}', (
    select jsonb_agg(distinct coalesce(:slugs::jsonb ->> slug, slug))
    from jsonb_array_elements_text(p.rule::jsonb #> '{when,category}') as own (slug)))::json
where p.rule::jsonb #> '{when,category}' ?| array(select jsonb_object_keys(:slugs::jsonb));

-- name: made_once(seller_id, once)
select promotion_id, seller_id, name, code, has_codes, rule::text, starts_at, ends_at, combines, by_seller, priority,
    uses_max, person_max, budget, uses, spent, created_at
from promotions.promotion where coalesce(seller_id, 0) = coalesce(:seller_id::bigint, 0) and once = :once::bytea;

-- name: change(promotion_id, name, code, has_codes, rule, starts_at, ends_at, combines, by_seller, priority, uses_max,
--     person_max, budget)
update promotions.promotion set name = :name, code = :code, has_codes = :has_codes, rule = :rule::json,
    starts_at = :starts_at, ends_at = :ends_at, combines = :combines, by_seller = :by_seller, priority = :priority,
    uses_max = :uses_max, person_max = :person_max, budget = :budget
where promotion_id = :promotion_id;

-- name: one(promotion_id, every_seller, seller_id)
-- One that stands; of a seller, theirs alone.
select promotion_id, seller_id, name, code, has_codes, rule::text, starts_at, ends_at, combines, by_seller, priority,
    uses_max, person_max, budget, uses, spent, created_at
from promotions.promotion
where promotion_id = :promotion_id and deleted_at is null and (:every_seller or seller_id = :seller_id);

-- name: one_locked(promotion_id, every_seller, seller_id)
select promotion_id, seller_id, name, code, has_codes, rule::text, starts_at, ends_at, combines, by_seller, priority,
    uses_max, person_max, budget, uses, spent, created_at
from promotions.promotion
where promotion_id = :promotion_id and deleted_at is null and (:every_seller or seller_id = :seller_id)
for update;

-- name: named(promotion_ids)
select promotion_id, name from promotions.promotion where promotion_id = any (:promotion_ids::bigint[]);

-- name: standing(now)
-- What may apply now or later.
select promotion_id, seller_id, name, code, has_codes, rule::text, starts_at, ends_at, combines, by_seller, priority,
    uses_max, person_max, budget, uses, spent, created_at
from promotions.promotion
where deleted_at is null and (ends_at is null or ends_at > :now::timestamptz - interval '1 hour');

-- name: listed(every_seller, seller_id, state, now, before, limit_to)
select promotion_id, seller_id, name, code, has_codes, rule::text, starts_at, ends_at, combines, by_seller, priority,
    uses_max, person_max, budget, uses, spent, created_at
from promotions.promotion
where deleted_at is null and (:every_seller or seller_id = :seller_id) and promotion_id < :before
    and (:state::text is null or :state = case when ends_at <= :now::timestamptz then 'ended'
        when starts_at > :now::timestamptz then 'scheduled' else 'live' end)
order by promotion_id desc limit :limit_to;

-- name: counts(every_seller, seller_id, now)
select count(*) filter (where (ends_at is null or ends_at > :now) and (starts_at is null or starts_at <= :now)) as live,
    count(*) filter (where (ends_at is null or ends_at > :now) and starts_at > :now) as scheduled,
    count(*) filter (where ends_at <= :now) as ended
from promotions.promotion where deleted_at is null and (:every_seller or seller_id = :seller_id);

-- name: delete(promotion_id, every_seller, seller_id, now)
-- It stays for the orders that had it; the code that anybody could use is free again.
with gone as (
    update promotions.promotion set deleted_at = :now
    where promotion_id = :promotion_id and deleted_at is null and (:every_seller or seller_id = :seller_id)
    returning promotion_id
), freed as (
    delete from promotions.code where promotion_id = (select promotion_id from gone) and not single_use
)
select promotion_id from gone;

-- name: lock_standing(seller_id)
-- Whoever sets up what one seller has, or the shop, waits here for who does it now.
select pg_advisory_xact_lock(hashtextextended('promotions.standing:' || coalesce(:seller_id::bigint, 0), 0));

-- name: count_standing(seller_id, now)
select count(*) from promotions.promotion
where seller_id is not distinct from :seller_id and deleted_at is null and (ends_at is null or ends_at > :now);

-- name: set_shared_code(promotion_id, code, shown)
with gone as (
    delete from promotions.code where promotion_id = :promotion_id and not single_use and code is distinct from :code
)
insert into promotions.code (code, shown, promotion_id, single_use)
select :code::text, :shown::text, :promotion_id, false where :code is not null
on conflict (code) do update set shown = excluded.shown
    where promotions.code.promotion_id = excluded.promotion_id and not promotions.code.single_use
returning code;

-- name: drop_shared_code(promotion_id)
delete from promotions.code where promotion_id = :promotion_id and not single_use;

-- name: add_codes(promotion_id, codes, shown)
insert into promotions.code (code, shown, promotion_id, single_use)
select c, s, :promotion_id, true from unnest(:codes::text[], :shown::text[]) as a (c, s) order by c
on conflict do nothing
returning shown;

-- name: need_codes(promotion_id, every_seller, seller_id, count)
update promotions.promotion set has_codes = true, single_codes = single_codes + :count
where promotion_id = :promotion_id and deleted_at is null and (:every_seller or seller_id = :seller_id)
returning promotion_id;

-- name: codes_made_once(promotion_id, every_seller, seller_id, once)
-- Nothing where codes of it were made under this key already.
insert into promotions.codes_made (promotion_id, once)
select promotion_id, :once::bytea from promotions.promotion
where promotion_id = :promotion_id and deleted_at is null and (:every_seller::boolean or seller_id = :seller_id::bigint)
on conflict do nothing
returning promotion_id;

-- name: codes_of(promotion_id, every_seller, seller_id, after, limit_to)
select c.shown as code, c.checkout_id is not null as used
from promotions.code c join promotions.promotion p using (promotion_id)
where c.promotion_id = :promotion_id and p.deleted_at is null and (:every_seller or p.seller_id = :seller_id)
    and c.single_use and c.code > :after
order by c.code limit :limit_to;

-- name: find_codes(codes, now)
select c.code, c.shown, c.promotion_id, c.single_use, c.checkout_id is not null as used,
    coalesce(p.ends_at <= :now, false) as ended
from promotions.code c join promotions.promotion p using (promotion_id)
where c.code = any (:codes::text[]) and p.deleted_at is null;

-- name: used_now(promotion_ids)
select promotion_id, uses, spent from promotions.promotion where promotion_id = any(:promotion_ids::bigint[]);

-- name: facts(user_ids, persons, promotion_ids)
-- Of many shoppers at once: how often somebody used what is limited by person, who has bought, who is in which group.
select 'use' as kind, person, promotion_id as id, uses, '' as name from promotions.person_use
where promotion_id = any (:promotion_ids::bigint[]) and person = any (:persons::text[])
union all
select 'bought', person, 0, 0, '' from unnest(:persons::text[]) as a (person)
where exists (select from promotions.buyer b where b.person = a.person)
union all
select 'group', '', user_id, 0, name from promotions.member where user_id = any (:user_ids::bigint[]);

-- name: lock(promotion_ids, codes)
-- What redemptions are decided by, under locks that are taken in one order: promotions, then codes. Who is limited by
-- person is so under a promotion, or under a first order, for which one lock stands.
with promotion as materialized (
    select promotion_id, uses, spent, uses_max, person_max, budget, coalesce((rule -> 'when' ->> 'first_order')::bool, false)
        as first_order
    from promotions.promotion where promotion_id = any (:promotion_ids::bigint[])
    order by promotion_id for update
), first_orders as materialized (
    select pg_advisory_xact_lock(hashtextextended('promotions.first_order', 0))
    where (select bool_or(first_order) from promotion)
), code as materialized (
    select code, checkout_id from promotions.code
    where code = any (:codes::text[]) and (select count(*) from promotion) + (select count(*) from first_orders) >= 0
    order by code for update
)
select 'promotion' as kind, promotion_id as id, uses, spent, uses_max, person_max, budget, first_order, '' as name, null as refusal
from promotion
union all
select 'code', coalesce(checkout_id, 0), 0, 0, null, null, null, false, code, null from code;

-- name: look(promotion_ids, persons, checkout_ids)
-- After the locks: how often people used it, who has bought, and what these checkouts were told before.
select 'person' as kind, promotion_id as id, uses, person as name, null as refusal from promotions.person_use
where promotion_id = any (:promotion_ids::bigint[]) and person = any (:persons::text[])
union all
select 'bought', 0, 0, person, null from unnest(:persons::text[]) as a (person)
where exists (select from promotions.buyer b where b.person = a.person)
union all
select 'redemption', checkout_id, 0, state, refusal::text from promotions.redemption
where checkout_id = any (:checkout_ids::bigint[]);

-- name: redeem(checkout_ids, order_ids, states, promotion_ids, amounts, codes, persons, counted_promotion_ids,
--     counted_persons, refusals, now, person_checkout_ids, person_promotion_ids, person_names, mosts)
-- A row a checkout; what is counted follows from the rows that are new. The arrays of each are array literals.
with asked as materialized (
    select checkout_id, order_id, state, promotion_ids::bigint[], amounts::bigint[], codes::text[], persons::text[],
        counted_promotion_ids::bigint[], counted_persons::text[], refusal::json
    from unnest(:checkout_ids::bigint[], :order_ids::bigint[], :states::text[], :promotion_ids::text[], :amounts::text[],
        :codes::text[], :persons::text[], :counted_promotion_ids::text[], :counted_persons::text[], :refusals::text[])
        as a (checkout_id, order_id, state, promotion_ids, amounts, codes, persons, counted_promotion_ids,
            counted_persons, refusal)
), fresh as (
    insert into promotions.redemption (checkout_id, order_id, state, promotion_ids, amounts, codes, persons,
        counted_promotion_ids, counted_persons, refusal, at)
    select checkout_id, order_id, state, promotion_ids, amounts, codes, persons, counted_promotion_ids,
        counted_persons, refusal, :now
    from asked order by checkout_id
    on conflict do nothing
    returning checkout_id, state, promotion_ids, amounts, codes
), used as materialized (
    select checkout_id, u.promotion_id, u.amount, u.code
    from fresh, unnest(promotion_ids, amounts, codes) as u (promotion_id, amount, code) where state = 'used'
), counted as (
    update promotions.promotion p set uses = p.uses + s.uses, spent = p.spent + s.spent
    from (select promotion_id, count(*)::int as uses, sum(amount)::bigint as spent from used group by 1) s
    where p.promotion_id = s.promotion_id
), taken as (
    update promotions.code c set checkout_id = used.checkout_id from used where c.code = used.code and used.code <> ''
), by_person as (
    insert into promotions.person_use as p (promotion_id, person, uses, most)
    select b.promotion_id, b.person, count(*)::int, min(b.most)
    from unnest(:person_checkout_ids::bigint[], :person_promotion_ids::bigint[], :person_names::text[], :mosts::int[])
        as b (checkout_id, promotion_id, person, most)
    join fresh using (checkout_id) where fresh.state = 'used'
    group by 1, 2 order by 1, 2
    on conflict (promotion_id, person) do update set uses = p.uses + excluded.uses, most = excluded.most
)
select checkout_id from fresh;

-- name: give_back(checkout_ids, order_ids, because, now)
-- What purchases used is free again, once; where nothing was, a tombstone makes a late redemption refused.
-- Of an order, `checkout_ids` is looked up: then there is nothing to bury.
with buried as (
    insert into promotions.redemption (checkout_id, order_id, state, promotion_ids, amounts, codes, persons, because, at)
    select c, o, 'given_back', '{}', '{}', '{}', '{}', :because, :now
    from unnest(:checkout_ids::bigint[], :order_ids::bigint[]) as a (c, o) order by c
    on conflict do nothing
), locked as materialized (
    select p.promotion_id from promotions.promotion p
    where p.promotion_id in (
        select unnest(promotion_ids) from promotions.redemption where checkout_id = any (:checkout_ids::bigint[]))
    order by p.promotion_id for update
), freed as (
    update promotions.redemption r set state = 'given_back', because = :because, given_back_at = :now
    from (
        select checkout_id from promotions.redemption
        where checkout_id = any (:checkout_ids::bigint[]) and state = 'used' and (select count(*) from locked) >= 0
        order by checkout_id for update
    ) held
    where r.checkout_id = held.checkout_id and r.state = 'used'
    returning r.checkout_id, r.promotion_ids, r.amounts, r.codes, r.counted_promotion_ids, r.counted_persons
), used as materialized (
    select checkout_id, u.promotion_id, u.amount, u.code
    from freed, unnest(promotion_ids, amounts, codes) as u (promotion_id, amount, code)
), counted as (
    update promotions.promotion p set uses = p.uses - s.uses, spent = p.spent - s.spent
    from (select promotion_id, count(*)::int as uses, sum(amount)::bigint as spent from used group by 1) s
    where p.promotion_id = s.promotion_id
), codes as (
    update promotions.code c set checkout_id = null from used
    where c.code = used.code and used.code <> '' and c.checkout_id = used.checkout_id
), by_person as (
    update promotions.person_use p set uses = p.uses - s.uses
    from (
        select k.promotion_id, k.person, count(*)::int as uses
        from freed f, unnest(f.counted_promotion_ids, f.counted_persons) as k (promotion_id, person) group by 1, 2
    ) s
    where p.promotion_id = s.promotion_id and p.person = s.person
)
select checkout_id from freed;

-- name: used_by(order_ids)
select checkout_id, order_id from promotions.redemption where order_id = any (:order_ids::bigint[]) and state = 'used';

-- name: redemption_of(order_id)
select state, because, given_back_at from promotions.redemption where order_id = :order_id and cardinality(promotion_ids) > 0;

-- name: note_buyers(persons, order_ids)
insert into promotions.buyer (person, order_id)
select distinct p, o from unnest(:persons::text[], :order_ids::bigint[]) as a (p, o) order by p, o
on conflict do nothing;

-- name: forget_buyers(order_ids)
delete from promotions.buyer where order_id = any (:order_ids::bigint[]);

-- name: groups(user_id)
select name from promotions.member where user_id = :user_id order by name;

-- name: set_groups(user_id, names)
with gone as (
    delete from promotions.member where user_id = :user_id and name <> all (:names::text[])
)
insert into promotions.member (user_id, name) select :user_id, n from unnest(:names::text[]) n on conflict do nothing;

-- name: forget_people(user_ids, persons)
with counted as (
    select unnest(persons) as person from promotions.redemption where persons && :persons::text[]
), redeemed as (
    update promotions.redemption set persons = '{}', counted_promotion_ids = '{}', counted_persons = '{}'
    where persons && :persons::text[]
), used as (
    delete from promotions.person_use where person in (select person from counted)
), bought as (
    delete from promotions.buyer where person = any (:persons::text[]) or person in (select person from counted)
)
delete from promotions.member where user_id = any (:user_ids::bigint[]);

-- name: forget_orders(order_ids)
with known as (
    select order_id, unnest(persons) as person from promotions.redemption where order_id = any (:order_ids::bigint[])
), redeemed as (
    update promotions.redemption set persons = '{}', counted_promotion_ids = '{}', counted_persons = '{}'
    where order_id = any (:order_ids::bigint[])
), used as (
    delete from promotions.person_use where person in (select person from known)
)
delete from promotions.buyer where order_id = any (:order_ids::bigint[]);
