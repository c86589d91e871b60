-- Run once by the superuser: the database, its owner, who migrates, and the login of the hub, which owns nothing.
\set owner_password `cat "${SECRETS:-/run/secrets}/owner_password"`
\set serve_password `cat "${SECRETS:-/run/secrets}/serve_password"`
CREATE ROLE rollcall_tenant NOLOGIN;
CREATE ROLE rollcall_system NOLOGIN;
CREATE ROLE rollcall_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE rollcall_serve LOGIN PASSWORD :'serve_password';
GRANT rollcall_tenant, rollcall_system TO rollcall_owner, rollcall_serve;
CREATE DATABASE rollcall OWNER rollcall_owner;
