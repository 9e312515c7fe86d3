-- Set while the operator keeps a partner out; nothing but the operator's command lifts it.
alter table client add column disabled_at bigint;

-- Partners that registered themselves, with the digest of what they manage themselves by
-- (RFC 7592). Distribution column: client_id.
create table client_management (
    client_id text primary key,
    secret_hash text not null,
    -- 1: somebody had an initial access token of the operator's.
    vouched bigint not null,
    created_at bigint not null
);

-- Initial access tokens (RFC 7591 §1.2): each registers so many partners until it expires.
-- Distribution column: id.
create table initial_access_token (
    id text primary key,
    secret_hash text not null,
    uses bigint not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index initial_access_token_expiry on initial_access_token (expires_at);
