-- Partners. Distribution column: client_id.
create table client (
    client_id text primary key,
    registration text not null,
    secret_hash text,
    created_at bigint not null,
    updated_at bigint not null
);

-- Signing keys, sealed. States: active, retired (verifies, does not sign), revoked.
create table signing_key (
    kid text primary key,
    algorithm text not null,
    private bytea not null,
    state text not null,
    created_at bigint not null
);

-- Sessions. Distribution column: id; the person's list goes through the index.
create table session (
    id text primary key,
    secret_hash text not null,
    kind text not null,
    person_id text not null,
    auth_time bigint not null,
    auth_level bigint not null,
    amr text not null,
    device bytea not null,
    created_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null,
    ended_at bigint
);
create index session_person on session (person_id);
create index session_expiry on session (expires_at);

-- Authorization requests that wait for a person. Distribution column: id.
create table flow (
    id text primary key,
    browser_hash text not null,
    client_id text not null,
    request bytea not null,
    created_at bigint not null,
    expires_at bigint not null,
    -- Who allowed it in this flow: another person who signs in later has not.
    consented text,
    denied text,
    answered_at bigint
);
create index flow_expiry on flow (expires_at);

-- What a person allowed a partner to learn. Distribution column: person_id.
create table consent (
    person_id text not null,
    client_id text not null,
    scope text not null,
    claims text not null,
    client_name text not null,
    granted_at bigint not null,
    withdrawn_at bigint,
    primary key (person_id, client_id)
);

-- What came from one authorization: codes and refresh tokens hang on it. Distribution column: id.
create table issued_grant (
    id text primary key,
    client_id text not null,
    person_id text not null,
    kind text not null,
    session_id text,
    -- 1: outlives the session (offline_access).
    offline bigint not null,
    detail text not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint
);
create index issued_grant_person on issued_grant (person_id);
create index issued_grant_session on issued_grant (session_id);
create index issued_grant_expiry on issued_grant (expires_at);

create table code (
    id text primary key,
    secret_hash text not null,
    grant_id text not null,
    client_id text not null,
    redirect_uri text,
    challenge text,
    nonce text,
    expires_at bigint not null,
    used_at bigint
);
create index code_expiry on code (expires_at);

-- A family of refresh tokens: one row, however often it rotates. The id stands in every token of
-- the family; the digest before the last rotation tells a retry from a reuse.
-- Distribution column: id.
create table refresh_token (
    id text primary key,
    secret_hash text not null,
    previous_hash text,
    grant_id text not null,
    created_at bigint not null,
    rotated_at bigint not null,
    expires_at bigint not null
);
create index refresh_token_grant on refresh_token (grant_id);
create index refresh_token_expiry on refresh_token (expires_at);

-- Access tokens revoked one by one, until they would have expired.
create table revoked_token (
    jti text primary key,
    expires_at bigint not null
);
create index revoked_token_expiry on revoked_token (expires_at);

-- Client assertions that were used (RFC 7523 §3, item 7).
create table used_assertion (
    client_id text not null,
    jti text not null,
    expires_at bigint not null,
    primary key (client_id, jti)
);
create index used_assertion_expiry on used_assertion (expires_at);

-- Whose pairwise subject is whose. Distribution column: sector with subject.
create table subject (
    sector text not null,
    sub text not null,
    person_id text not null,
    created_at bigint not null,
    primary key (sector, sub)
);
create index subject_person on subject (person_id);
