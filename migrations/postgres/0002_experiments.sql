create table experiments (
    id bigint generated always as identity primary key,
    user_id bigint not null references users (id),
    name text not null,
    description text not null,
    microscope_type text not null,
    workflow_type text not null,
    plate_format bigint not null,
    plate_acquisition_mode text not null,
    -- Null until the pyramid step has run.
    pyramid_height bigint,
    pyramid_width bigint,
    pyramid_depth bigint,
    vertical_site_displacement bigint not null,
    horizontal_site_displacement bigint not null,
    well_spacer_size bigint not null,
    -- JSON; null until a client stores one.
    workflow_description text,
    created_at bigint not null,
    updated_at bigint not null,
    unique (user_id, name)
);

create table experiment_shares (
    id bigint generated always as identity primary key,
    experiment_id bigint not null references experiments (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    write_access boolean not null,
    unique (experiment_id, user_id)
);
create index experiment_shares_user on experiment_shares (user_id);
