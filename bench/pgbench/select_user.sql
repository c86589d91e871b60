-- One user by (tenant, user name): the least a GET can cost.
\set n random(1, :people)
SELECT * FROM limit_users WHERE tenant_id = '00000000-0000-7000-8000-000000000001' AND user_name = 'user.' || :n::bigint;
