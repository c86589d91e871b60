#!/usr/bin/env python3
"""Single-row commits a second of SQLite as the embedded hub opens it (WAL, synchronous=FULL), into a table of a directory
user's shape with three indexes.

    sqlite_commits.py FOLDER SECONDS    prints the rate; the database is made in FOLDER and removed
"""
import pathlib, sqlite3, sys, tempfile, time, uuid

folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
resource = '{"userName":"new@bench.example","name":{"givenName":"Grace","familyName":"Hopper"},"locale":"en-US","emails":[{"value":"new@bench.example","primary": true,"type":"work"}]}'
with tempfile.TemporaryDirectory(dir=folder) as made:
    database = sqlite3.connect(pathlib.Path(made) / "commits.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript("""
        CREATE TABLE limit_users (tenant_id BLOB, id BLOB, user_name TEXT, external_id TEXT, email TEXT, display_name TEXT, active INTEGER,
            resource TEXT, version INTEGER, created_at TEXT, PRIMARY KEY (tenant_id, id));
        CREATE UNIQUE INDEX limit_users_user_name ON limit_users (tenant_id, user_name);
        CREATE INDEX limit_users_external_id ON limit_users (tenant_id, external_id);
    """)
    tenant, rows, begun = uuid.uuid4().bytes, 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        row = (tenant, uuid.uuid4().bytes, f"new.{rows}", f"00u{rows}", f"new.{rows}@bench.example", "Grace Hopper", 1, resource, 1, "2026-01-01")
        database.execute("INSERT INTO limit_users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        rows += 1
    print(rows / (time.perf_counter() - begun))
    database.close()
