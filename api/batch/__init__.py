"""Batch indexing: walk folders, skip what is unchanged, wait until the rest is searchable.

Read `run.py` first: it is the whole path, one line a stage. `find.py` walks, with `ignore.py`
and `leave_out` rules; `attributes.py` and `manifest.py` say what each file is labelled with;
`submit.py` compares, reads and queues; `follow.py` sees what becomes of it; `watch.py` keeps
going as files change.

A file is identified in its vector store by its path relative to the path that was given.
Nothing is kept in memory that matters: stopped at any moment, the files queued so far are
indexed by the next run or by a server on the same folder, and the next run goes on.
"""
