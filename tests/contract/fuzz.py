"""schemathesis against a real server: from our own description, or from the published one.

build/schemathesis/bin/... is made by `make fuzz`, which runs both:
python tests/contract/fuzz.py own --minutes 15
python tests/contract/fuzz.py official --minutes 15
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from conformance import SPEC
from outside import run

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = ROOT / "build" / "schemathesis" / "bin" / "schemathesis"

# A reply may not be a 500, of another status, media type or shape than described.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
# What we add to the published document: every server can meet them.
ADDED = ("405", "413", "415", "429", "503")


def main() -> int:
    """Run one of the two; gives schemathesis's status, or 1 if a reply was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=("own", "official"))
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--schemathesis", default=str(SCHEMATHESIS))
    given, more = parser.parse_known_args()  # the rest is for schemathesis
    with tempfile.TemporaryDirectory() as folder:
        spec = "{origin}/openapi.json" if given.which == "own" else _official(Path(folder))
        url = "{origin}" if given.which == "own" else "{origin}/v1"
        return run(
            [
                given.schemathesis,
                "run",
                spec,
                "--url",
                url,
                "--checks",
                ",".join(CHECKS),
                "--max-time",
                str(round(given.minutes * 60)),
                "--header",
                "Authorization: Bearer sk-any",
                "--continue-on-failure",
                "--no-color",
                *more,
            ]
        )


def _official(folder: Path) -> str:
    """The published document with ADDED in every operation, as a file in `folder`."""
    spec = json.loads(SPEC.read_text(encoding="utf-8"))
    schema = {"$ref": "#/components/schemas/ErrorResponse"}
    error = {"description": "Added.", "content": {"application/json": {"schema": schema}}}
    for methods in spec["paths"].values():
        for operation in methods.values():
            operation["responses"] |= dict.fromkeys(ADDED, error)
    target = folder / "official.json"
    target.write_text(json.dumps(spec), encoding="utf-8")
    return str(target)


if __name__ == "__main__":
    sys.exit(main())
