"""The one program behind all scripts: `python main.py SUBCOMMAND [flags]`; `--help` lists the subcommands."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "_internal"))

if __name__ == "__main__":
    from facewright.cli import main

    sys.exit(main())
