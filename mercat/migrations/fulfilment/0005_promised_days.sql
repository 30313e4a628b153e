-- Change: a seller's orders are sorted by the day that was promised, and counted by status.
-- Previous release: does not notice.

-- The day of a delivery as a number; 0 where none was promised.
create function fulfilment.day_number(day text) returns integer
    language sql immutable parallel safe as $$
    select case when day ~ '^\d{4}-\d\d-\d\d' then left(day, 10)::date - date '2000-01-01' else 0 end
$$;
