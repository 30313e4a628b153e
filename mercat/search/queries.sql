-- name: rules
select rule_id, kind, words, product_id, place, brand, category, factor, other, same, starts_on, ends_on, version,
    changed_at, changed_by
from search.rule
order by kind, lower(words), place, rule_id;

-- name: rules_as_they_stand
-- Whether anything has changed: every change raises a version, adds a rule or takes one away.
select coalesce(md5(string_agg(rule_id || ':' || version, ',' order by rule_id)), '') from search.rule;

-- name: save_rule
-- Told twice it changes nothing, and no change is written down. $17: how many rules there may be.
with before as materialized (
    select to_jsonb(r) - array['version', 'changed_at', 'changed_by', 'changed_by_id'] as was
    from search.rule r where rule_id = $1 for update
), saved as (
    insert into search.rule as r (rule_id, kind, words, product_id, place, brand, category, factor, other, same,
        starts_on, ends_on, changed_at, changed_by_id, changed_by)
    select $1::bigint, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
    where exists (select from before) or ($16 and (select count(*) from search.rule) < $17)
    on conflict (rule_id) do update set kind = excluded.kind, words = excluded.words,
        product_id = excluded.product_id, place = excluded.place, brand = excluded.brand,
        category = excluded.category, factor = excluded.factor, other = excluded.other, same = excluded.same,
        starts_on = excluded.starts_on, ends_on = excluded.ends_on, changed_at = excluded.changed_at,
        changed_by_id = excluded.changed_by_id, changed_by = excluded.changed_by, version = r.version + 1
        where (r.kind, r.words, r.product_id, r.place, r.brand, r.category, r.factor, r.other, r.same,
            r.starts_on, r.ends_on) is distinct from (excluded.kind, excluded.words, excluded.product_id,
            excluded.place, excluded.brand, excluded.category, excluded.factor, excluded.other, excluded.same,
            excluded.starts_on, excluded.ends_on)
    returning r.*
)
insert into search.rule_change (change_id, rule_id, what, by_id, by_name, at, was, is_now)
select $18, s.rule_id, case when b.was is null then 'added' else 'changed' end, $14, $15, $13, b.was,
    to_jsonb(s) - array['version', 'changed_at', 'changed_by', 'changed_by_id']
from saved s left join before b on true;

-- name: rule
select rule_id, kind, words, product_id, place, brand, category, factor, other, same, starts_on, ends_on, version,
    changed_at, changed_by
from search.rule where rule_id = $1;

-- name: remove_rule
with gone as (
    delete from search.rule r where rule_id = $1
    returning rule_id, to_jsonb(r) - array['version', 'changed_at', 'changed_by', 'changed_by_id'] as was
)
insert into search.rule_change (change_id, rule_id, what, by_id, by_name, at, was)
select $5, rule_id, 'removed', $2, $3, $4, was from gone
returning rule_id;

-- name: was_rule
select exists (select from search.rule_change where rule_id = $1);

-- name: rule_changes
select change_id, rule_id, what, by_name as by, at, was::text, is_now::text as now
from search.rule_change
where $1::bigint is null or change_id < $1
order by change_id desc
limit $2;

-- name: count_asked
insert into search.asked as a (words, times, weight)
select words, times, weight from unnest($1::text[], $2::bigint[], $3::float8[]) as asked (words, times, weight)
order by words
on conflict (words) do update set times = a.times + excluded.times, weight = a.weight + excluded.weight;

-- name: forget_asked
delete from search.asked
where words in (select words from search.asked order by weight desc, words offset $1);

-- name: often_asked
select words, weight from search.asked where times >= $1 order by weight desc, words limit $2;
