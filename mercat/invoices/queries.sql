-- name: begin_issuers(seller_ids)
insert into invoices.issuer (seller_id)
select seller_id from unnest(:seller_ids::bigint[]) as a (seller_id)
where not exists (select from invoices.issuer i where i.seller_id = a.seller_id)
order by seller_id
on conflict do nothing;

-- name: lock_issuers(seller_ids)
-- In one order, so that two who issue never wait for each other. What is read after it sees all that was issued before.
select seller_id from invoices.issuer where seller_id = any(:seller_ids::bigint[]) order by seller_id for update;

-- name: issue(order_ids, seller_ids, refund_ids, kinds, names, currencies, prices, discounts, taxes, shippings, units,
--     causes, now)
-- What is there already stays; the others take the next numbers of their sellers, in the order in which they came.
with asked as materialized (
    select distinct on (order_id, seller_id, refund_id) *
    from unnest(:order_ids::bigint[], :seller_ids::bigint[], :refund_ids::bigint[], :kinds::text[], :names::text[],
        :currencies::text[], :prices::bigint[], :discounts::bigint[], :taxes::bigint[], :shippings::bigint[],
        :units::text[], :causes::text[]) with ordinality
        as a (order_id, seller_id, refund_id, kind, name, currency, price, discount, tax, shipping, units, cause, n)
    order by order_id, seller_id, refund_id, n
), fresh as materialized (
    select a.*, row_number() over (partition by a.seller_id, a.kind order by a.n) as place
    from asked a left join invoices.paper p using (order_id, seller_id, refund_id)
    where p.order_id is null
), counted as (
    update invoices.issuer i set invoices = i.invoices + c.invoices, credit_notes = i.credit_notes + c.credit_notes
    from (
        select seller_id, count(*) filter (where kind = 'invoice') as invoices,
            count(*) filter (where kind = 'credit_note') as credit_notes
        from fresh group by 1
    ) c
    where i.seller_id = c.seller_id
    returning i.seller_id, i.details, i.invoices - c.invoices as invoices, i.credit_notes - c.credit_notes as credit_notes
)
insert into invoices.paper (order_id, seller_id, refund_id, kind, number, seller_name, seller_details, currency, price,
    discount, tax, shipping, units, cause, issued_at)
select f.order_id, f.seller_id, f.refund_id, f.kind,
    case f.kind when 'invoice' then c.invoices else c.credit_notes end + f.place, f.name, c.details, f.currency, f.price,
    f.discount, f.tax, f.shipping, f.units::json, f.cause, :now
from fresh f join counted c using (seller_id);

-- name: papers(order_id)
-- Each seller's invoice, then its credit notes.
select order_id, seller_id, nullif(refund_id, 0) as refund_id, kind, number, seller_name, seller_details, currency, price,
    discount, tax, shipping, units::text, cause, issued_at
from invoices.paper where order_id = :order_id order by seller_id, kind desc, number;

-- name: details(seller_id)
select details from invoices.issuer where seller_id = :seller_id;

-- name: set_details(seller_id, details)
insert into invoices.issuer (seller_id, details) values (:seller_id, :details)
on conflict (seller_id) do update set details = excluded.details;
