"""Support of this folder, and the readers of wire data that the fuzz tests list."""

import sys
from pathlib import Path

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE / "support"), str(_HERE.parent / "fuzz" / "support")]
