-- One row: which database this is. The data directory holds the same text, so that neither is used with another's.
create table identity (
    id integer primary key autoincrement,
    -- Always true, so that there is one row.
    sole boolean not null unique,
    text text not null
);
