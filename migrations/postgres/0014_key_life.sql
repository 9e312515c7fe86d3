-- The life of a key in times, from which every node reads the same state without being told.
-- From when it signs, or from when others are told to encrypt to it; it is known before.
alter table signing_key add column signs_from bigint not null default 0;
-- When its successor takes over, or it was revoked; null at the newest key of an algorithm.
alter table signing_key add column signs_until bigint;
-- The public half as JWK, once the private half is erased.
alter table signing_key add column public text;
update signing_key set signs_from = created_at;
update signing_key set signs_until = coalesce((
    select min(later.created_at) from signing_key later
    where later.algorithm = signing_key.algorithm and later.state <> 'revoked'
      and (later.created_at > signing_key.created_at
           or (later.created_at = signing_key.created_at and later.kid > signing_key.kid))
), created_at)
where state <> 'active' or exists (
    select 1 from signing_key later
    where later.algorithm = signing_key.algorithm and later.state = 'active'
      and (later.created_at > signing_key.created_at
           or (later.created_at = signing_key.created_at and later.kid > signing_key.kid))
);
-- Of several nodes that rotate at once, one does.
create unique index signing_key_newest on signing_key (algorithm) where signs_until is null;
