create table plates (
    id integer primary key autoincrement,
    experiment_id bigint not null references experiments (id) on delete cascade,
    name text not null,
    description text not null,
    -- Which generation of the plate's channel images is current; 0 while there is none.
    image_generation bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (experiment_id, name)
);

create table acquisitions (
    id integer primary key autoincrement,
    plate_id bigint not null references plates (id) on delete cascade,
    name text not null,
    description text not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (plate_id, name)
);

-- A file that is both image and metadata has a row of each kind.
create table microscope_files (
    id integer primary key autoincrement,
    acquisition_id bigint not null references acquisitions (id) on delete cascade,
    kind text not null check (kind in ('image', 'metadata')),
    name text not null,
    status text not null check (status in ('WAITING', 'UPLOADING', 'COMPLETE', 'FAILED')),
    -- What metaextract read from the file's headers, as JSON; null before.
    header text,
    created_at bigint not null,
    updated_at bigint not null,
    unique (acquisition_id, kind, name)
);
