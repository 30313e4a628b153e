-- Change: experiments: two ways side by side, and why one of them ended.
-- Previous release: does not know this table.

create table analytics.experiment (
    experiment_id   bigint      primary key,
    name            text        not null check (length(name) between 1 and 80),
    subject         text        not null check (length(subject) between 1 and 40),
    least_effect    integer     not null check (least_effect between 1 and 100),
    started_at      timestamptz not null,
    stopped_at      timestamptz,
    stopped_because text        not null default '' check (length(stopped_because) <= 300)
);

-- A subject has one experiment at a time.
create unique index experiment_running on analytics.experiment (subject) where stopped_at is null;
