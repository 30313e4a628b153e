-- Change: what an import changes is noted with what stood before, so that it can be put back.
-- Previous release: imports without noting anything; that cannot be put back.

-- Of each row the fields that are other now: as they were, and as the import left them.
create table catalog.import_change (
    import_id bigint not null,
    kind      text   not null check (kind in ('offer', 'product', 'sku')),
    id        bigint not null,
    before    jsonb  not null,
    after     jsonb  not null,
    undone    text check (undone in ('back', 'partly', 'left')),  -- once it was tried
    primary key (import_id, kind, id)
);

-- The members of one object that another has not, or has otherwise.
create function catalog.differing(one jsonb, other jsonb) returns jsonb
    language sql immutable parallel safe as $$
    select coalesce(jsonb_object_agg(m.key, m.value), '{}')
    from jsonb_each(one) m where other -> m.key is distinct from m.value
$$;

-- What of a row may be put back: the members that nobody has changed since.
create function catalog.unchanged_since(now jsonb, before jsonb, after jsonb) returns jsonb
    language sql immutable parallel safe as $$
    select coalesce(jsonb_object_agg(m.key, m.value), '{}')
    from jsonb_each(before) m where now -> m.key is not distinct from after -> m.key
$$;

-- The sale that a seller made of an offer; it waits while a flash sale lasts.
create function catalog.own_sale_of(o catalog.offer) returns jsonb
    language sql stable as $$
    select case when o.flash is null then catalog.sale_of(o) else o.own_sale end
$$;

-- What of an offer an import may change. A sale is one member: it is put back whole.
create function catalog.undoable(o catalog.offer) returns jsonb
    language sql stable as $$
    select jsonb_build_object('price', o.price, 'compare_at_price', o.compare_at_price, 'sale', catalog.own_sale_of(o),
        'currency', o.currency, 'sku', o.sku, 'status', o.status, 'by_hand', o.by_hand)
$$;
