-- name: record_charges(payment_ids, checkout_ids, order_ids, amounts, currencies, statuses, reasons, parts, entry_accounts, entry_amounts)
-- What the provider said of each charge, with its journal entry; an answer that stands already is the answer.
with asked as materialized (
    select distinct on (checkout_id) * from unnest(:payment_ids::bigint[], :checkout_ids::bigint[],
        :order_ids::bigint[], :amounts::bigint[], :currencies::text[], :statuses::text[], :reasons::text[],
        :parts::text[], :entry_accounts::text[], :entry_amounts::text[])
        as a (payment_id, checkout_id, order_id, amount, currency, status, reason, parts, accounts, amounts)
), recorded as (
    insert into payments.payment as p
        (payment_id, checkout_id, order_id, amount, currency, status, reason, parts)
    select payment_id, checkout_id, order_id, amount, currency, status, reason, parts::json
    from asked order by checkout_id
    on conflict (checkout_id) do update set status = excluded.status, reason = excluded.reason
        where p.status = 'action_required' and excluded.status <> 'action_required'
    returning payment_id, checkout_id, status
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'capture', a.checkout_id, a.currency, a.accounts::text[], a.amounts::bigint[]
    from asked a where a.status = 'captured' and a.checkout_id = any (array(select checkout_id from recorded))
)
select checkout_id, payment_id, status from recorded;

-- name: customer_of(user_id)
select customer from payments.customer where user_id = :user_id;

-- name: keep_customer(user_id, customer, lost)
-- Who was there first stays, but for the one that was lost. Two that keep one at once conflict on either column.
with mended as (
    update payments.customer set customer = :customer where user_id = :user_id and customer = :lost returning user_id
)
insert into payments.customer (user_id, customer)
select :user_id::bigint, :customer::text where not exists (select from mended)
on conflict do nothing;

-- name: keep_card(token, user_id, customer)
insert into payments.card (token, user_id, customer) values (:token, :user_id, :customer)
on conflict (token) do update set user_id = excluded.user_id, customer = excluded.customer;

-- name: of_checkouts(checkout_ids)
select payment_id, checkout_id, order_id, amount, refunded, currency, status, reason
from payments.payment where checkout_id = any(:checkout_ids::bigint[]);

-- name: insert_tombstone(payment_id, checkout_id, order_id, currency)
-- A tombstone where nothing was charged yet: a charge that comes later is undone.
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values (:payment_id, :checkout_id, :order_id, 0, :currency, 'void')
on conflict (checkout_id) do nothing;

-- name: mark_void(checkout_id)
update payments.payment set status = 'void'
where checkout_id = :checkout_id and status in ('action_required', 'declined');

-- name: book_found_charge(checkout_id, amount)
-- The provider had charged what we had given up: it is booked, so that it can be refunded.
with found as (
    update payments.payment set status = 'captured', amount = :amount, parts = '{}'
    where checkout_id = :checkout_id and status in ('void', 'action_required')
    returning checkout_id, currency
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'capture', checkout_id, currency, array['provider', 'shopper'], array[:amount::bigint,
    -:amount::bigint] from found;

-- name: lock_payment(payment_id)
select p.payment_id, p.checkout_id, p.order_id, p.amount, p.refunded, p.currency, p.status, p.parts::text,
    e.accounts, e.amounts
from payments.payment p left join payments.entry e on e.reference = p.checkout_id and e.kind = 'capture'
where p.payment_id = :payment_id for update of p;

-- name: refund_known(reference)
select refund_id, payment_id, amount, status from payments.refund where reference = :reference;

-- name: refund_parts(payment_id)
select parts::text from payments.refund where payment_id = :payment_id;

-- name: begin_refund(refund_id, payment_id, reference, amount, parts, accounts, amounts)
-- Counts the refund against the capture, whose constraint refuses what was not captured, and books it as owed.
with counted as (
    update payments.payment set refunded = refunded + :amount where payment_id = :payment_id and status = 'captured'
    returning payment_id, currency
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'refund', :refund_id, currency, :accounts::text[], :amounts::bigint[] from counted
)
insert into payments.refund (refund_id, payment_id, reference, amount, status, parts)
select :refund_id, payment_id, :reference, :amount, 'pending', :parts::json from counted
returning refund_id;

-- name: finish_refund(refund_id, currency, accounts, amounts)
with done as (
    update payments.refund set status = 'done' where refund_id = :refund_id and status = 'pending'
    returning refund_id, payment_id, reference, amount, parts
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'paid_back', refund_id, :currency, :accounts::text[], :amounts::bigint[] from done
)
select events.tell('RefundPaid', jsonb_build_object('event', 'RefundPaid', 'refund_id', d.refund_id,
    'order_id', p.order_id, 'amount', d.amount, 'currency', p.currency, 'reference', d.reference,
    'seller_ids', coalesce((select jsonb_agg(substr(account, 8)::bigint) from json_object_keys(d.parts) account
        where account like 'seller:%'), '[]')))
from done d join payments.payment p using (payment_id);

-- name: fail_refund(refund_id, accounts)
-- The bank could not pay it back: it is owed again, and what was booked as paid has come back to us. Twice is once.
with failed as (
    update payments.refund set status = 'failed' where refund_id = :refund_id and status <> 'failed'
    returning refund_id, payment_id, amount, old.status as before
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'came_back', f.refund_id, p.currency, :accounts::text[], array[f.amount, -f.amount]
    from failed f join payments.payment p using (payment_id) where f.before = 'done'
)
select events.tell('RefundFailed', jsonb_build_object('event', 'RefundFailed', 'refund_id', f.refund_id,
    'order_id', p.order_id, 'amount', f.amount, 'currency', p.currency))
from failed f join payments.payment p using (payment_id);

-- name: refund_of(refund_id)
select p.order_id, p.currency, r.amount from payments.refund r join payments.payment p using (payment_id)
where r.refund_id = :refund_id;

-- name: claim_reconciliation(now, every)
-- Whether it is time again; whoever is told so does it.
update payments.reconciled set at = :now where at <= :now::timestamptz - :every::interval returning at;

-- name: set_reconciled_at(last_at)
update payments.reconciled set at = :last_at;

-- name: of_order(order_id)
select p.payment_id, case when p.status <> 'captured' or p.refunded - f.failed = 0 then p.status
        when p.refunded - f.failed < p.amount then 'partially_refunded' else 'refunded' end as status, p.amount,
            p.refunded, p.currency, p.at,
    coalesce((select json_agg(json_build_object('refund_id', r.refund_id, 'amount', r.amount, 'status', r.status,
        'reference', r.reference, 'at', r.at) order by r.refund_id) from payments.refund r where r.payment_id = p.payment_id), '[]')::text as refunds
from payments.payment p cross join lateral (
    select coalesce(sum(r.amount), 0)::bigint as failed from payments.refund r
    where r.payment_id = p.payment_id and r.status = 'failed'
) f
where p.order_id = :order_id and p.status in ('captured', 'action_required')
order by p.payment_id;

-- name: captured(order_id)
select payment_id from payments.payment where order_id = :order_id and status = 'captured';

-- name: trial_balance(sellers_together)
select case when :sellers_together and account like 'seller:%' then 'sellers' else account end as account, currency,
    sum(amount)::bigint as balance, count(*) as postings
from payments.entry, unnest(accounts, amounts) as u (account, amount)
group by 1, currency order by 1, currency;

-- name: waiting_too_long(before, limit_to)
-- Authorisations and challenges that nobody came back for.
select checkout_id, order_id from payments.payment where status = 'action_required' and at < :before order by at
    limit :limit_to;

-- name: begin_attempts(checkout_ids, requests, started_at, tokens, user_ids)
-- Written before the provider is asked; what stands already is the answer.
with asked as materialized (
    select a.checkout_id, a.ask, a.at, coalesce(c.customer, '') as customer
    from unnest(:checkout_ids::bigint[], :requests::text[], :started_at::timestamptz[], :tokens::text[],
        :user_ids::bigint[])
        as a (checkout_id, ask, at, token, user_id)
    left join payments.card c on c.token = a.token and c.user_id = a.user_id
), begun as (
    insert into payments.attempt (checkout_id, ask, customer, at)
    select checkout_id, ask::json, customer, at from asked order by checkout_id
    on conflict do nothing
)
select a.checkout_id, coalesce(k.reference, '') as reference, coalesce(k.customer, a.customer) as customer,
    p.payment_id, p.status, p.reason,
    k.checkout_id is not null as again
from asked a
left join payments.attempt k on k.checkout_id = a.checkout_id
left join payments.payment p on p.checkout_id = a.checkout_id;

-- name: set_references(checkout_ids, provider_references)
update payments.attempt t set reference = a.reference
from unnest(:checkout_ids::bigint[], :provider_references::text[]) as a (checkout_id,
    reference) where t.checkout_id = a.checkout_id;

-- name: attempt(checkout_id)
select ask::text, customer, reference from payments.attempt where checkout_id = :checkout_id;

-- name: attempts_left(before, limit_to)
select t.checkout_id, p.order_id, p.status, t.ask::text
from payments.attempt t left join payments.payment p using (checkout_id)
where t.open and t.at < :before order by t.at limit :limit_to;

-- name: close_attempt(checkout_id)
update payments.attempt set open = false where checkout_id = :checkout_id;

-- name: record_webhook(provider, event_id, kind, checkout_id, now)
insert into payments.notice (provider, event_id, kind, checkout_id, at) values (:provider, :event_id, :kind,
    :checkout_id, :now)
on conflict (provider, event_id) do update set tries = payments.notice.tries + 1
returning done_at is not null as done, tries;

-- name: finish_webhook(provider, event_id, now)
update payments.notice set done_at = :now where provider = :provider and event_id = :event_id and done_at is null;

-- name: take_pending_webhooks(before)
update payments.notice n set tries = n.tries + 1
from (
    select provider, event_id from payments.notice where done_at is null and at < :before
    order by at limit 50 for update skip locked
) open
where n.provider = open.provider and n.event_id = open.event_id
returning n.provider, n.event_id, n.checkout_id, n.tries;

-- name: delete_old_webhooks(before)
delete from payments.notice where at < :before;

-- name: booked_payments(checkout_ids)
select checkout_id, order_id, status, amount, currency,
    (select coalesce(sum(r.amount), 0) from payments.refund r where r.payment_id = p.payment_id and r.status = 'done')
        ::bigint as refunded,
    exists (select from payments.refund r where r.payment_id = p.payment_id and r.status = 'pending') as paying_back
from payments.payment p where checkout_id = any(:checkout_ids::bigint[]);

-- name: captured_between(first_id, end_id, limit_to)
select checkout_id, order_id, amount, refunded, currency from payments.payment
where status = 'captured' and checkout_id >= :first_id and checkout_id < :end_id order by checkout_id limit :limit_to;

-- name: open_case(case_id, provider, kind, subject, order_id, ours, theirs, currency, detail, now)
insert into payments.matter as m (case_id, provider, kind, subject, order_id, ours, theirs, currency, detail,
    opened_at, seen_at)
values (:case_id, :provider, :kind, :subject, :order_id, :ours, :theirs, :currency, :detail, :now, :now)
on conflict (provider, kind, subject) where resolved_at is null
do update set ours = excluded.ours, theirs = excluded.theirs, detail = excluded.detail, seen_at = excluded.seen_at
returning case_id, (xmax = 0) as fresh;

-- name: cases(only_open, kind, sort, kinds, way, after, limit_to)
-- `way`: 1 from the smallest up, -1 from the largest down; `after` is the last case of the page before.
with sorted as (
    select m.*, :way * case :sort::text when 'difference' then abs(ours - theirs)
        when 'kind' then array_position(:kinds::text[], kind) else case_id end as key
    from payments.matter m where (resolved_at is null) = :only_open and (:kind::text is null or kind = :kind)
)
select case_id, provider, kind, subject, order_id, ours, theirs, currency, detail, opened_at, seen_at, resolved_at,
    coalesce(resolved_by, '') as resolved_by, coalesce(note, '') as note
from sorted
where :after::bigint is null or (key, case_id * :way) > (
    select :way * case :sort when 'difference' then abs(l.ours - l.theirs)
        when 'kind' then array_position(:kinds, l.kind) else l.case_id end, l.case_id * :way
    from payments.matter l where l.case_id = :after)
order by key, case_id * :way
limit :limit_to;

-- name: case_counts
select count(*) filter (where resolved_at is null) as open, count(*) filter (where resolved_at is not null) as resolved
from payments.matter;

-- name: resolve(case_id, now, who, note)
update payments.matter set resolved_at = :now, resolved_by = :who, note = :note
where case_id = :case_id and resolved_at is null returning case_id;

-- name: forget_people(user_ids)
with cards as (
    delete from payments.card where user_id = any (:user_ids::bigint[])
)
delete from payments.customer where user_id = any (:user_ids);
