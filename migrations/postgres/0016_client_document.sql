-- Clients whose registration is the document at their client_id: when it was read, milliseconds
-- UTC, and until when it need not be read again. What it said stands in client.
-- Distribution column: client_id.
create table client_document (
    client_id text primary key,
    -- 0: the operator has disabled the client before it was ever read.
    fetched_at bigint not null,
    expires_at bigint not null
);
create index client_document_expiry on client_document (expires_at);
