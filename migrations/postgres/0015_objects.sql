-- Objects: what was found in images or uploaded, and the plates, wells and sites themselves.
create table mapobjects (
    id bigint generated always as identity primary key,
    mapobject_type_id bigint not null references mapobject_types (id) on delete cascade,
    -- What the object is, or lies in: one of the three.
    plate_id bigint references plates (id) on delete cascade,
    well_id bigint references wells (id) on delete cascade,
    site_id bigint references sites (id) on delete cascade,
    -- The number it has in label images of its site; null for plates, wells and sites.
    label bigint,
    unique (mapobject_type_id, site_id, label)
);
create index mapobjects_plate on mapobjects (plate_id);
create index mapobjects_well on mapobjects (well_id);
create index mapobjects_site on mapobjects (site_id);

-- The shape of an object at one time point and focal plane, in pixels of its site, not aligned.
create table segmentations (
    id bigint generated always as identity primary key,
    segmentation_layer_id bigint not null references segmentation_layers (id) on delete cascade,
    site_id bigint not null references sites (id) on delete cascade,
    mapobject_id bigint not null references mapobjects (id) on delete cascade,
    -- Bounding box: pixels from min to before max.
    min_y bigint not null,
    min_x bigint not null,
    max_y bigint not null,
    max_x bigint not null,
    centroid_y double precision not null,
    centroid_x double precision not null,
    -- Whether it touches the edge of its site.
    is_border boolean not null,
    -- Its rings, packed; null where only its position is known.
    outline bytea,
    unique (mapobject_id, segmentation_layer_id)
);
-- Ends in the object, so that those of a site can be read in order and piece by piece.
create index segmentations_site on segmentations (segmentation_layer_id, site_id, mapobject_id);
create index segmentations_of_site on segmentations (site_id);

-- Goes up with every change of what the layer shows: tiles of another version are others.
alter table segmentation_layers add column version bigint not null default 0;
