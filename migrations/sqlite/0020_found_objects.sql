-- Objects that the analysis pipeline finds: it replaces them, and no others.
alter table mapobject_types add column found boolean not null default false;
-- Objects of which only the position is kept.
alter table mapobject_types add column points_only boolean not null default false;

-- Objects of one type that lie in objects of another, at the same site.
create table mapobject_parents (
    id integer primary key autoincrement,
    mapobject_id bigint not null references mapobjects (id) on delete cascade,
    parent_id bigint not null references mapobjects (id) on delete cascade,
    unique (mapobject_id, parent_id)
);
create index mapobject_parents_parent on mapobject_parents (parent_id);

-- The project as it was when its last run began: what its jobs work by, whatever becomes of the project meanwhile.
create table jterator_runs (
    id integer primary key autoincrement,
    experiment_id bigint not null unique references experiments (id) on delete cascade,
    pipeline text not null,
    handles text not null
);

-- Sites at which the pipeline failed when it ran last, and why.
create table failed_sites (
    id integer primary key autoincrement,
    site_id bigint not null unique references sites (id) on delete cascade,
    reason text not null
);
