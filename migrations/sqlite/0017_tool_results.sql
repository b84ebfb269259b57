-- What data-analysis tools found out about the objects of a type.
create table tool_results (
    id integer primary key autoincrement,
    mapobject_type_id bigint not null references mapobject_types (id) on delete cascade,
    -- The submission that made it; kept when that is gone.
    submission_id bigint references submissions (id) on delete set null,
    name text not null,
    tool_name text not null,
    -- How it is shown, such as `ScalarToolResult`, and what is needed for that, JSON.
    type text not null,
    attributes text not null,
    -- Goes up with every change of its labels: tiles of another version are others.
    version bigint not null,
    created_at bigint not null,
    unique (mapobject_type_id, name)
);
create index tool_results_submission on tool_results (submission_id);

-- The labels of a site's objects at a time point: a tile reads those of its sites, a tool writes a row per site.
create table label_values (
    id integer primary key autoincrement,
    tool_result_id bigint not null references tool_results (id) on delete cascade,
    site_id bigint not null references sites (id) on delete cascade,
    tpoint bigint not null,
    -- Ids of objects, ascending, and a number for each, packed.
    labels blob not null,
    unique (tool_result_id, site_id, tpoint)
);
create index label_values_site on label_values (site_id);
