-- DPoP proofs that were used (RFC 9449 §11.1), by a keyed hash of key and jti, for the minutes in
-- which they could be used again. Distribution column: id.
create table used_proof (
    id text primary key,
    expires_at integer not null
);
create index used_proof_expiry on used_proof (expires_at);

-- The key to which the refresh tokens of a public client are bound (RFC 9449 §5).
alter table refresh_token add column jkt text;
