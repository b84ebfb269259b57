-- Kinds of objects on the map, such as `Cells`.
create table mapobject_types (
    id bigint generated always as identity primary key,
    experiment_id bigint not null references experiments (id) on delete cascade,
    name text not null,
    -- What its objects lie in or are: `Plate`, `Well` or `Site`.
    ref_type text not null check (ref_type in ('Plate', 'Well', 'Site')),
    unique (experiment_id, name)
);

create table segmentation_layers (
    id bigint generated always as identity primary key,
    mapobject_type_id bigint not null references mapobject_types (id) on delete cascade,
    -- Null where the objects are the same at all time points or focal planes.
    tpoint bigint,
    zplane bigint,
    -- Zoom levels from which outlines and centroids are shown; null shows outlines at all of them.
    polygon_threshold bigint,
    centroid_threshold bigint
);
-- A plain constraint would take every null for another value.
create unique index segmentation_layers_plane
    on segmentation_layers (mapobject_type_id, coalesce(tpoint, -1), coalesce(zplane, -1));
