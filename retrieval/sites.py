"""Where terms stand in a segment, and in how many chunks each stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.postings import Postings


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Where terms stand: in windows, then names of files, then headings of chunks."""

    file: NDArray[np.int64]
    chunk: NDArray[np.int64]  # the first chunk that holds the site's text
    n_chunks: NDArray[np.int64]  # how many do, one after another
    n_windows: int
    n_files: int


def term_n_chunks(
    postings: Postings,
    sites: Sites,
    *,
    first_window: NDArray[np.int64],
    n_windows: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Chunks that hold each term, none of them twice: (n_terms,).

    A name covers all chunks of its file. Elsewhere each window adds the chunks that the term's
    window before did not reach, for chunks are runs and windows ascend. Headings add their
    chunk where neither the name nor a window of it has the term.

    Args:
        postings: over `sites`.
        sites: in three kinds.
        first_window: (n_chunks,) of each chunk.
        n_windows: (n_chunks,) of each chunk.
    """
    found = [
        _of_terms(
            postings, first, end, sites=sites, first_window=first_window, n_windows=n_windows
        )
        for first, end in postings.term_ranges()
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *found])


def _of_terms(
    postings: Postings,
    first: int,
    end: int,
    *,
    sites: Sites,
    first_window: NDArray[np.int64],
    n_windows: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The same of the terms from `first` to `end`, so that no more is in memory at once."""
    n_terms, n_sites = end - first, len(sites.file)
    n_text = sites.n_windows + sites.n_files
    part = postings.part(first, end)
    term_of, where = np.repeat(np.arange(n_terms), part.n_sites), part.sites
    is_name = (where >= sites.n_windows) & (where < n_text)
    found = np.bincount(term_of[is_name], sites.n_chunks[where[is_name]], minlength=n_terms)
    file_key = term_of * (int(sites.file.max(initial=0)) + 1) + sites.file[where]
    alone = ~np.isin(file_key, file_key[is_name])
    in_text, in_heading = alone & (where < sites.n_windows), alone & (where >= n_text)
    found = found + np.bincount(
        term_of[in_text], _added(term_of[in_text], where[in_text], sites), minlength=n_terms
    )
    of_heading, chunk = term_of[in_heading], where[in_heading] - n_text
    keys = term_of[in_text] * n_sites + where[in_text]  # ascending, as postings are
    start = of_heading * n_sites + first_window[chunk]
    held = np.searchsorted(keys, start) < np.searchsorted(keys, start + n_windows[chunk])
    return (found + np.bincount(of_heading[~held], minlength=n_terms)).astype(np.int64)


def _added(
    term_of: NDArray[np.int64], where: NDArray[np.int64], sites: Sites
) -> NDArray[np.int64]:
    """How many chunks each of some windows adds to those that its term stood in before."""
    ends = sites.chunk[where] + sites.n_chunks[where]
    reached = np.zeros_like(ends)
    reached[1:] = np.where(np.diff(term_of) == 0, ends[:-1], 0)
    added: NDArray[np.int64] = np.maximum(0, ends - np.maximum(sites.chunk[where], reached))
    return added
