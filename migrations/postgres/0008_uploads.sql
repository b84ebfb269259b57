-- `epoch` counts the uploads of a file that were begun, so that one that was taken over is known by an old
-- number; `size` in bytes is null until the file is stored.
alter table microscope_files add column epoch bigint not null default 0;
alter table microscope_files add column size bigint;
