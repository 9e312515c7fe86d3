-- A case. Its form, the plugin's data and the line shown are sealed. Distribution column: number.
create table hall_case (
    number text primary key,
    item text not null,
    plugin text not null,
    machine text not null,
    subject text not null,
    person_id text,
    transaction_id text not null,
    lang text not null,
    state text not null,
    seq bigint not null,
    state_version bigint not null,
    plugin_version text not null,
    data bytea not null,
    form bytea not null,
    status bytea not null,
    clock bytea not null,
    quote text,
    queue text,
    label text,
    rating bigint,
    signal text,
    promised_due bigint,
    tick_at bigint,
    opened_at bigint not null,
    changed_at bigint not null,
    -- A submission that is sent again is the same case.
    unique (subject, transaction_id)
);
create index hall_case_subject on hall_case (subject, opened_at);
create index hall_case_state on hall_case (state, opened_at);
create index hall_case_tick on hall_case (tick_at) where tick_at is not null;
create index hall_case_signal on hall_case (signal) where signal is not null;

-- What happened to a case, in order; also its timeline. Distribution column: number.
create table case_event (
    number text not null,
    seq bigint not null,
    kind text not null,
    at bigint not null,
    actor text not null,
    payload bytea not null,
    source text,
    source_id text,
    primary key (number, seq),
    unique (source, source_id)
);
-- What the host answered to the plugin during one event. Distribution column: number.
create table case_call (
    number text not null,
    seq bigint not null,
    n bigint not null,
    function text not null,
    record bytea not null,
    primary key (number, seq, n)
);

-- What waits to be applied to a case: notices, answers of counterparts, turns of plugins.
-- Distribution column: id.
create table hall_inbox (
    id text primary key,
    source text not null,
    source_id text not null,
    number text not null,
    kind text not null,
    payload bytea not null,
    state text not null,
    tries bigint not null default 0,
    next_at bigint not null,
    created_at bigint not null,
    unique (source, source_id)
);
create index hall_inbox_due on hall_inbox (next_at) where state = 'waiting';

-- Orders of payment: one an attempt. Distribution column: order_id.
create table payment_order (
    order_id text primary key,
    number text not null,
    seq bigint not null,
    attempt bigint not null,
    minor bigint not null,
    currency text not null,
    txn_time text not null,
    state text not null,
    query_id text,
    created_at bigint not null,
    changed_at bigint not null,
    unique (number, seq, attempt)
);
create index payment_order_case on payment_order (number);

-- Double entry. Each kind of entry stands once an order. Distribution column: order_id.
create table ledger_entry (
    id text primary key,
    order_id text not null,
    number text not null,
    kind text not null,
    at bigint not null,
    unique (order_id, kind)
);
create table ledger_posting (
    entry_id text not null,
    account text not null,
    minor bigint not null,
    currency text not null,
    primary key (entry_id, account)
);
create index ledger_posting_account on ledger_posting (account);

-- Documents of the plugins' own stores, with versions. Distribution column: plugin.
create table plugin_document (
    plugin text not null,
    collection text not null,
    id text not null,
    version bigint not null,
    body bytea not null,
    primary key (plugin, collection, id)
);
-- Documents that a case has issued. Distribution column: number.
create table issued_document (
    id text primary key,
    number text not null,
    template text not null,
    document_number bytea not null,
    body bytea not null,
    at bigint not null
);
create index issued_document_case on issued_document (number);

-- Uploads, of a draft until its case takes them. Distribution column: id.
create table hall_material (
    id text primary key,
    subject text not null,
    item text not null,
    number text,
    name text not null,
    about bytea not null,
    body bytea not null,
    size bigint not null,
    created_at bigint not null
);
create index hall_material_case on hall_material (number) where number is not null;
create index hall_material_draft on hall_material (subject, item) where number is null;

-- Forms not yet handed in. Distribution column: subject.
create table hall_draft (
    subject text not null,
    item text not null,
    transaction_id text not null,
    form bytea not null,
    saved_at bigint not null,
    primary key (subject, item)
);
