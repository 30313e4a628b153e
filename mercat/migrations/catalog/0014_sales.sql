-- Change: an offer may cost less for a while; what it cost before is kept; a product's document says what it costs at a
-- time and when that changes next.
-- Previous release: names its columns and calls the functions without a time, which know no sales: it goes on asking the
-- regular price. What it changes is kept as well, under the database's time.

alter table catalog.offer
    add column sale_price bigint check (sale_price > 0),
    add column sale_from  timestamptz,
    add column sale_until timestamptz,
    add column priced_at  timestamptz,  -- since when it costs so; null: since it is there
    add column flips_at   timestamptz,  -- when its product is to be told again because a sale begins or ends
    add constraint sale_begins_before_it_ends check (sale_from < sale_until);

-- What offers cost before, each line for as long as nobody changed it.
create table catalog.former_price (
    offer_id         bigint      not null references catalog.offer,
    since            timestamptz not null,
    until            timestamptz not null,
    price            bigint      not null,
    compare_at_price bigint,
    sale_price       bigint,
    sale_from        timestamptz,
    sale_until       timestamptz,
    primary key (offer_id, until)
);

-- Whoever changes a price says when (`priced_at`); a release that does not know of it has it said here.
create function catalog.keep_price() returns trigger language plpgsql as $$
begin
    if new.priced_at is not distinct from old.priced_at then
        new.priced_at := now();
    end if;
    if old.price > 0 and old.status in ('active', 'paused') then
        insert into catalog.former_price (offer_id, since, until, price, compare_at_price, sale_price, sale_from, sale_until)
        values (old.offer_id, coalesce(old.priced_at, '-infinity'), new.priced_at, old.price, old.compare_at_price,
            old.sale_price, old.sale_from, old.sale_until)
        on conflict (offer_id, until) do nothing;
    end if;
    new.flips_at := case when new.sale_price is not null then coalesce(new.sale_from, new.sale_until) end;
    return new;
end
$$;
create trigger keep_price before update of price, compare_at_price, sale_price, sale_from, sale_until on catalog.offer
    for each row when ((old.price, old.compare_at_price, old.sale_price, old.sale_from, old.sale_until) is distinct from
        (new.price, new.compare_at_price, new.sale_price, new.sale_from, new.sale_until))
    execute function catalog.keep_price();

create function catalog.first_flip() returns trigger language plpgsql as $$
begin
    new.flips_at := coalesce(new.sale_from, new.sale_until);
    return new;
end
$$;
create trigger first_flip before insert on catalog.offer
    for each row when (new.sale_price is not null) execute function catalog.first_flip();

-- What is paid at a time. The same rule is `priced` in mercat/catalog/rules.py; a test holds them together.
create function catalog.price_at(o catalog.offer, at timestamptz) returns bigint
    language sql immutable as $$
    select case when o.sale_price < o.price and at >= coalesce(o.sale_from, at) and at < coalesce(o.sale_until, 'infinity')
        then o.sale_price else o.price end
$$;

-- What it cost before: the regular price during a sale, else the price it is compared with; null where that is not more.
create function catalog.was_price_at(o catalog.offer, at timestamptz) returns bigint
    language sql immutable as $$
    select case when catalog.price_at(o, at) < o.price then o.price
        when o.compare_at_price > o.price then o.compare_at_price end
$$;

create function catalog.sale_of(o catalog.offer) returns jsonb
    language sql immutable as $$
    select case when o.sale_price is not null
        then jsonb_build_object('price', o.sale_price, 'begins_at', o.sale_from, 'ends_at', o.sale_until) end
$$;

-- The lowest price of the thirty days before the reduction that is shown at a time began (Directive 98/6/EC, article 6a);
-- where there was none before, what is paid now. Null where no reduction is shown.
create function catalog.lowest_price_at(o catalog.offer, at timestamptz) returns bigint
    language sql stable as $$
    select case when catalog.was_price_at(o, at) is not null then coalesce(min(seen.price), catalog.price_at(o, at)) end
    from (
        select greatest(case when catalog.price_at(o, at) < o.price then o.sale_from end, coalesce((
            select max(f.until) from catalog.former_price f where f.offer_id = o.offer_id
                and case when catalog.price_at(o, at) < o.price then f.sale_price is distinct from o.sale_price
                    else f.price <> o.price end), '-infinity')) as first
    ) began
    cross join lateral (
        select f.price, f.sale_price, f.sale_from, f.sale_until, greatest(f.since, began.first - interval '30 days') as a,
            least(f.until, began.first) as b
        from catalog.former_price f where f.offer_id = o.offer_id and f.until > began.first - interval '30 days'
        union all
        select o.price, o.sale_price, o.sale_from, o.sale_until,
            greatest(coalesce(o.priced_at, '-infinity'), began.first - interval '30 days'), began.first
    ) held
    cross join lateral (values
        (held.price, not coalesce(held.sale_price < held.price and coalesce(held.sale_from, '-infinity') <= held.a
            and coalesce(held.sale_until, 'infinity') >= held.b, false)),
        (held.sale_price, coalesce(held.sale_price < held.price and coalesce(held.sale_from, '-infinity') < held.b
            and coalesce(held.sale_until, 'infinity') > held.a, false))
    ) seen (price, was_asked)
    where held.a < held.b and seen.was_asked
$$;

create function catalog.featured(product bigint, at timestamptz) returns catalog.offer
    language sql stable as $$
    select o.* from catalog.offer o where o.product_id = product and o.status = 'active'
        and not catalog.is_closed(o.seller_id) and not catalog.is_hidden(product)
    order by not o.in_stock, o.condition <> 'new', catalog.price_at(o, at), o.offer_id limit 1
$$;

-- What a product costs from the next times on at which a sale of it begins or ends.
create function catalog.coming_prices(product bigint, at timestamptz) returns jsonb
    language sql stable as $$
    select coalesce(jsonb_agg(jsonb_build_object('at', next.at, 'price', catalog.price_at(f, next.at),
        'was_price', catalog.was_price_at(f, next.at)) order by next.at), '[]')
    from (
        select distinct t.at from catalog.offer o cross join lateral (values (o.sale_from), (o.sale_until)) as t (at)
        where o.product_id = product and o.status = 'active' and o.sale_price < o.price and t.at > coming_prices.at
        order by 1 limit 4
    ) next
    cross join lateral catalog.featured(product, next.at) f
    where f.offer_id is not null
$$;

-- A product as the fact of its change carries it, as of a time; null where nothing of it is for sale.
create function catalog.document(p catalog.product, at timestamptz) returns jsonb
    language sql stable as $$
    select jsonb_build_object(
        'product_id', p.product_id, 'offer_id', o.offer_id, 'seller_id', o.seller_id, 'seller_name', o.seller_name,
        'title', p.title, 'description', p.description, 'price', catalog.price_at(o, document.at),
        'was_price', catalog.was_price_at(o, document.at), 'coming_prices', catalog.coming_prices(p.product_id, document.at),
        'currency', o.currency, 'created_at', p.created_at, 'external_id', p.external_id, 'brand', p.brand,
        'category', c.slug, 'categories', c.slugs, 'category_names', c.names, 'tags', p.tags,
        'attributes', p.attributes, 'options', p.options, 'rating', p.rating, 'review_count', p.review_count,
        'image_url', coalesce(p.images -> 0 ->> 'url', ''), 'in_stock', o.in_stock, 'popularity', p.popularity,
        'codes', catalog.codes(p.product_id))
    from catalog.featured(p.product_id, document.at) o, catalog.category c
    where o.offer_id is not null and c.category_id = p.category_id
$$;
