-- A person of the register, at most once (number_index is a keyed blind index; everything that
-- tells who it is lies sealed in record). Distribution column: id.
create table person (
    id text primary key,
    number_index text not null unique,
    record bytea not null,
    proofing bigint not null,
    proofed_at bigint not null,
    status text not null,
    created_at bigint not null
);
-- What proved a fact of a person, and when. Distribution column: person_id.
create table person_evidence (
    person_id text not null,
    kind text not null,
    at bigint not null,
    source text not null,
    level bigint not null,
    primary key (person_id, kind, at)
);

-- One person, one account: the person's id is its key. Distribution column: person_id.
create table account (
    person_id text primary key,
    user_name text unique,
    phone_index text unique,
    phone bytea,
    phone_verified_at bigint,
    email_index text unique,
    email bytea,
    password text not null,
    password_at bigint not null,
    state text not null,
    language text,
    created_at bigint not null
);
-- Devices from which a person has signed in before: throttling never shuts these out
-- (attacks row 27). Distribution column: person_id.
create table device (
    person_id text not null,
    device text not null,
    seen_at bigint not null,
    primary key (person_id, device)
);

-- Registration, recovery and sign-in by SMS under way. Distribution column: id.
create table journey (
    id text primary key,
    secret text not null,
    purpose text not null,
    state text not null,
    phone bytea not null,
    phone_index text not null,
    otp_id text,
    sends bigint not null,
    sent_at bigint not null,
    password text,
    person_id text,
    flow text,
    created_at bigint not null,
    expires_at bigint not null
);
create index journey_expiry on journey (expires_at);

-- One-time codes; code is a keyed digest. Distribution column: id.
create table otp (
    id text primary key,
    code text not null,
    attempts bigint not null,
    used_at bigint,
    expires_at bigint not null
);
create index otp_expiry on otp (expires_at);

-- Counters of tries; key is a keyed digest of what is counted. Distribution column: key.
create table throttle (
    key text primary key,
    tries bigint not null,
    window_end bigint not null
);
create index throttle_expiry on throttle (window_end);

-- Face checks of a step-up. Distribution column: id.
create table face_check (
    id text primary key,
    person_id text not null,
    counterpart_id text,
    state text not null,
    flow text,
    created_at bigint not null,
    expires_at bigint not null
);

-- Officers and administrators. Distribution column: id.
create table staff (
    id text primary key,
    user_name text not null unique,
    name bytea not null,
    role text not null,
    password text not null,
    totp bytea not null,
    totp_step bigint not null,
    state text not null,
    created_at bigint not null
);
-- Staff between password and code. Distribution column: id.
create table staff_pending (
    id text primary key,
    secret text not null,
    staff_id text not null,
    flow text,
    attempts bigint not null,
    expires_at bigint not null
);
