-- A person of the register, at most once (number_index is a keyed blind index; everything that
-- tells who it is lies sealed in record). Distribution column: id.
create table person (
    id text primary key,
    number_index text not null unique,
    record blob not null,
    proofing integer not null,
    proofed_at integer not null,
    status text not null,
    created_at integer not null
);
-- What proved a fact of a person, and when. Distribution column: person_id.
create table person_evidence (
    person_id text not null,
    kind text not null,
    at integer not null,
    source text not null,
    level integer not null,
    primary key (person_id, kind, at)
);

-- One person, one account: the person's id is its key. Distribution column: person_id.
create table account (
    person_id text primary key,
    user_name text unique,
    phone_index text unique,
    phone blob,
    phone_verified_at integer,
    email_index text unique,
    email blob,
    password text not null,
    password_at integer not null,
    state text not null,
    language text,
    created_at integer not null
);
-- Devices from which a person has signed in before: throttling never shuts these out
-- (attacks row 27). Distribution column: person_id.
create table device (
    person_id text not null,
    device text not null,
    seen_at integer not null,
    primary key (person_id, device)
);

-- Registration, recovery and sign-in by SMS under way. Distribution column: id.
create table journey (
    id text primary key,
    secret text not null,
    purpose text not null,
    state text not null,
    phone blob not null,
    phone_index text not null,
    otp_id text,
    sends integer not null,
    sent_at integer not null,
    password text,
    person_id text,
    flow text,
    created_at integer not null,
    expires_at integer not null
);
create index journey_expiry on journey (expires_at);

-- One-time codes; code is a keyed digest. Distribution column: id.
create table otp (
    id text primary key,
    code text not null,
    attempts integer not null,
    used_at integer,
    expires_at integer not null
);
create index otp_expiry on otp (expires_at);

-- Counters of tries; key is a keyed digest of what is counted. Distribution column: key.
create table throttle (
    key text primary key,
    tries integer not null,
    window_end integer not null
);
create index throttle_expiry on throttle (window_end);

-- Face checks of a step-up. Distribution column: id.
create table face_check (
    id text primary key,
    person_id text not null,
    counterpart_id text,
    state text not null,
    flow text,
    created_at integer not null,
    expires_at integer not null
);

-- Officers and administrators. Distribution column: id.
create table staff (
    id text primary key,
    user_name text not null unique,
    name blob not null,
    role text not null,
    password text not null,
    totp blob not null,
    totp_step integer not null,
    state text not null,
    created_at integer not null
);
-- Staff between password and code. Distribution column: id.
create table staff_pending (
    id text primary key,
    secret text not null,
    staff_id text not null,
    flow text,
    attempts integer not null,
    expires_at integer not null
);
