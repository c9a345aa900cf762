"""The DAG of story 23, for Airflow 2.11 and 3.3: its file does not load while the flag s23_file.broken lies there."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from fd_lab import FLAGS, single  # noqa: E402

s23_a = single("s23_a", schedule=None)
if (FLAGS / "s23_file.broken").exists():
    raise ImportError("no module named s23")
