-- name: rules()
select rule_id, kind, words, product_id, place, brand, category, factor, other, same, starts_on, ends_on, version,
    changed_at, changed_by
from search.rule
order by kind, lower(words), place, rule_id;

-- name: rules_version()
-- Changes with the rules: every change raises a version, adds a rule or removes one.
-- So it does with what was learnt and is served.
select coalesce(md5(string_agg(rule_id || ':' || version, ',' order by rule_id)), '')
    || coalesce((select learnt_id::text from search.learnt where state = 'served'), '')
from search.rule;

-- name: served_gains()
select gains::text from search.learnt where state = 'served';

-- name: learnt(limit)
select learnt_id, at, state, why, searches, chosen_before, chosen_after, judged_before, judged_after
from search.learnt order by learnt_id desc limit :limit;

-- name: keep_learnt(learnt_id, at, state, why, searches, chosen_before, chosen_after, judged_before, judged_after, gains)
-- What is served takes the place of the former. Repeated, it changes nothing.
with former as (
    update search.learnt set state = 'former'
    where :state = 'served' and state = 'served'
        and not exists (select from search.learnt l where l.learnt_id = :learnt_id)
    returning learnt_id
)
insert into search.learnt (learnt_id, at, state, why, searches, chosen_before, chosen_after, judged_before,
    judged_after, gains)
select :learnt_id, :at, :state, :why, :searches, :chosen_before, :chosen_after, :judged_before, :judged_after,
    :gains::jsonb
from (select count(*) from former) as f
on conflict (learnt_id) do nothing;

-- name: forget_learnt(kept)
delete from search.learnt where state <> 'served'
    and learnt_id not in (select learnt_id from search.learnt order by learnt_id desc limit :kept);

-- name: take_back_learnt(learnt_id, why)
with gone as (
    update search.learnt set state = 'kept_out', why = :why
    where learnt_id = :learnt_id and state = 'served'
    returning learnt_id
), back as (
    update search.learnt set state = 'served'
    where learnt_id = (select max(learnt_id) from search.learnt where state = 'former') and exists (select from gone)
    returning learnt_id
)
select exists (select from search.learnt where learnt_id = :learnt_id) from (select count(*) from back) as b;

-- name: save_rule(rule_id, kind, words, product_id, place, brand, category, factor, other, same, starts_on, ends_on, at, by_id, by_name, new, rules_max, change_id)
-- Repeated, it changes nothing, and no change is recorded.
with before as materialized (
    select to_jsonb(r) - array['version', 'changed_at', 'changed_by', 'changed_by_id'] as was
    from search.rule r where rule_id = :rule_id for update
), saved as (
    insert into search.rule as r (rule_id, kind, words, product_id, place, brand, category, factor, other, same,
        starts_on, ends_on, changed_at, changed_by_id, changed_by)
    select :rule_id::bigint, :kind, :words, :product_id, :place, :brand, :category, :factor, :other, :same,
        :starts_on, :ends_on, :at, :by_id, :by_name
    where exists (select from before) or (:new and (select count(*) from search.rule) < :rules_max)
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
select :change_id, s.rule_id, case when b.was is null then 'added' else 'changed' end, :by_id, :by_name, :at,
    b.was, to_jsonb(s) - array['version', 'changed_at', 'changed_by', 'changed_by_id']
from saved s left join before b on true;

-- name: rename_categories(slugs)
update search.rule set category = :slugs::jsonb ->> category, version = version + 1 where :slugs::jsonb ? category;

-- name: rule(rule_id)
select rule_id, kind, words, product_id, place, brand, category, factor, other, same, starts_on, ends_on, version,
    changed_at, changed_by
from search.rule where rule_id = :rule_id;

-- name: remove_rule(rule_id, by_id, by_name, at, change_id)
with gone as (
    delete from search.rule r where rule_id = :rule_id
    returning rule_id, to_jsonb(r) - array['version', 'changed_at', 'changed_by', 'changed_by_id'] as was
)
insert into search.rule_change (change_id, rule_id, what, by_id, by_name, at, was)
select :change_id, rule_id, 'removed', :by_id, :by_name, :at, was from gone
returning rule_id;

-- name: rule_existed(rule_id)
select exists (select from search.rule_change where rule_id = :rule_id);

-- name: rule_changes(before, kind, what, words, way, limit)
-- `way`: -1 with the newest first, 1 with the oldest. `words`: of who did it, or of what the rule is for.
select change_id, rule_id, what, by_name as by, at, was::text, is_now::text as now
from search.rule_change
where (:before::bigint is null or change_id * :way > :before * :way)
    and (:kind::text is null or coalesce(is_now, was) ->> 'kind' = :kind) and (:what::text is null or what = :what)
    and (:words::text = '' or strpos(lower(by_name), :words) > 0
        or strpos(lower(coalesce(is_now, was) ->> 'words'), :words) > 0)
order by change_id * :way
limit :limit;

-- name: rule_change_counts
select what, count(*)::int as changes from search.rule_change group by what;

-- name: count_queries(words, times, weights)
insert into search.asked as a (words, times, weight)
select words, times, weight
from unnest(:words::text[], :times::bigint[], :weights::float8[]) as asked (words, times, weight)
order by words
on conflict (words) do update set times = a.times + excluded.times, weight = a.weight + excluded.weight;

-- name: forget_rare_queries(kept)
delete from search.asked
where words in (select words from search.asked order by weight desc, words offset :kept);

-- name: frequent_queries(times_min, limit)
select words, weight from search.asked where times >= :times_min order by weight desc, words limit :limit;
