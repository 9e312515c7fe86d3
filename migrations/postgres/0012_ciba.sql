-- Requests over the back channel (CIBA), from the client's request to its tokens.
-- Distribution column: id; a person's own list goes through the index.
create table backchannel_request (
    id text primary key,
    secret_hash text not null,
    client_id text not null,
    -- Whom it means; empty for a hint that means nobody: the client is not told (attacks row 29).
    person_id text not null,
    -- Scope, levels, message, and with what a ping authenticates; sealed.
    asked bytea not null,
    -- waiting, allowed, denied, used
    state text not null,
    grant_id text,
    -- Milliseconds between two questions of the client.
    pace bigint not null,
    asked_at bigint not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index backchannel_request_person on backchannel_request (person_id);
create index backchannel_request_expiry on backchannel_request (expires_at);
