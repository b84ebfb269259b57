create table submissions (
    id integer primary key autoincrement,
    experiment_id bigint not null references experiments (id) on delete cascade,
    user_id bigint not null references users (id),
    program text not null,
    -- The description as submitted, JSON.
    description text not null,
    created_at bigint not null
);
create index submissions_experiment on submissions (experiment_id, program);

-- The task tree: workflow, stages, steps, phases, jobs.
create table tasks (
    id integer primary key autoincrement,
    submission_id bigint not null references submissions (id) on delete cascade,
    parent_id bigint references tasks (id) on delete cascade,
    name text not null,
    type text not null,
    state text not null,
    exitcode bigint,
    -- What a job does, JSON; null for collections.
    job text,
    -- Microseconds and megabytes that a job used; null until it ended.
    wall_time bigint,
    cpu_time bigint,
    memory bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index tasks_submission on tasks (submission_id);
create index tasks_parent on tasks (parent_id);
