-- name: open(user_id, email, name, password, roles)
with opened as (
    insert into accounts.person (user_id, email, name, password, roles)
    values (:user_id, :email, :name, :password, :roles)
    on conflict (lower(email)) do nothing
    returning user_id, email, name
)
select user_id, events.tell('AccountOpened', jsonb_build_object('event', 'AccountOpened', 'user_id', user_id,
    'email', email, 'name', name)) as told
from opened;

-- name: by_email(email)
select user_id, email, name, password, roles, seller_id from accounts.person where lower(email) = lower(:email);

-- name: by_id(user_id)
select user_id, email, name, password, roles, seller_id from accounts.person where user_id = :user_id;

-- name: claim(guest_id, user_id)
insert into accounts.claimed (guest_id, user_id) values (:guest_id, :user_id) on conflict do nothing;

-- name: was_claimed(guest_id)
select exists (select from accounts.claimed where guest_id = :guest_id);

-- name: guests_of(user_id)
select guest_id from accounts.claimed where user_id = :user_id order by guest_id;

-- name: grant(user_id, role, seller_id)
update accounts.person
set roles = case when :role = any (roles) then roles else roles || :role end, seller_id = coalesce(:seller_id,
    seller_id)
where user_id = :user_id
returning user_id, email, name, roles, seller_id;

-- name: set_operator(email, given)
update accounts.person
set roles = case when :given then array_remove(roles, 'operator') || 'operator'::text
    else array_remove(roles, 'operator') end
where lower(email) = lower(:email)
returning user_id, email, name, roles, seller_id;

-- name: add_addresses(user_ids, address_ids, names, line1s, line2s, cities, regions, postal_codes, countries, phones)
insert into accounts.address (user_id, address_id, name, line1, line2, city, region, postal_code, country, phone)
select u, a, n, l1, l2, c, r, p, co, ph
from (
    select *, row_number() over (partition by u order by a) as nth
    from unnest(:user_ids::bigint[], :address_ids::bigint[], :names::text[], :line1s::text[], :line2s::text[],
        :cities::text[], :regions::text[], :postal_codes::text[],
        :countries::text[], :phones::text[]) as x (u, a, n, l1, l2, c, r, p, co, ph)
) as asked
where (select count(*) from accounts.address b where b.user_id = u) + nth <= 50
returning address_id;

-- name: addresses(user_id)
select address_id, name, line1, line2, city, region, postal_code, country, phone
from accounts.address
where user_id = :user_id or user_id in (select guest_id from accounts.claimed where user_id = :user_id)
order by address_id;

-- name: add_payment_methods(user_ids, method_ids, tokens, brands, last4s, once_flags)
insert into accounts.payment_method (user_id, payment_method_id, token, brand, last4, once)
select u, p, t, b, l, o
from (
    select *, row_number() over (partition by u, o order by p) as nth
    from unnest(:user_ids::bigint[], :method_ids::bigint[], :tokens::text[], :brands::text[], :last4s::text[],
        :once_flags::boolean[]) as x (u, p, t, b, l, o)
) as asked
where o or (select count(*) from accounts.payment_method m where m.user_id = u and not m.once) + nth <= 50
returning payment_method_id;

-- name: payment_methods(user_id)
select payment_method_id, token, brand, last4 from accounts.payment_method
where not once and (user_id = :user_id or user_id in (select guest_id from accounts.claimed where user_id = :user_id))
order by payment_method_id;

-- name: addresses_and_cards(user_ids, address_ids, method_ids)
-- Where it goes and how it is paid, for many people at once; what is another's is not there.
select k.n::int, a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone,
    m.payment_method_id, m.token
from unnest(:user_ids::bigint[], :address_ids::bigint[], :method_ids::bigint[]) with ordinality as k (user_id,
    address_id, method_id, n)
left join accounts.address a on a.user_id = k.user_id and a.address_id = k.address_id
left join accounts.payment_method m on m.user_id = k.user_id and m.payment_method_id = k.method_id;

-- name: own_address(user_id, address_id)
select a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone
from accounts.address a
where a.address_id = :address_id
    and (a.user_id = :user_id or a.user_id in (select guest_id from accounts.claimed where user_id = :user_id));

-- name: own_payment_method(user_id, payment_method_id)
select payment_method_id, token from accounts.payment_method
where payment_method_id = :payment_method_id
    and (user_id = :user_id or user_id in (select guest_id from accounts.claimed where user_id = :user_id));
