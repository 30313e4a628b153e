-- name: try_lock(lock)
select pg_try_advisory_lock(:lock);

-- name: unlock(lock)
select pg_advisory_unlock(:lock);

-- name: has_schema(name)
select exists (select from pg_namespace where nspname = :name);

-- name: recorded
select service, number, name, checksum from migrations.applied;

-- name: record(service, number, name, checksum)
insert into migrations.applied (service, number, name, checksum)
values (:service, :number, :name, :checksum);

-- name: has_role(role)
select exists (select from pg_roles where rolname = :role);
