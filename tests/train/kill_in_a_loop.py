"""Trains the tiny model and kills the training again and again; a program, so that one import serves all runs.

    python -m train.kill_in_a_loop WORKSPACE KILLS SEED

Prints a line per kill: what was said to be saved, what the next run would load.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from facewright.commands import train
from facewright.core.workspace import Workspace
from facewright.nn import checkpoint
from facewright.train.console_line import ConsoleLine
from train import tiny


def main() -> None:
    """Kill as often as asked for."""
    workspace, kills = Workspace(Path(sys.argv[1])), int(sys.argv[2])
    moments = random.Random(int(sys.argv[3]))
    tiny.use_tiny()
    log = workspace.root / "said.txt"
    for number in range(kills):
        log.write_bytes(b"")
        child = os.fork()
        if child == 0:
            _train(workspace, log)
        if number % 3 != 2:
            while "#" not in log.read_text():  # until it trains
                time.sleep(0.01)
        # Every third is killed at any moment from its start on: while it loads, or makes its first save.
        time.sleep(moments.uniform(0.0, 1.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        words = log.read_text().split()
        said = [int(words[k + 2]) for k, word in enumerate(words) if word == "Saved" and words[k + 1] == "iteration"]
        state = checkpoint.newest(workspace.model_dir / "h64").generation.state
        reached = max((int(word[1:]) for word in words if word.startswith("#") and word[1:].isdigit()), default=0)
        print(json.dumps({"said": max(said, default=0), "loaded": state["iteration"], "reached": reached}), flush=True)


def _train(workspace: Workspace, log: Path) -> None:
    """The training, in a process of its own: saves as fast as it can, tells every step."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    ConsoleLine.show = lambda self, text, now=False: print(text.split()[0], flush=True)
    options = {"model": "h64", "precision": "float32", "window": False, "preview": False}
    options |= {"save_interval_min": 0.01, "autobackup_hours": 1e-4}
    try:
        train.run(workspace, train.TrainOptions(**options))
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
