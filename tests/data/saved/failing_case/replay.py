"""Runs the failing case in this folder again.

    python replay.py [ARTIFACT]

The inputs are made anew from the case's seed, sample and sizes; the reference's results were kept.
"""

import sys
from pathlib import Path

from dummyio.validation.failing import replay

outcome = replay(Path(__file__).parent, *sys.argv[1:2])
print(f"{outcome.case.name}: {outcome.status} {outcome.reason}")
for made in outcome.comparisons:
    print(f"  {made.output} {list(made.shape)}: max abs {made.max_abs:.3e}, {made.mismatched:.1%} off. {made.reason}")
sys.exit(0 if outcome.status == "passed" else 1)
