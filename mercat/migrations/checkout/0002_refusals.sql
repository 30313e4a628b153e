-- Change: an answer says as values what it came to (confirmed, or the refusal) beside the bytes of it.
-- Previous release: names the columns that it writes and reads, and both new ones may be left out.

alter table checkout.answer add column refusal json;
alter table checkout.answer add column confirmed boolean generated always as (status = 201) virtual;

-- Refusals are kept for a day, so these are few; their bytes stay as they were given.
update checkout.answer a set refusal = json_build_object('type', 'refused', 'code', p.problem ->> 'code',
    'detail', p.problem ->> 'detail', 'facts', p.problem - '{type,title,status,detail,code}'::text[])
from (
    select checkout_id, convert_from(body, 'utf8')::jsonb as problem
    from checkout.answer where status <> 201 and body <> ''
) p where p.checkout_id = a.checkout_id;
