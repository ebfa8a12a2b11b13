"""The logs of a workspace in one file, for a bug report: no images, no addresses of pages, shortened paths."""

import io
import re
import sys
import time
import zipfile
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.hints import REPOSITORY
from facewright.core.log_file import log_files
from facewright.core.safe_files import read_regular

MAX_BYTES = 1_000_000  # of a log, its end: what went wrong stands there
QUOTED = re.compile(r"""(["'`])((?:/|[A-Za-z]:[\\/])[^"'`\n]+)\1""")
BARE = re.compile(r"""(?<![\w.…>~/\\:-])(?:/|[A-Za-z]:[\\/]+)[^\s"'`,;:)\]]+""")
PAGE = re.compile(r"(https?://[^/\s]+/)[^\s\"']+")
RANDOM = re.compile(r"\b(?=[a-zA-Z]*\d)(?=\d*[A-Za-z])[0-9A-Za-z]{32,}\b")  # keys and tokens, checksums with them


def pack_logs(root: Path) -> Path:
    """Write the log files of a workspace into one zip file beside them.

    Args:
        root: The workspace.

    Returns:
        The file, in the workspace.

    Raises:
        UserError: There are no logs, or the disk is full.
    """
    logs = log_files(root)
    if not logs:
        raise UserError(
            f"There are no log files in {root}.", "the logs of a run.", "run the step that goes wrong, then this one."
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for log in logs:
            text = read_regular(log)[-MAX_BYTES:].decode("utf-8", "replace")
            file.writestr(log.name, shortened(text, root))
    target = root / f"report_{time.strftime('%Y-%m-%d_%H-%M-%S')}.zip"
    write_bytes(target, packed.getvalue())
    return target


def shortened(text: str, root: Path) -> str:
    """Return a log's text without what tells of the user: folders, the user's name, tokens.

    Args:
        text: The log.
        root: The workspace; paths in it stay readable from there on.
    """
    known = {"<workspace>": root, "<facewright>": REPOSITORY, "<python>": Path(sys.prefix), "~": Path.home()}
    text = PAGE.sub(r"\1…", text)
    for name, folder in sorted(known.items(), key=lambda row: -len(str(row[1]))):
        for written in {str(folder), str(folder).replace("\\", "\\\\"), folder.as_posix()}:
            if len(written) > 1:
                text = re.sub(rf"{re.escape(written)}(?![\w-])", name, text)
    # A path in quotes, as among the options, stands elsewhere without them: only so its blanks are known.
    for path in sorted({found[2] for found in QUOTED.finditer(text)}, key=len, reverse=True):
        text = text.replace(path, _last(path))
    text = BARE.sub(lambda found: _last(found[0]), text)
    text = RANDOM.sub("…", text)
    user = Path.home().name
    return re.sub(rf"\b{re.escape(user)}\b", "<user>", text) if len(user) > 2 and user != "root" else text


def _last(path: str) -> str:
    """Return the name of a file elsewhere; of a folder elsewhere nothing is left."""
    name = re.split(r"[\\/]+", path.rstrip("\\/"))[-1]
    return f"…/{name}" if "." in name else "…"
