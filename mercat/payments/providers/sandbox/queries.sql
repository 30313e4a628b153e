-- name: charge(keys, amounts, currencies, tokens, states)
with asked as materialized (
    select * from unnest(:keys::bigint[], :amounts::bigint[], :currencies::text[], :tokens::text[], :states::text[])
        as a (key, amount, currency, token, state)
), made as (
    insert into payments.sandbox_charge (key, amount, currency, token, state)
    select * from asked order by key
    on conflict do nothing
    returning key, state
)
select key, state from made;

-- name: look(keys)
select key, state, amount, refunded, token from payments.sandbox_charge where key = any(:keys::bigint[]);

-- name: answer(key, approve)
update payments.sandbox_charge set state = case when :approve then 'authorised' else 'declined' end
where key = :key and state = 'challenged' returning state;

-- name: capture(key)
update payments.sandbox_charge set state = 'charged' where key = :key and state = 'authorised';

-- name: cancel(key, currency)
-- A charge under this key will not be made any more; what was charged stays charged.
insert into payments.sandbox_charge as c (key, amount, currency, token, state) values (:key, 0, :currency, '',
    'cancelled')
on conflict (key) do update
    set state = case when c.state in ('challenged', 'authorised') then 'cancelled' else c.state end
returning state, amount;

-- name: listed(first_id, end_id, limit_to)
select key, state, amount, refunded, currency from payments.sandbox_charge
where key >= :first_id and key < :end_id order by key limit :limit_to;

-- name: fail_refund(refund_id)
-- The card could not be paid back: the money is with the shop again.
with failed as (delete from payments.sandbox_refund where key = :refund_id returning charge, amount)
update payments.sandbox_charge c set refunded = c.refunded - failed.amount from failed where c.key = failed.charge;

-- name: refund(refund_id, key, amount)
-- The key first: who comes second with it finds it taken, and gives nothing back again.
with made as (
    insert into payments.sandbox_refund (key, charge, amount)
    select :refund_id, c.key, :amount from payments.sandbox_charge c where c.key = :key and c.state = 'charged'
    on conflict do nothing
    returning charge, amount
)
update payments.sandbox_charge c set refunded = c.refunded + made.amount from made where c.key = made.charge;
