"""The planted defects and sound exports stand in a package beside the tests, which they import."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
