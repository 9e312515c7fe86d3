-- Authorization requests that clients have pushed (RFC 9126). Distribution column: id.
create table pushed_request (
    id text primary key,
    secret_hash text not null,
    client_id text not null,
    request blob not null,
    expires_at integer not null,
    used_at integer
);
create index pushed_request_expiry on pushed_request (expires_at);
