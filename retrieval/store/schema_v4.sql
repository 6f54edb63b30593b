-- Progress and fairness of the queue, cheap re-runs of batch indexing, a change of model;
-- frozen once released. `schema.sql` describes them.

ALTER TABLE attachments ADD COLUMN source_mtime_ns INTEGER;
ALTER TABLE attachments ADD COLUMN source_bytes INTEGER;
ALTER TABLE jobs ADD COLUMN stage TEXT;
ALTER TABLE jobs ADD COLUMN n_done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN n_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN n_pages INTEGER;
ALTER TABLE jobs ADD COLUMN vector_store_n INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET turn = n, vector_store_n =
  (SELECT vector_store_n FROM attachments WHERE n = jobs.attachment_n);
DROP INDEX jobs_by_turn;
CREATE INDEX jobs_ready ON jobs (priority, turn, n) WHERE owner IS NULL AND run_after = 0;
CREATE INDEX jobs_delayed ON jobs (run_after) WHERE run_after > 0;
CREATE INDEX jobs_taken ON jobs (lease_expires_at, owner) WHERE owner IS NOT NULL;
CREATE INDEX jobs_by_store ON jobs (vector_store_n, priority, turn);
CREATE TABLE turns (priority INTEGER PRIMARY KEY, turn INTEGER NOT NULL) STRICT;
ALTER TABLE attachments ADD COLUMN n_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attachments ADD COLUMN failed_at INTEGER;
CREATE TABLE document_blocks (
  document_n INTEGER NOT NULL REFERENCES documents (n) ON DELETE CASCADE,
  piece INTEGER NOT NULL,
  start_char INTEGER NOT NULL,
  blocks BLOB NOT NULL,
  UNIQUE (document_n, piece)
) STRICT;
CREATE TABLE drafts (
  attachment_n INTEGER PRIMARY KEY,
  document_n INTEGER,
  first_vector_n INTEGER
) STRICT;
CREATE TABLE reembeddings (
  vector_store_n INTEGER PRIMARY KEY REFERENCES vector_stores (n) ON DELETE CASCADE,
  model_id TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE new_contents (
  attachment_n INTEGER PRIMARY KEY REFERENCES attachments (n) ON DELETE CASCADE,
  content_seq INTEGER NOT NULL,
  n_chunks INTEGER
) STRICT;
CREATE TABLE new_windows (
  attachment_n INTEGER NOT NULL REFERENCES attachments (n) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  start_char INTEGER NOT NULL,
  end_char INTEGER NOT NULL,
  n_tokens INTEGER NOT NULL,
  vector_n INTEGER NOT NULL REFERENCES vectors (n),
  PRIMARY KEY (attachment_n, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX new_windows_by_vector ON new_windows (vector_n);
CREATE TABLE new_chunks (
  attachment_n INTEGER NOT NULL REFERENCES attachments (n) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  first_window INTEGER NOT NULL,
  n_windows INTEGER NOT NULL,
  start_char INTEGER NOT NULL,
  end_char INTEGER NOT NULL,
  n_tokens INTEGER NOT NULL,
  place TEXT NOT NULL,
  heading_path TEXT NOT NULL,
  PRIMARY KEY (attachment_n, ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE calibrations (
  vector_store_n INTEGER PRIMARY KEY REFERENCES vector_stores (n) ON DELETE CASCADE,
  model_id TEXT NOT NULL,
  slope REAL NOT NULL,
  shift REAL NOT NULL,
  n_queries INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
