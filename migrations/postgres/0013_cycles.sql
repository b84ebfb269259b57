-- The sums of a part of a channel's images, while several jobs gather statistics; null for statistics.
alter table illumination_statistics add column part bigint;
create unique index illumination_statistics_part on illumination_statistics (channel_id, part);

-- How far the images of each cycle lie from those of a reference. A set of shifts never changes once it is complete.
create table alignments (
    id bigint generated always as identity primary key,
    experiment_id bigint not null references experiments (id) on delete cascade,
    -- The cycle that the others are moved onto, and the wavelength that was compared.
    cycle_id bigint not null references cycles (id) on delete cascade,
    wavelength text not null,
    complete boolean not null,
    created_at bigint not null
);
create index alignments_experiment on alignments (experiment_id);
create index alignments_cycle on alignments (cycle_id);

-- Pixels to move the images of a site in a cycle down and to the right.
create table site_shifts (
    id bigint generated always as identity primary key,
    alignment_id bigint not null references alignments (id) on delete cascade,
    site_id bigint not null references sites (id) on delete cascade,
    cycle_id bigint not null references cycles (id) on delete cascade,
    y bigint not null,
    x bigint not null,
    -- Null where nothing was measured.
    measured_y double precision,
    measured_x double precision,
    quality double precision,
    threshold double precision,
    -- reference, measured, rejected (not yet replaced), well or plate (the median of that), none.
    source text not null check (source in ('reference', 'measured', 'rejected', 'well', 'plate', 'none')),
    unique (alignment_id, site_id, cycle_id)
);
create index site_shifts_site on site_shifts (site_id);
create index site_shifts_cycle on site_shifts (cycle_id);

-- The shifts that a layer's images are moved by; null when they are not.
alter table channel_layers add column alignment_id bigint references alignments (id);
create index channel_layers_alignment on channel_layers (alignment_id);
