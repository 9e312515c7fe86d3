-- Who is signed in to the hall; the provider's own session is another. Distribution column: id.
create table hall_session (
    id text primary key,
    secret text not null,
    subject text not null,
    sealed blob not null,
    created_at integer not null,
    checked_at integer not null,
    expires_at integer not null
);
create index hall_session_expiry on hall_session (expires_at);
