-- Device authorizations (RFC 8628), from the device's request to its tokens. Distribution column: id.
create table device_authorization (
    id text primary key,
    secret_hash text not null,
    -- Keyed digest of the code that the person types.
    user_code text not null unique,
    client_id text not null,
    -- What the device asked for, and from where; sealed.
    asked bytea not null,
    -- waiting, allowed, denied, used
    state text not null,
    grant_id text,
    -- Milliseconds between two questions of the device.
    pace bigint not null,
    asked_at bigint not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index device_authorization_expiry on device_authorization (expires_at);

-- The person who chose, in this flow, to go on with the account that is signed in.
alter table flow add column chosen text;
