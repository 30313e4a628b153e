-- Change: an import is undone for pictures too that were fetched into the shop since.
-- Previous release: leaves those as they are, as before.

-- Pictures by the addresses that they were given with: one that was fetched has another since.
create function catalog.as_given(images jsonb) returns jsonb
    language sql immutable parallel safe as $$
    select coalesce(jsonb_agg(i.image - 'source'
        || jsonb_build_object('url', coalesce(nullif(i.image ->> 'source', ''), i.image ->> 'url')) order by i.n), '[]')
    from jsonb_array_elements(images) with ordinality as i (image, n)
$$;

create or replace function catalog.unchanged_since(now jsonb, before jsonb, after jsonb) returns jsonb
    language sql immutable parallel safe as $$
    select coalesce(jsonb_object_agg(m.key, m.value), '{}')
    from jsonb_each(before) m where case when m.key = 'images' and jsonb_typeof(now -> 'images') = 'array'
            and jsonb_typeof(after -> 'images') = 'array'
        then catalog.as_given(now -> 'images') = catalog.as_given(after -> 'images')
        else now -> m.key is not distinct from after -> m.key end
$$;
