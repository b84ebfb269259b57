create table users (
    id bigint generated always as identity primary key,
    name text not null unique,
    email text not null unique,
    password_hash text not null,
    created_at bigint not null,
    updated_at bigint not null
);
