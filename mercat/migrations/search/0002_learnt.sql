-- Change: what searches learn from clicks and orders is kept, and which of it is served.
-- Previous release: does not know the table.

create table search.learnt (
    learnt_id     bigint           primary key,
    at            timestamptz      not null,
    state         text             not null check (state in ('served', 'former', 'kept_out')),
    why           text             not null,
    searches      integer          not null,
    chosen_before double precision,
    chosen_after  double precision,
    judged_before double precision,
    judged_after  double precision,
    gains         jsonb            not null,
    constraint why_it_is_kept_out check ((state = 'kept_out') = (why <> ''))
);
create unique index learnt_served on search.learnt ((true)) where state = 'served';
