-- A job belongs to whoever holds its lease. `epoch` counts the claims, so that a worker who comes too late
-- is known by an old number; `lease_until` is null while nobody has the job.
alter table tasks add column epoch bigint not null default 0;
alter table tasks add column lease_until bigint;
