-- The truth: everything Sourcebook knows, apart from the blobs beside this database.
-- `n` is the order of insertion and is never used again, so lists and cursors go by it.

-- Uploaded bytes with a name; the bytes are the blob `sha256`.
CREATE TABLE files (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  filename TEXT NOT NULL,
  purpose TEXT NOT NULL,
  n_bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT;
CREATE INDEX files_by_sha256 ON files (sha256);
CREATE INDEX files_by_purpose ON files (purpose, n);
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

-- A group of files that is searched together; `seq` counts its commits, the counters are
-- kept by the triggers below so that they are true at every moment. `expired_at` is when its
-- files were taken out because nobody used it; from then on it can only be read and deleted.
CREATE TABLE vector_stores (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  name TEXT,
  description TEXT,
  created_at INTEGER NOT NULL,
  last_active_at INTEGER NOT NULL,
  expires_after_days INTEGER,
  metadata TEXT NOT NULL DEFAULT '{}',
  model_id TEXT NOT NULL,
  seq INTEGER NOT NULL DEFAULT 0,
  usage_bytes INTEGER NOT NULL DEFAULT 0,
  n_in_progress INTEGER NOT NULL DEFAULT 0,
  n_completed INTEGER NOT NULL DEFAULT 0,
  n_failed INTEGER NOT NULL DEFAULT 0,
  n_cancelled INTEGER NOT NULL DEFAULT 0,
  expired_at INTEGER
) STRICT;
CREATE INDEX vector_stores_by_name ON vector_stores (name);
CREATE INDEX vector_stores_by_expiry
  ON vector_stores (last_active_at + expires_after_days * 86400)
  WHERE expires_after_days IS NOT NULL AND expired_at IS NULL;

-- Parsed text, by content hash and parser: attaching one file to ten stores parses it once.
CREATE TABLE documents (
  n INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  media_type TEXT NOT NULL,
  title TEXT,
  n_pages INTEGER,
  unread_pages TEXT NOT NULL,
  n_chars INTEGER NOT NULL,
  blocks BLOB NOT NULL
) STRICT;

-- The text of a document in parts of equal length, so that a passage of a huge file is read
-- without reading the file.
CREATE TABLE document_parts (
  document_n INTEGER NOT NULL REFERENCES documents (n) ON DELETE CASCADE,
  part INTEGER NOT NULL,
  text TEXT NOT NULL,
  UNIQUE (document_n, part)
) STRICT;

-- The blocks of a document that is too long to be held as a whole, in pieces that lie end to end
-- like its text; `documents.blocks` is then empty.
CREATE TABLE document_blocks (
  document_n INTEGER NOT NULL REFERENCES documents (n) ON DELETE CASCADE,
  piece INTEGER NOT NULL,
  start_char INTEGER NOT NULL,
  blocks BLOB NOT NULL,
  UNIQUE (document_n, piece)
) STRICT;

-- What was saved of a long file before its commit, so that a crash does not cost it: its text, and
-- its vectors from row `first_vector_n` on. Nothing refers to them yet. The commit takes the row
-- away; a row without a job is swept with what it names.
CREATE TABLE drafts (
  attachment_n INTEGER PRIMARY KEY,
  document_n INTEGER,
  first_vector_n INTEGER
) STRICT;

-- A file in a vector store: the unit of work, of retry and of failure. `seq` is the store's
-- commit that last changed it, `content_seq` the one that last put its chunks in place. `source_*`
-- is what the file at `path` looked like when it was indexed: if it still does, it is not read.
-- Of a failed one, `n_attempts` says how often it was tried, and `failed_at` when it was given up.
CREATE TABLE attachments (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  vector_store_n INTEGER NOT NULL REFERENCES vector_stores (n) ON DELETE CASCADE,
  file_n INTEGER NOT NULL REFERENCES files (n),
  status TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'cancelled', 'failed')),
  error_code TEXT,
  error_message TEXT,
  max_chunk_size_tokens INTEGER NOT NULL,
  chunk_overlap_tokens INTEGER NOT NULL,
  attributes TEXT NOT NULL DEFAULT '{}',
  path TEXT,
  created_at INTEGER NOT NULL,
  usage_bytes INTEGER NOT NULL DEFAULT 0,
  n_chunks INTEGER NOT NULL DEFAULT 0,
  document_n INTEGER REFERENCES documents (n),
  seq INTEGER NOT NULL DEFAULT 0,
  content_seq INTEGER NOT NULL DEFAULT 0,
  source_mtime_ns INTEGER,
  source_bytes INTEGER,
  n_attempts INTEGER NOT NULL DEFAULT 0,
  failed_at INTEGER,
  UNIQUE (vector_store_n, file_n)
) STRICT;
CREATE INDEX attachments_by_seq ON attachments (vector_store_n, seq);
CREATE INDEX attachments_by_status ON attachments (vector_store_n, status, n);
CREATE INDEX attachments_by_store ON attachments (vector_store_n, n);
CREATE INDEX attachments_by_file ON attachments (file_n);
CREATE INDEX attachments_by_path ON attachments (vector_store_n, path) WHERE path IS NOT NULL;
CREATE INDEX attachments_by_document ON attachments (document_n);

CREATE TRIGGER attachment_added AFTER INSERT ON attachments BEGIN
  UPDATE vector_stores SET
    usage_bytes = usage_bytes + NEW.usage_bytes,
    n_in_progress = n_in_progress + (NEW.status = 'in_progress'),
    n_completed = n_completed + (NEW.status = 'completed'),
    n_failed = n_failed + (NEW.status = 'failed'),
    n_cancelled = n_cancelled + (NEW.status = 'cancelled')
  WHERE n = NEW.vector_store_n;
END;
CREATE TRIGGER attachment_changed AFTER UPDATE OF status, usage_bytes ON attachments BEGIN
  UPDATE vector_stores SET
    usage_bytes = usage_bytes + NEW.usage_bytes - OLD.usage_bytes,
    n_in_progress = n_in_progress + (NEW.status = 'in_progress') - (OLD.status = 'in_progress'),
    n_completed = n_completed + (NEW.status = 'completed') - (OLD.status = 'completed'),
    n_failed = n_failed + (NEW.status = 'failed') - (OLD.status = 'failed'),
    n_cancelled = n_cancelled + (NEW.status = 'cancelled') - (OLD.status = 'cancelled')
  WHERE n = NEW.vector_store_n;
END;
CREATE TRIGGER attachment_removed AFTER DELETE ON attachments BEGIN
  UPDATE vector_stores SET
    usage_bytes = usage_bytes - OLD.usage_bytes,
    n_in_progress = n_in_progress - (OLD.status = 'in_progress'),
    n_completed = n_completed - (OLD.status = 'completed'),
    n_failed = n_failed - (OLD.status = 'failed'),
    n_cancelled = n_cancelled - (OLD.status = 'cancelled')
  WHERE n = OLD.vector_store_n;
END;

-- Attachments that are gone: indexes replay these, and cursors keep their place by them.
CREATE TABLE detachments (
  attachment_n INTEGER PRIMARY KEY,
  vector_store_n INTEGER NOT NULL REFERENCES vector_stores (n) ON DELETE CASCADE,
  file_id TEXT NOT NULL,
  seq INTEGER NOT NULL
) STRICT;
CREATE INDEX detachments_by_seq ON detachments (vector_store_n, seq);
CREATE INDEX detachments_by_file ON detachments (vector_store_n, file_id);

-- Where deleted files and vector stores stood in their lists.
CREATE TABLE deleted (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Embedded text, by the hash of model, prefix and text; shared by all vector stores.
CREATE TABLE vectors (
  n INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE,
  vector BLOB NOT NULL
) STRICT;

-- What was embedded of an attachment: runs of its document's text that do not overlap.
CREATE TABLE windows (
  attachment_n INTEGER NOT NULL REFERENCES attachments (n) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  start_char INTEGER NOT NULL,
  end_char INTEGER NOT NULL,
  n_tokens INTEGER NOT NULL,
  vector_n INTEGER NOT NULL REFERENCES vectors (n),
  PRIMARY KEY (attachment_n, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX windows_by_vector ON windows (vector_n);

-- What is scored and returned: runs of consecutive windows.
CREATE TABLE chunks (
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

-- Vector stores on their way to another embedding model. New rows grow beside the old; one
-- transaction puts them in their place.
CREATE TABLE reembeddings (
  vector_store_n INTEGER PRIMARY KEY REFERENCES vector_stores (n) ON DELETE CASCADE,
  model_id TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- What is ready for that: of which content of a file, and how many chunks once it is whole.
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

-- The queue: one row for each attachment that is to be indexed, gone when it is. `attempts`
-- counts claims, crashes included; `failures` counts attempts that ended with an error. The
-- worker that holds the job says how far it is: `n_done` of `n_total` units of `stage`. Of one
-- priority the lowest `turn` goes first: every vector store's jobs have turns one after another,
-- from the turn that was last claimed, so that vector stores take turns. A job that failed is
-- not ready until `run_after`; then that becomes 0.
CREATE TABLE jobs (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  attachment_n INTEGER NOT NULL UNIQUE REFERENCES attachments (n) ON DELETE CASCADE,
  priority INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  run_after REAL NOT NULL DEFAULT 0,
  owner TEXT,
  lease_expires_at REAL,
  stage TEXT,
  n_done INTEGER NOT NULL DEFAULT 0,
  n_total INTEGER NOT NULL DEFAULT 0,
  n_pages INTEGER,
  vector_store_n INTEGER NOT NULL DEFAULT 0,
  turn INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_ready ON jobs (priority, turn, n) WHERE owner IS NULL AND run_after = 0;
CREATE INDEX jobs_delayed ON jobs (run_after) WHERE run_after > 0;
CREATE INDEX jobs_taken ON jobs (lease_expires_at, owner) WHERE owner IS NOT NULL;
CREATE INDEX jobs_by_store ON jobs (vector_store_n, priority, turn);

-- The highest turn of each priority that was ever claimed.
CREATE TABLE turns (priority INTEGER PRIMARY KEY, turn INTEGER NOT NULL) STRICT;

-- Files attached together.
CREATE TABLE batches (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  vector_store_n INTEGER NOT NULL REFERENCES vector_stores (n) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  cancelled INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The files of a batch; their state here outlives the attachment.
CREATE TABLE batch_files (
  batch_n INTEGER NOT NULL REFERENCES batches (n) ON DELETE CASCADE,
  attachment_n INTEGER NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (batch_n, attachment_n)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_files_by_attachment ON batch_files (attachment_n);

-- Responses as they were sent, with their input and their events. While one is being written,
-- `owner` names the process that does it: by its lock one can see whether it still lives.
CREATE TABLE responses (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  created_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  input_items TEXT NOT NULL,
  events TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'completed',
  owner TEXT
) STRICT;

-- Which response holds an item, in its input or its output: later requests refer to items.
CREATE TABLE response_items (
  id TEXT PRIMARY KEY,
  response_n INTEGER NOT NULL REFERENCES responses (n) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX response_items_by_response ON response_items (response_n);

-- Threads of items that responses read and go on.
CREATE TABLE conversations (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  created_at INTEGER NOT NULL,
  metadata TEXT NOT NULL DEFAULT '{}'
) STRICT;

-- Their items in order, as JSON.
CREATE TABLE conversation_items (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  conversation_n INTEGER NOT NULL REFERENCES conversations (n) ON DELETE CASCADE,
  body TEXT NOT NULL,
  UNIQUE (conversation_n, id)
) STRICT;
CREATE INDEX conversation_items_by_id ON conversation_items (id);

-- Files that arrive in parts. Parts go when the upload ends; the row stays, to say how it ended.
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

-- Pieces of an upload; the bytes are the blob `sha256`.
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

-- API keys. Only the hash of a secret is kept; revoked keys stay, so that a server that once
-- had a key never falls open.
CREATE TABLE api_keys (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  name TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

-- How a vector store's scores are bent to fit its own judged queries: log-odds times `slope`,
-- plus `shift`. Counts for vectors of `model_id` alone.
CREATE TABLE calibrations (
  vector_store_n INTEGER PRIMARY KEY REFERENCES vector_stores (n) ON DELETE CASCADE,
  model_id TEXT NOT NULL,
  slope REAL NOT NULL,
  shift REAL NOT NULL,
  n_queries INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
