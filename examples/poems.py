"""Learn to write from a list of texts, and continue a line. Run: python examples/poems.py"""

import sys
import tempfile
from pathlib import Path

import makar

POEMS = [
    "Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye,\nCould frame thy fearful symmetry?\n",
    "I wandered lonely as a cloud\nThat floats on high o'er vales and hills,\n"
    "When all at once I saw a crowd,\nA host, of golden daffodils;\n",
    "Because I could not stop for Death,\nHe kindly stopped for me;\nThe carriage held but just ourselves\nAnd Immortality.\n",
    "O my Luve is like a red, red rose\nThat's newly sprung in June;\nO my Luve is like the melody\nThat's sweetly played in tune.\n",
]


def main(steps: int) -> None:
    """Train for so many steps, then write."""
    with tempfile.TemporaryDirectory() as folder:
        run = makar.train(POEMS * 8, steps=steps, output=Path(folder) / "poet")
        asset = run.model.generate("O my", seed=7, options={"temperature": 0.7, "max_tokens": 120})[0]
        print(asset.content)
        path = asset.save(Path(folder) / "poem.txt")
        print("intact:", makar.verify(path).is_intact)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
