-- How often a job failed since its step was planned, and why it did the last time.
alter table tasks add column failures bigint not null default 0;
alter table tasks add column reason text;
