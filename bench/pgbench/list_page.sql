-- One page of 100 by offset, and the total, in the order of the key.
\set page random(0, :people / 100 - 1)
SELECT resource, (SELECT count(*) FROM limit_users WHERE tenant_id = '00000000-0000-7000-8000-000000000001') AS total FROM limit_users WHERE tenant_id = '00000000-0000-7000-8000-000000000001' ORDER BY id OFFSET :page::bigint * 100 LIMIT 100;
