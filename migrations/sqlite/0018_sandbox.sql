-- Partners that the sandbox's console registered: whose they are, and until when they live.
-- Distribution column: project.
create table sandbox_client (
    client_id text primary key,
    -- Digest of the secret in its developer's cookie.
    project text not null,
    created_at integer not null,
    expires_at integer not null
);
create index sandbox_client_project on sandbox_client (project);
create index sandbox_client_expiry on sandbox_client (expires_at);
