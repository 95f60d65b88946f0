"""Tests of bench/cliffs, run by scripts/test: python3 -m unittest discover -s bench/cliffs -t bench/cliffs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
