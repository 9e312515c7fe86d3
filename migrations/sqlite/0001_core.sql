-- The citizen's audit trail: one hash chain a person. Distribution column: person_id.
create table audit_line (
    person_id text not null,
    n integer not null,
    at integer not null,
    kind text not null,
    actor text not null,
    details blob not null,
    salted text not null,
    previous text not null,
    hash text not null,
    primary key (person_id, n)
);
-- The newest line of each chain under a code of its own, so that a cut tail shows.
create table audit_head (
    person_id text primary key,
    n integer not null,
    hash text not null,
    mac text not null
);

-- Effects on their way outside. Distribution column: id.
create table outbox (
    id text primary key,
    key text not null unique,
    interface text not null,
    subject text,
    arguments blob not null,
    fingerprint text not null,
    state text not null,
    attempts integer not null default 0,
    next_at integer not null,
    lease_until integer not null default 0,
    answer blob,
    problem text,
    created_at integer not null,
    settled_at integer
);
create index outbox_due on outbox (next_at) where state in ('pending', 'sending', 'unknown');
