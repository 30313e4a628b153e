-- Change: an import can be put back.
-- Previous release: leaves imports that are to be put back alone.

alter table sellers.import drop constraint import_status_check;
alter table sellers.import
    add constraint import_status_check
        check (status in ('queued', 'running', 'done', 'failed', 'undoing', 'undone')),
    add column undone jsonb;
drop index sellers.import_waiting;
create index import_waiting on sellers.import (import_id) where status in ('queued', 'running', 'undoing');
