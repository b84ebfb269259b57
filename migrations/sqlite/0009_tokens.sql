-- Tokens of another generation than the user's are revoked.
alter table users add column token_generation bigint not null default 0;
