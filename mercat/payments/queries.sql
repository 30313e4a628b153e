-- name: record_many
-- What the provider said of each charge, with its journal entry; an answer that stands already is the answer.
with asked as materialized (
    select distinct on (checkout_id) * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[])
        as a (payment_id, checkout_id, order_id, amount, currency, status, reason, action, parts, accounts, amounts)
), recorded as (
    insert into payments.payment as p
        (payment_id, checkout_id, order_id, amount, currency, status, reason, action, parts)
    select payment_id, checkout_id, order_id, amount, currency, status, reason, action, parts::json
    from asked order by checkout_id
    on conflict (checkout_id) do update set status = excluded.status, reason = excluded.reason, action = null
        where p.status = 'action_required' and excluded.status <> 'action_required'
    returning payment_id, checkout_id, status
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'capture', a.checkout_id, a.currency, a.accounts::text[], a.amounts::bigint[]
    from asked a where a.status = 'captured' and a.checkout_id = any (array(select checkout_id from recorded))
)
select checkout_id, payment_id, status from recorded;

-- name: of_checkouts
select payment_id, checkout_id, order_id, amount, refunded, currency, status, reason, action, parts::text
from payments.payment where checkout_id = any($1::bigint[]);

-- name: bury
-- A tombstone where nothing was charged yet: a charge that comes later is undone.
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values ($1, $2, $3, 0, $4, 'void')
on conflict (checkout_id) do nothing;

-- name: abandon
update payments.payment set status = 'void', action = null
where checkout_id = $1 and status in ('action_required', 'declined');

-- name: found_charged
-- The provider had charged what we had given up: it is booked, so that it can be refunded.
with found as (
    update payments.payment set status = 'captured', amount = $2, parts = '{}'
    where checkout_id = $1 and status in ('void', 'action_required')
    returning checkout_id, currency
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'capture', checkout_id, currency, array['provider', 'shopper'], array[$2::bigint, -$2::bigint] from found;

-- name: lock_payment
select payment_id from payments.payment where payment_id = $1 for update;

-- name: begin_refund
-- Counts the refund against the capture first: the constraint refuses what was not captured. Once a reference.
with known as (
    select refund_id, amount, status from payments.refund where reference = $3
), counted as (
    update payments.payment set refunded = refunded + $4
    where payment_id = $2 and status = 'captured' and not exists (select from known)
    returning payment_id
), begun as (
    insert into payments.refund (refund_id, payment_id, reference, amount, status)
    select $1, payment_id, $3, $4, 'pending' from counted
    returning refund_id, amount, status
)
select * from begun union all select * from known;

-- name: finish_refund
with done as (
    update payments.refund set status = 'done' where refund_id = $1 and status = 'pending' returning refund_id
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'refund', refund_id, $2, $3::text[], $4::bigint[] from done;

-- name: of_order
select p.payment_id, p.status, p.amount, p.refunded, p.currency, p.at,
    coalesce((select json_agg(json_build_object('refund_id', r.refund_id, 'amount', r.amount, 'status', r.status)
        order by r.refund_id) from payments.refund r where r.payment_id = p.payment_id), '[]')::text as refunds
from payments.payment p where p.order_id = $1 and p.status in ('captured', 'action_required')
order by p.payment_id;

-- name: captured
select payment_id, checkout_id, order_id, amount, refunded, currency, status, reason, action, parts::text
from payments.payment where order_id = $1 and status = 'captured';

-- name: trial_balance
select account, currency, sum(amount)::bigint as balance, count(*) as postings
from payments.entry, unnest(accounts, amounts) as u (account, amount)
group by account, currency order by account;

-- name: sandbox_charge
with asked as materialized (
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
        as a (key, amount, currency, token, state)
), made as (
    insert into payments.sandbox_charge (key, amount, currency, token, state)
    select * from asked order by key
    on conflict do nothing
    returning key, state
)
select key, state from made;

-- name: sandbox_look
select key, state, amount, refunded from payments.sandbox_charge where key = any($1::bigint[]);

-- name: sandbox_answer
update payments.sandbox_charge set state = case when $2 then 'charged' else 'declined' end
where key = $1 and state = 'challenged' returning state;

-- name: sandbox_cancel
-- A charge under this key will not be made any more; what was charged stays charged.
insert into payments.sandbox_charge as c (key, amount, currency, token, state) values ($1, 0, 'USD', '', 'cancelled')
on conflict (key) do update set state = case when c.state = 'challenged' then 'cancelled' else c.state end
returning state, amount;

-- name: sandbox_refund
-- The key first: who comes second with it finds it taken, and gives nothing back again.
with made as (
    insert into payments.sandbox_refund (key, charge, amount)
    select $1, c.key, $3 from payments.sandbox_charge c where c.key = $2 and c.state = 'charged'
    on conflict do nothing
    returning charge, amount
)
update payments.sandbox_charge c set refunded = c.refunded + made.amount from made where c.key = made.charge;

-- name: refunded_before
select coalesce(sum(amount), 0)::bigint from payments.refund where payment_id = $1 and refund_id < $2;
