"""Make the documents' pictures of a conversion anew, from a workspace in which quickstart has trained on the sample.

    main.py benchmark --name pictures --arguments '--workspace workspace'

Writes docs/sample.jpg and, in docs/img, modes.jpg, edge.jpg, 7_convert.jpg and 8_result.jpg, all marked as made with a
trained network.
"""

import argparse
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "_internal"))

from facewright.convert.launch import open_preview  # noqa: E402
from facewright.convert.parameters import MODES, ConvertOptions  # noqa: E402
from facewright.convert.preview import View  # noqa: E402
from facewright.convert.session import SavedModels  # noqa: E402
from facewright.core.images import encode  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.marking.provenance import mark_jpeg  # noqa: E402
from facewright.ui.contact_sheet import contact_sheet  # noqa: E402

DOCS = REPOSITORY / "docs"
SITUATIONS = {
    10: "mouth open",
    49: "turned, eyes shut",
    107: "turned the other way",
    150: "bright, blinking",
    175: "bright, turned",
    215: "bright, eyes shut",
}
TURNED = 49  # shows a seam sooner than any other
EDGES = ((-60, -70), (0, 0), (50, 70))  # erode and blur


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=REPOSITORY / "workspace")
    workspace = Workspace(parser.parse_args().workspace)
    usual = ConvertOptions()
    preview = open_preview(workspace, usual, SavedModels()).preview

    def shown(number, view=View.AFTER, *, close_up=False, **values):
        return preview.render(number - 1, ConvertOptions(**values), view, close_up=close_up)

    pairs = [(words, shown(number, View.BEFORE)) for number, words in SITUATIONS.items()]
    pairs += [("", shown(number)) for number in SITUATIONS]
    write("sample.jpg", contact_sheet(pairs, len(SITUATIONS), 230))
    modes = [("before", shown(TURNED, View.BEFORE, close_up=True))]
    modes += [(mode, shown(TURNED, close_up=True, mode=mode)) for mode in sorted(MODES, key=lambda m: m != usual.mode)]
    write("img/modes.jpg", contact_sheet(modes, len(modes), 180))
    edges = [(f"erode {e}, blur {b}", shown(TURNED, close_up=True, mode="overlay", erode=e, blur=b)) for e, b in EDGES]
    write("img/edge.jpg", contact_sheet(edges, len(edges), 220))
    pair = [("before", shown(TURNED, View.BEFORE)), ("after", shown(TURNED))]
    write("img/7_convert.jpg", contact_sheet(pair, 2, 270))
    result = [(f"{number:05d}.png", shown(number)) for number in (20, 70, 120, 170, 220)]
    write("img/8_result.jpg", contact_sheet(result, len(result), 160))


def write(name, sheet) -> None:
    (DOCS / name).write_bytes(mark_jpeg(encode(sheet, ".jpg", quality=88)))
    print(DOCS / name, "x".join(map(str, sheet.shape[1::-1])))


if __name__ == "__main__":
    main()
