-- Responses that outlive their process, and conversations; frozen. `schema.sql` describes them.

ALTER TABLE responses ADD COLUMN status TEXT NOT NULL DEFAULT 'completed';
ALTER TABLE responses ADD COLUMN owner TEXT;

CREATE TABLE response_items (
  id TEXT PRIMARY KEY,
  response_n INTEGER NOT NULL REFERENCES responses (n) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX response_items_by_response ON response_items (response_n);
INSERT OR IGNORE INTO response_items
  SELECT json_extract(item.value, '$.id'), responses.n
  FROM responses, json_each(responses.body, '$.output') AS item;

CREATE TABLE conversations (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL DEFAULT 'default',
  created_at INTEGER NOT NULL,
  metadata TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE conversation_items (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  conversation_n INTEGER NOT NULL REFERENCES conversations (n) ON DELETE CASCADE,
  body TEXT NOT NULL,
  UNIQUE (conversation_n, id)
) STRICT;
CREATE INDEX conversation_items_by_id ON conversation_items (id);
