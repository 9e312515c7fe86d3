-- Who is signed in to the hall; the provider's own session is another. Distribution column: id.
create table hall_session (
    id text primary key,
    secret text not null,
    subject text not null,
    sealed bytea not null,
    created_at bigint not null,
    checked_at bigint not null,
    expires_at bigint not null
);
create index hall_session_expiry on hall_session (expires_at);
