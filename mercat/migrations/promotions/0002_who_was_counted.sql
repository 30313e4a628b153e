-- Change: a redemption says for whom and under which promotion it was counted, so that just that is given back; somebody
--   has bought until the last of their orders is cancelled; a promotion counts its codes.
-- Previous release: does not know this schema.

-- Pairs, in two arrays: promotions, and people. What was counted before this is what the redemption's promotions count.
alter table promotions.redemption
    add column counted_promotion_ids bigint[] not null default '{}',
    add column counted_persons text[] not null default '{}';
update promotions.redemption r
set counted_promotion_ids = c.promotion_ids, counted_persons = c.persons
from (
    select k.checkout_id, array_agg(u.promotion_id order by u.promotion_id, u.person) as promotion_ids,
        array_agg(u.person order by u.promotion_id, u.person) as persons
    from promotions.redemption k
    join promotions.person_use u on u.person = any (k.persons) and u.promotion_id = any (k.promotion_ids || 0::bigint)
    where k.state = 'used' group by 1
) c where r.checkout_id = c.checkout_id;

alter table promotions.buyer drop constraint buyer_pkey, add primary key (person, order_id);

alter table promotions.promotion add column single_codes integer not null default 0;
update promotions.promotion p set single_codes = c.codes
from (select promotion_id, count(*)::int as codes from promotions.code where single_use group by 1) c
where p.promotion_id = c.promotion_id;
alter table promotions.promotion add constraint codes_within_limit check (single_codes between 0 and 1000000);

-- E-mail addresses were hashed without a key, by which they could be guessed.
delete from promotions.buyer where person like 'e:%';
delete from promotions.person_use where person like 'e:%';
update promotions.redemption
set persons = array(select p from unnest(persons) p where p not like 'e:%'),
    counted_promotion_ids = array(
        select i from unnest(counted_promotion_ids, counted_persons) with ordinality as u (i, p, n)
        where p not like 'e:%' order by n),
    counted_persons = array(
        select p from unnest(counted_persons) with ordinality as u (p, n) where p not like 'e:%' order by n)
where exists (select from unnest(persons) p where p like 'e:%');
