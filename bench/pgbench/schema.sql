-- The tables of the limit measurements: one directory user and one audit event as a provisioning write makes them, with
-- the tenant leading every key. Filled with :people users in each of two tenants: one is read, one is written. (The
-- planner takes a tenant without statistics for empty, and any index with its id for equally good: then the write
-- transaction would scan all that it has written.) Run by psql into an empty database.
CREATE TABLE limit_users (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_name text NOT NULL,
    external_id text,
    email text NOT NULL,
    display_name text,
    active boolean NOT NULL,
    resource jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX limit_users_user_name ON limit_users (tenant_id, user_name);
CREATE INDEX limit_users_external_id ON limit_users (tenant_id, external_id);
CREATE TABLE limit_audit (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    detail jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
INSERT INTO limit_users (tenant_id, id, user_name, external_id, email, display_name, active, resource)
SELECT tenant, gen_random_uuid(), 'user.' || n, '00u' || n, 'user.' || n || '@bench.example', 'Ada Byron', true,
       jsonb_build_object('userName', 'user.' || n, 'name', jsonb_build_object('givenName', 'Ada', 'familyName', 'Byron'), 'locale', 'en-US',
                          'emails', jsonb_build_array(jsonb_build_object('value', 'user.' || n || '@bench.example', 'primary', true, 'type', 'work')))
FROM generate_series(1, :people) AS n,
     unnest(ARRAY['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002']::uuid[]) AS tenant;
VACUUM ANALYZE limit_users;
