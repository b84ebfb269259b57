-- A set of statistics is a directory named `file`; it never changes once its row exists.
create table illumination_statistics (
    id integer primary key autoincrement,
    channel_id bigint not null references channels (id) on delete cascade,
    file text not null unique,
    images bigint not null,
    created_at bigint not null
);
create index illumination_statistics_channel on illumination_statistics (channel_id);

create table channel_layers (
    id integer primary key autoincrement,
    channel_id bigint not null references channels (id) on delete cascade,
    tpoint bigint not null,
    zplane bigint not null,
    min_intensity bigint not null,
    max_intensity bigint not null,
    -- The statistics its pixels are corrected with; null when they are not.
    statistics_id bigint references illumination_statistics (id),
    unique (channel_id, tpoint, zplane)
);
create index channel_layers_statistics on channel_layers (statistics_id);
