"""Does a source bear out a sentence? Decided without a language model.

Reading order: `verifier.py` puts together what the others find. `source.py` cuts and reads a
source; `quantities.py` (with `spelled.py` and `units.py`), `dates.py`, `names.py` and `polarity.py` read what can be read
exactly; `checks.py` compares; `edits.py` names what was changed in a near copy; `likeness.py`
tells how much of the meaning is there.
"""

from retrieval.queries import Finding
from retrieval.verify.verifier import MIN_SUPPORT, Verdict, Verifier

__all__ = ["MIN_SUPPORT", "Finding", "Verdict", "Verifier"]
