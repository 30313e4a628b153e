-- name: version
select version from pricing.tax_table;

-- name: rules
select country, subdivision, postal_from, postal_to, class as tax_class, ppm, shipping_taxed, included, source,
    valid_from
from pricing.tax_rate
order by country, class, subdivision, postal_from, postal_to;

-- name: begin_setting(now)
-- Whoever sets rates waits here for who does it now.
insert into pricing.tax_table as t (changed_at) values (:now)
on conflict (one) do update set version = t.version + 1, changed_at = excluded.changed_at
returning version;

-- name: clear_rules
delete from pricing.tax_rate;

-- name: add_rules(countries, subdivisions, postal_froms, postal_tos, classes, ppms, shipping_taxeds, includeds, sources,
--     valid_froms)
insert into pricing.tax_rate (country, subdivision, postal_from, postal_to, class, ppm, shipping_taxed, included,
    source, valid_from)
select * from unnest(:countries::text[], :subdivisions::text[], :postal_froms::text[], :postal_tos::text[],
    :classes::text[], :ppms::int[], :shipping_taxeds::bool[], :includeds::bool[], :sources::text[],
    :valid_froms::date[]);

-- name: note_sold(countries, subdivisions, last_ats)
insert into pricing.sold_without_rate as s (country, subdivision, orders, last_at)
select country, subdivision, count(*), max(at)
from unnest(:countries::text[], :subdivisions::text[], :last_ats::timestamptz[]) as x (country, subdivision, at)
group by country, subdivision
order by country, subdivision
on conflict (country, subdivision) do update
    set orders = s.orders + excluded.orders, last_at = greatest(s.last_at, excluded.last_at);

-- name: sold_without_rate
select country, subdivision, orders, last_at from pricing.sold_without_rate
order by orders desc, country, subdivision
limit 1000;

-- name: exemptions
select user_id, reason, granted_at from pricing.tax_exemption order by granted_at desc, user_id;

-- name: exempt(user_id, reason, granted_at)
insert into pricing.tax_exemption (user_id, reason, granted_at) values (:user_id, :reason, :granted_at)
on conflict (user_id) do update set reason = excluded.reason;

-- name: tax_again(user_id)
delete from pricing.tax_exemption where user_id = :user_id;
