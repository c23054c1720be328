"""Run the shell: ``python -m makar`` and the command ``makar``."""

import sys


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    from makar.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
