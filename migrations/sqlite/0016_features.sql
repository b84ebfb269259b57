-- What is measured of objects of a type.
create table features (
    id integer primary key autoincrement,
    mapobject_type_id bigint not null references mapobject_types (id) on delete cascade,
    name text not null,
    -- False while the first values of it are on their way: then nobody sees it.
    stored boolean not null,
    unique (mapobject_type_id, name)
);

-- Files with feature values, none of which ever changes. What the file of a later generation says of an object
-- counts.
create table feature_files (
    id integer primary key autoincrement,
    mapobject_type_id bigint not null references mapobject_types (id) on delete cascade,
    generation bigint not null,
    -- Length of the file in bytes.
    size bigint not null,
    unique (mapobject_type_id, generation)
);

-- Which rows of a file are about the objects of a site at a time point.
create table feature_rows (
    id integer primary key autoincrement,
    feature_file_id bigint not null references feature_files (id) on delete cascade,
    site_id bigint not null references sites (id) on delete cascade,
    tpoint bigint not null,
    first_row bigint not null,
    row_count bigint not null,
    unique (feature_file_id, site_id, tpoint)
);
create index feature_rows_site on feature_rows (site_id);
