-- The image-analysis project of an experiment: what users wrote, checked when it was stored.
create table jterator_projects (
    id integer primary key autoincrement,
    experiment_id bigint not null unique references experiments (id) on delete cascade,
    -- What runs, in which order, and the handles of each module by its name there, JSON.
    pipeline text not null,
    handles text not null,
    updated_at bigint not null
);
