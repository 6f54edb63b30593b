-- Progress and fairness of the queue, cheap re-runs of batch indexing, a change of model;
-- frozen once released. `schema.sql` describes them.

ALTER TABLE attachments ADD COLUMN source_mtime_ns INTEGER;
ALTER TABLE attachments ADD COLUMN source_bytes INTEGER;
ALTER TABLE jobs ADD COLUMN stage TEXT;
ALTER TABLE jobs ADD COLUMN n_done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN n_total INTEGER NOT NULL DEFAULT 0;
