create table wells (
    id integer primary key autoincrement,
    plate_id bigint not null references plates (id) on delete cascade,
    name text not null,
    description text not null,
    unique (plate_id, name)
);

create table sites (
    id integer primary key autoincrement,
    well_id bigint not null references wells (id) on delete cascade,
    y bigint not null,
    x bigint not null,
    height bigint not null,
    width bigint not null,
    unique (well_id, y, x)
);

create table cycles (
    id integer primary key autoincrement,
    experiment_id bigint not null references experiments (id) on delete cascade,
    cycle_index bigint not null,
    unique (experiment_id, cycle_index)
);

create table channels (
    id integer primary key autoincrement,
    experiment_id bigint not null references experiments (id) on delete cascade,
    name text not null,
    wavelength text not null,
    bit_depth bigint not null,
    unique (experiment_id, name)
);

-- One row per plane. Pixels lie in the plate's images at `field`, array position
-- (t_index, c_index, z_index), once `stored` is true.
create table channel_images (
    id integer primary key autoincrement,
    channel_id bigint not null references channels (id) on delete cascade,
    site_id bigint not null references sites (id) on delete cascade,
    cycle_id bigint not null references cycles (id) on delete cascade,
    acquisition_id bigint not null references acquisitions (id) on delete cascade,
    tpoint bigint not null,
    zplane bigint not null,
    field text not null,
    t_index bigint not null,
    c_index bigint not null,
    z_index bigint not null,
    -- JSON list of {file, page}: what the plane is made of; several are projected.
    sources text not null,
    stored boolean not null,
    unique (site_id, channel_id, cycle_id, tpoint, zplane)
);
create index channel_images_channel on channel_images (channel_id, tpoint, zplane);
create index channel_images_acquisition on channel_images (acquisition_id);
create index channel_images_cycle on channel_images (cycle_id);
