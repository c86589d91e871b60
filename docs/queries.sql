-- Plans of the hot queries on a tenant of 100,000 users among 1,000 tenants, in a database of its own (PostgreSQL 15 or later):
--
--   createdb queries && export DATABASE_URL=postgres://…/queries && rollcall migrate
--   psql "$DATABASE_URL" -qXAt -f docs/queries.sql; dropdb queries
--
-- The login is the one that migrated. The first run fills the database. Statements are prepared and planned generically
-- (`force_generic_plan`): a plan that holds whatever the parameters are, and what Postgres comes to after a few executions
-- on a connection.
-- -v mode=force_custom_plan    the same with the parameters known
-- -v tuned=1                   sets the statistics that docs/queries.md recommends, and keeps them
\set ON_ERROR_STOP on
\if :{?mode}
\else
  \set mode force_generic_plan
\endif
\set tenant '''01900000-0000-7000-8000-000000000001'''
\set source '''01900000-0000-7000-9000-000000000001'''
CREATE FUNCTION pg_temp.id(kind text, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
  RETURN ('01900000-0000-7000-' || kind || '-' || lpad(to_hex(n), 12, '0'))::uuid;
CREATE FUNCTION pg_temp.tenant_of(n bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
  RETURN CASE WHEN n <= 100000 THEN 1 ELSE 2 + (n - 100001) / 100 END;
SET ROLE rollcall_system;
SELECT NOT EXISTS (SELECT FROM tenants) AS empty \gset
\if :empty
BEGIN;

-- 1,000 tenants; the first has 100,000 users, each other one has 100.
INSERT INTO tenants (id, slug, name, seats, policy, created_at)
  SELECT pg_temp.id('8000', t), 'queries-' || t, 'Queries', 150000, '{}', now() FROM generate_series(1, 1000) t;
INSERT INTO tenant_leases (tenant_id) SELECT pg_temp.id('8000', t) FROM generate_series(1, 1000) t;
INSERT INTO sources (tenant_id, id, kind, mode, name, created_at)
  SELECT pg_temp.id('8000', t), pg_temp.id('9000', t), 'scim', 'live', '', now() FROM generate_series(1, 1000) t;
INSERT INTO credentials (tenant_id, id, source_id, kind, digest, prefix, name, created_at)
  SELECT pg_temp.id('8000', t), pg_temp.id('9100', t), pg_temp.id('9000', t), 'scim_token', sha256(('token ' || t)::bytea),
    'rcs_0000', '', now() FROM generate_series(1, 1000) t;
INSERT INTO directory_users (tenant_id, id, source_id, user_name, user_name_folded, external_id, email, email_folded,
    more_emails, display_name, active, attributes, version, created_at, modified_at)
  SELECT pg_temp.id('8000', pg_temp.tenant_of(n)), pg_temp.id('a000', n), pg_temp.id('9000', pg_temp.tenant_of(n)), mail, mail, 'x' || n, mail, mail, false, 'Person ' || n,
    true, jsonb_build_object('userName', mail, 'externalId', 'x' || n, 'displayName', 'Person ' || n,
      'emails', jsonb_build_array(jsonb_build_object('value', mail, 'primary', true))), 1, now(), now()
  FROM generate_series(1, 199900) n, LATERAL (SELECT 'person' || n || '@example.test') AS m(mail);
-- Of the large tenant the last 500 wait for a seat.
INSERT INTO members (tenant_id, id, email, email_folded, external_id, status, role, billing_contact, managed_by,
    directory_user_id, waiting_for, seated, held, created_at, modified_at)
  SELECT u.tenant_id, pg_temp.id('b000', n), u.email, u.email_folded, u.external_id,
    CASE WHEN waits THEN 'pending' ELSE 'active' END, CASE WHEN n <= 3 THEN 'owner' ELSE 'member' END, n <= 3, u.source_id,
    u.id, CASE WHEN waits THEN 'seat' END, NOT waits, false, now(), now()
  FROM generate_series(1, 199900) n JOIN directory_users u ON u.id = pg_temp.id('a000', n),
    LATERAL (SELECT n BETWEEN 99501 AND 100000) AS w(waits);
INSERT INTO directory_groups (tenant_id, id, source_id, display_name, display_name_folded, attributes, version, created_at, modified_at)
  SELECT :tenant, pg_temp.id('c000', g), :source, 'Group ' || g, 'group ' || g, '{}', 1, now(), now() FROM generate_series(1, 1000) g;
-- One group of 50,000, and 999 of 50.
INSERT INTO directory_memberships (tenant_id, group_id, user_id)
  SELECT :tenant, pg_temp.id('c000', 1), pg_temp.id('a000', n) FROM generate_series(1, 50000) n;
INSERT INTO directory_memberships (tenant_id, group_id, user_id)
  SELECT :tenant, pg_temp.id('c000', g), pg_temp.id('a000', g * 50 + n) FROM generate_series(2, 1000) g, generate_series(1, 50) n;
-- Ten tenants are behind, the large one by 20,000 changes.
INSERT INTO directory_changes (tenant_id, id, lane, source_id, user_id, created_at)
  SELECT :tenant, pg_temp.id('d000', n), n % 2, :source, pg_temp.id('a000', n), now() FROM generate_series(1, 20000) n;
INSERT INTO directory_changes (tenant_id, id, lane, created_at)
  SELECT pg_temp.id('8000', t), pg_temp.id('d100', t), 0, now() FROM generate_series(2, 10) t;
INSERT INTO audit_events (tenant_id, id, at, kind, actor, subject_kind, subject_id)
  SELECT :tenant, pg_temp.id('e000', n), now(), 'member.invited', 'system', 'member', pg_temp.id('b000', n) FROM generate_series(1, 100000) n;

COMMIT;
\endif
RESET ROLE;
\if :{?tuned}
  ALTER TABLE directory_users ALTER tenant_id SET (n_distinct = 4), ALTER source_id SET (n_distinct = 4);
  ALTER TABLE directory_groups ALTER tenant_id SET (n_distinct = 4), ALTER source_id SET (n_distinct = 4);
  ALTER TABLE members ALTER tenant_id SET (n_distinct = 4), ALTER managed_by SET (n_distinct = 4);
  ALTER TABLE directory_memberships ALTER tenant_id SET (n_distinct = 4);
  ALTER TABLE sharing_group_members ALTER tenant_id SET (n_distinct = 4);
  ALTER TABLE directory_changes ALTER tenant_id SET (n_distinct = 4);
  ALTER TABLE run_items ALTER tenant_id SET (n_distinct = 4);
  ALTER TABLE audit_events ALTER tenant_id SET (n_distinct = 4);
\endif
VACUUM (ANALYZE) tenants, tenant_leases, sources, credentials, directory_users, members, directory_groups, directory_memberships,
  directory_changes, audit_events;
SELECT set_config('plan_cache_mode', :'mode', false) \g /dev/null
BEGIN;
\set explain 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS) EXECUTE'

-- As `Tx::begin` opens a transaction across tenants.
SELECT set_config('role', 'rollcall_system', true), set_config('app.tenant_id', '', true) \g /dev/null

\echo == Credential look-up (Store::credential)
PREPARE credential(bytea) AS SELECT c.tenant_id, c.id, c.source_id, c.kind, c.role, c.expires_at, s.mode FROM credentials c
  LEFT JOIN sources s ON s.tenant_id = c.tenant_id AND s.id = c.source_id WHERE c.digest = $1 AND c.revoked_at IS NULL;
:explain credential(sha256('token 1'));

\echo == Due tenants (Store::due_tenants, the sweep)
PREPARE due(timestamptz, bigint) AS SELECT l.tenant_id AS id FROM tenant_leases l WHERE (l.retry_at IS NULL OR l.retry_at <= $1)
  AND EXISTS (SELECT 1 FROM directory_changes c WHERE c.tenant_id = l.tenant_id) ORDER BY l.tenant_id LIMIT $2;
:explain due(now(), 10000);

-- As `Tx::begin` opens a transaction of one tenant.
RESET ROLE;
SELECT set_config('role', 'rollcall_tenant', true), set_config('app.tenant_id', :tenant, true) \g /dev/null

\echo == User by id, with its groups (TenantTx::user_row)
PREPARE user_by_id(uuid, uuid, uuid) AS SELECT u.id, u.attributes, u.version, u.created_at, u.modified_at,
  array_to_json(ARRAY(SELECT g.id::text || g.display_name FROM directory_memberships dm
   JOIN directory_groups g ON g.tenant_id = dm.tenant_id AND g.id = dm.group_id AND g.deleted_at IS NULL
   WHERE dm.tenant_id = u.tenant_id AND dm.user_id = u.id)) AS groups
  FROM directory_users u WHERE u.tenant_id = $1 AND u.id = $2 AND u.source_id = $3 AND u.deleted_at IS NULL;
:explain user_by_id(:tenant, pg_temp.id('a000', 777), :source);

\echo == userName eq (ListRequest::fetch: the count)
PREPARE by_user_name(uuid, uuid, text) AS SELECT count(*) AS total FROM directory_users u
  WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL AND (u.user_name_folded = $3);
:explain by_user_name(:tenant, :source, 'person777@example.test');

\echo == userName eq (ListRequest::fetch: the page)
PREPARE user_name_page(uuid, uuid, text) AS SELECT u.id, u.attributes, u.version, u.created_at, u.modified_at, NULL::json AS groups
  FROM directory_users u WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL AND (u.user_name_folded = $3)
  ORDER BY u.id LIMIT 100 OFFSET 0;
:explain user_name_page(:tenant, :source, 'person777@example.test');

\echo == externalId eq (the page)
PREPARE external_id_page(uuid, uuid, text) AS SELECT u.id, u.attributes, u.version, u.created_at, u.modified_at, NULL::json AS groups
  FROM directory_users u WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL AND (u.external_id = $3)
  ORDER BY u.id LIMIT 100 OFFSET 0;
:explain external_id_page(:tenant, :source, 'x777');

\echo == emails.value eq (the count)
PREPARE by_email(uuid, uuid, text, text) AS SELECT count(*) AS total FROM directory_users u
  WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL
  AND ((u.email_folded = $4 OR u.second_email_folded = $4 OR u.more_emails = TRUE) AND EXISTS (SELECT 1 FROM
    jsonb_path_query(u.attributes, '$."emails"[*]') AS e(v)
    WHERE (coalesce(u.folded ->> (e.v #>> '{"value"}'), lower((e.v #>> '{"value"}') COLLATE "C")) = $3)));
:explain by_email(:tenant, :source, 'person777@example.test', 'person777@example.test');

\echo == List page: the first page of 100
PREPARE first_page(uuid, uuid) AS SELECT u.id, u.attributes, u.version, u.created_at, u.modified_at, NULL::json AS groups
  FROM directory_users u WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL
  ORDER BY u.id LIMIT 100 OFFSET 0;
:explain first_page(:tenant, :source);

\echo == List page: page 501 of 100 (startIndex=50001)
PREPARE page(uuid, uuid) AS SELECT u.id, u.attributes, u.version, u.created_at, u.modified_at, NULL::json AS groups
  FROM directory_users u WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL
  ORDER BY u.id LIMIT 100 OFFSET 50000;
:explain page(:tenant, :source);

\echo == List page: its count
PREPARE total(uuid, uuid) AS SELECT count(*) AS total FROM directory_users u
  WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL;
:explain total(:tenant, :source);

\echo == List page by cursor: the page after the 50,000th
PREPARE after(uuid, uuid, uuid) AS SELECT u.id, u.attributes, u.version, u.created_at, u.modified_at, NULL::json AS groups
  FROM directory_users u WHERE u.tenant_id = $1 AND u.source_id = $2 AND u.deleted_at IS NULL AND u.id > $3
  ORDER BY u.id LIMIT 101;
:explain after(:tenant, :source, pg_temp.id('a000', 50000));

\echo == Membership insert: one person into the group of 50,000 (TenantTx::add_members)
PREPARE add_member(text, uuid, uuid, uuid) AS INSERT INTO directory_memberships (tenant_id, group_id, user_id)
  SELECT u.tenant_id, $3, u.id FROM (SELECT j.id FROM json_to_recordset($1::json) AS j(id uuid)) AS r
  JOIN directory_users u ON u.tenant_id = $2 AND u.id = r.id AND u.source_id = $4 AND u.deleted_at IS NULL
  WHERE true ORDER BY u.id ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING RETURNING user_id;
:explain add_member('[{"id":"01900000-0000-7000-a000-00000000ffff"}]', :tenant, pg_temp.id('c000', 1), :source);

\echo == Next changes (Store::next_chunk)
PREPARE next_changes(uuid, bigint) AS SELECT tenant_id, id, lane, source_id, user_id, group_id, request_id, created_at
  FROM directory_changes WHERE tenant_id = $1 ORDER BY lane, id LIMIT $2;
:explain next_changes(:tenant, 500);

\echo == Touched records (TenantTx::read_records)
PREPARE records(text, uuid) AS SELECT u.id, u.source_id, s.mode, u.email, u.external_id, u.display_name, u.given_name, u.family_name,
  u.active, u.deleted_at IS NOT NULL AS deleted, CASE WHEN u.deleted_at IS NULL AND u.active THEN FALSE ELSE EXISTS (
    SELECT 1 FROM members m WHERE m.tenant_id = u.tenant_id AND m.directory_user_id = u.id AND (EXISTS (
      SELECT 1 FROM disputes d WHERE d.tenant_id = m.tenant_id AND d.about IN (m.email_folded, m.former_email_folded))
    OR EXISTS (SELECT 1 FROM directory_users o WHERE o.tenant_id = m.tenant_id AND o.source_id = m.managed_by
      AND o.external_id = m.external_id AND o.deleted_at IS NULL AND o.id <> u.id))) END AS contested FROM (SELECT j.id FROM json_to_recordset($1::json) AS j(id uuid)) AS r
  JOIN directory_users u ON u.tenant_id = $2 AND u.id = r.id JOIN sources s ON s.tenant_id = u.tenant_id AND s.id = u.source_id;
:explain records('[{"id":"01900000-0000-7000-a000-00000000ffff"}]', :tenant);

\echo == Who holds an address (TenantTx::read_holders)
PREPARE holders(text, uuid) AS SELECT m.id, m.status FROM (SELECT j.text FROM json_to_recordset($1::json) AS j(text text)) AS r
  JOIN members m ON m.tenant_id = $2 AND m.email_folded = r.text AND m.status <> 'removed';
:explain holders('[{"text":"person777@example.test"}]', :tenant);

\echo == Active admins and billing contacts (TenantTx::read_standing)
PREPARE admins(uuid) AS SELECT id, role, billing_contact FROM members
  WHERE tenant_id = $1 AND (role <> 'member' OR billing_contact = TRUE) AND status || '' = 'active';
:explain admins(:tenant);

\echo == Waitlist head (TenantTx::read_waiting)
PREPARE waiting(uuid) AS SELECT m.id, m.email FROM members m WHERE m.tenant_id = $1 AND m.waiting_for = 'seat'
  AND EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id AND u.id = m.directory_user_id
  AND u.active AND u.deleted_at IS NULL) ORDER BY m.directory_user_id LIMIT 10;
:explain waiting(:tenant);

\echo == Taking the lease (Store::lease)
PREPARE lease(uuid, uuid, timestamptz, timestamptz) AS UPDATE tenant_leases SET holder = $2, fence = fence + 1, expires_at = $3
  WHERE tenant_id = $1 AND (holder IS NULL OR expires_at <= $4) AND (retry_at IS NULL OR retry_at <= $4) RETURNING fence;
:explain lease(:tenant, pg_temp.id('f000', 1), now(), now());

\echo == REST: a page of members, after the 50,000th (Store::members)
PREPARE members_page(uuid, bigint, uuid) AS SELECT id, email, status FROM members WHERE members.tenant_id = $1
  AND members.position < list_end() AND (members.position, members.id) > ($2, $3)
  ORDER BY members.position ASC, members.id ASC LIMIT 51;
SELECT position FROM members WHERE tenant_id = :tenant AND id = pg_temp.id('b000', 50000) \gset
:explain members_page(:tenant, :position, pg_temp.id('b000', 50000));

\echo == REST: the audit events of one member (Store::audit_events)
PREPARE events_about(uuid, uuid) AS SELECT id, at, kind FROM audit_events WHERE audit_events.tenant_id = $1 AND subject_id = $2
  AND audit_events.position < list_end() ORDER BY audit_events.position ASC, audit_events.id ASC LIMIT 51;
:explain events_about(:tenant, pg_temp.id('b000', 777));

ROLLBACK;
