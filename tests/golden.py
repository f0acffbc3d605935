"""Texts that users see, kept whole in files.

`GOLDEN=write pytest tests/unit/report tests/unit/cli` writes them anew; read the diff.
"""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]


def assert_golden(text: str, file: Path) -> None:
    """The text is what the file holds, to the letter."""
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8"), f"{file.name} differs; if the new text is meant, run again with GOLDEN=write"
