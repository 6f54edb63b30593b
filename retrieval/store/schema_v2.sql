-- Uploads in parts, expiry that is carried out, API keys; frozen. `schema.sql` describes them.

CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE vector_stores ADD COLUMN expired_at INTEGER;
CREATE INDEX vector_stores_by_expiry
  ON vector_stores (last_active_at + expires_after_days * 86400)
  WHERE expires_after_days IS NOT NULL AND expired_at IS NULL;

CREATE TABLE uploads (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  filename TEXT NOT NULL,
  purpose TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  n_bytes INTEGER NOT NULL,
  file_expires_after_s INTEGER,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'completed', 'cancelled', 'expired'))
) STRICT;
CREATE INDEX uploads_by_expiry ON uploads (expires_at) WHERE status = 'pending';

CREATE TABLE upload_parts (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  upload_n INTEGER NOT NULL REFERENCES uploads (n) ON DELETE CASCADE,
  n_bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_parts_by_upload ON upload_parts (upload_n);
CREATE INDEX upload_parts_by_sha256 ON upload_parts (sha256);

CREATE TABLE api_keys (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  name TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
