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

-- name: note_tax_sales(keys, order_ids, amounts, taxes, currencies, asked, now)
insert into pricing.tax_record (key, order_id, kind, amount, tax, currency, asked, due_at, made_at)
select k, o, 'sale', a, t, c, q::jsonb, :now, :now
from unnest(:keys::text[], :order_ids::bigint[], :amounts::bigint[], :taxes::bigint[], :currencies::text[],
    :asked::text[]) as u (k, o, a, t, c, q)
order by k
on conflict (key) do nothing;

-- name: note_tax_reversals(keys, order_ids, amounts, currencies, now)
-- Only of what is recorded, or will be.
insert into pricing.tax_record (key, order_id, kind, amount, currency, due_at, made_at)
select k, o, 'reversal', a, c, :now, :now
from unnest(:keys::text[], :order_ids::bigint[], :amounts::bigint[], :currencies::text[]) as u (k, o, a, c)
where exists (select from pricing.tax_record s where s.order_id = o and s.kind = 'sale')
order by k
on conflict (key) do nothing;

-- name: due_tax_records(now, most)
-- Claimed for a minute, then for four times as long each time, up to three days. What is paid back waits for its sale,
-- and for what was paid back before.
update pricing.tax_record r
set tries = r.tries + 1, due_at = :now::timestamptz + interval '1 minute' * power(4, least(r.tries, 6))
where r.key in (
    select w.key from pricing.tax_record w
    where w.status = 'waiting' and w.due_at <= :now and (w.kind = 'sale' or not exists (
        select from pricing.tax_record b where b.order_id = w.order_id and b.key <> w.key
            and (b.kind = 'sale' and b.status <> 'recorded'
                or b.kind = 'reversal' and b.status = 'waiting' and (b.made_at, b.key) < (w.made_at, w.key))))
    order by w.due_at limit :most for update skip locked)
returning r.key, r.order_id, r.kind, r.amount, r.currency, r.asked::text as asked, r.tries;

-- name: recorded_sale(order_id)
select s.reference, s.amount, (select coalesce(sum(r.amount), 0)::bigint from pricing.tax_record r
    where r.order_id = s.order_id and r.kind = 'reversal' and r.status = 'recorded') as reversed
from pricing.tax_record s where s.order_id = :order_id and s.kind = 'sale' and s.status = 'recorded';

-- name: tax_recorded(key, reference, amount, said_tax, now)
update pricing.tax_record set status = 'recorded', reference = :reference, amount = :amount, said_tax = :said_tax,
    recorded_at = :now, asked = null, failure = ''
where key = :key and status <> 'recorded';

-- name: tax_not_recorded(key, status, failure)
update pricing.tax_record set status = :status, failure = :failure where key = :key and status = 'waiting';

-- name: tax_records(status, most)
select key, order_id, kind, amount, currency, status, tries, made_at, recorded_at, reference, tax, said_tax, failure
from pricing.tax_record where :status::text is null or status = :status
order by made_at desc, key limit :most;

-- name: retry_tax_record(key, now)
update pricing.tax_record set status = 'waiting', tries = 0, due_at = :now, failure = ''
where key = :key and status <> 'recorded' returning key;
