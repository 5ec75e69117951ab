"""Writes requirements.lock from pip's report on constraints.txt, `lock.py REPORT.json`; `make lock` does both."""

import json
import sys
from pathlib import Path

from ilwp.common.files import atomic_write
from ilwp.common.paths import ROOT

HEADER = """\
# constraints.txt with the hash of each file, for Python 3.11 on Linux (x86-64); `make lock` makes it anew. To install
# nothing but these bytes: pip install --require-hashes -r requirements.lock, then pip install --no-deps -e .
"""

report = json.loads(Path(sys.argv[1]).read_text())
lines = {}
for item in report["install"]:
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
    lines[name.lower()] = f"{name}=={version} \\\n    --hash=sha256:{digest}\n"
atomic_write(ROOT / "requirements.lock", (HEADER + "".join(lines[name] for name in sorted(lines))).encode())
