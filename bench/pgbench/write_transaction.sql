-- A provisioning write's shape in five round trips: BEGIN, look-up, insert, audit, COMMIT.
\set n random(1, 4000000000000000)
BEGIN;
SELECT id FROM limit_users WHERE tenant_id = '00000000-0000-7000-8000-000000000002' AND user_name = 'new.' || :n::bigint;
INSERT INTO limit_users (tenant_id, id, user_name, external_id, email, display_name, active, resource) VALUES ('00000000-0000-7000-8000-000000000002', gen_random_uuid(), 'new.' || :n::bigint, '00u' || :n::bigint, 'new.' || :n::bigint || '@bench.example', 'Grace Hopper', true, '{"userName":"new@bench.example","name":{"givenName":"Grace","familyName":"Hopper"},"locale":"en-US","emails":[{"value":"new@bench.example","primary": true,"type":"work"}]}');
INSERT INTO limit_audit (tenant_id, id, kind, subject_id, detail) VALUES ('00000000-0000-7000-8000-000000000002', gen_random_uuid(), 'directory_user.created', gen_random_uuid(), '{"cause":"scim","request":"00000000-0000-7000-8000-000000000002"}');
COMMIT;
