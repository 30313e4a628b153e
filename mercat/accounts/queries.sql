-- name: open
with opened as (
    insert into accounts.person (user_id, email, name, password, roles)
    values ($1, $2, $3, $4, $5)
    on conflict (lower(email)) do nothing
    returning user_id, email, name
)
select user_id, events.tell('AccountOpened', jsonb_build_object('event', 'AccountOpened', 'user_id', user_id,
    'email', email, 'name', name)) as told
from opened;

-- name: by_email
select user_id, email, name, password, roles, seller_id from accounts.person where lower(email) = lower($1);

-- name: claim
insert into accounts.claimed (guest_id, user_id) values ($1, $2) on conflict do nothing;

-- name: was_claimed
select exists (select from accounts.claimed where guest_id = $1);

-- name: guests_of
select guest_id from accounts.claimed where user_id = $1 order by guest_id;

-- name: grant
update accounts.person
set roles = case when $2 = any (roles) then roles else roles || $2 end, seller_id = coalesce($3, seller_id)
where user_id = $1
returning user_id, email, name, roles, seller_id;

-- name: add_addresses
insert into accounts.address (user_id, address_id, name, line1, line2, city, region, postal_code, country, phone)
select u, a, n, l1, l2, c, r, p, co, ph
from (
    select *, row_number() over (partition by u order by a) as nth
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[]) as x (u, a, n, l1, l2, c, r, p, co, ph)
) as asked
where (select count(*) from accounts.address b where b.user_id = u) + nth <= 50
returning address_id;

-- name: addresses
select address_id, name, line1, line2, city, region, postal_code, country, phone
from accounts.address
where user_id = $1 or user_id in (select guest_id from accounts.claimed where user_id = $1)
order by address_id;

-- name: add_payment_methods
insert into accounts.payment_method (user_id, payment_method_id, token, brand, last4, once)
select u, p, t, b, l, o
from (
    select *, row_number() over (partition by u, o order by p) as nth
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[]) as x (u, p, t, b, l, o)
) as asked
where o or (select count(*) from accounts.payment_method m where m.user_id = u and not m.once) + nth <= 50
returning payment_method_id;

-- name: payment_methods
select payment_method_id, token, brand, last4 from accounts.payment_method
where not once and (user_id = $1 or user_id in (select guest_id from accounts.claimed where user_id = $1))
order by payment_method_id;

-- name: ways
-- Where it goes and how it is paid, for many people at once; what is another's is not there.
select k.n::int, a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone,
    m.payment_method_id, m.token
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality as k (user_id, address_id, method_id, n)
left join accounts.address a on a.user_id = k.user_id and a.address_id = k.address_id
left join accounts.payment_method m on m.user_id = k.user_id and m.payment_method_id = k.method_id;

-- name: claimed_ways
select a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone
from accounts.address a
where a.address_id = $2
    and (a.user_id = $1 or a.user_id in (select guest_id from accounts.claimed where user_id = $1));

-- name: claimed_method
select payment_method_id, token from accounts.payment_method
where payment_method_id = $2
    and (user_id = $1 or user_id in (select guest_id from accounts.claimed where user_id = $1));
