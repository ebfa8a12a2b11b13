"""Make the documents' pictures of a conversion anew, from a workspace in which quickstart has trained on the sample.

    main.py benchmark --name pictures --arguments '--workspace workspace'

Writes docs/sample.jpg and, in docs/img, modes.jpg, edge.jpg, 7_convert.jpg, 8_result.jpg, convert_window.jpg and, where
Chromium and chromedriver are, convert_page.jpg, all marked as made with a trained network. --only preview makes these
two alone.
"""

import argparse
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "_internal"), str(REPOSITORY / "tests")]

import browser  # noqa: E402
import needs  # noqa: E402
from facewright.convert.background import BackgroundConversion  # noqa: E402
from facewright.convert.controls import MODES  # noqa: E402
from facewright.convert.launch import open_preview  # noqa: E402
from facewright.convert.page import PreviewPage  # noqa: E402
from facewright.convert.parameters import ConvertOptions  # noqa: E402
from facewright.convert.preview import View  # noqa: E402
from facewright.convert.preview_drawing import draw, lay_out  # noqa: E402
from facewright.convert.preview_session import PreviewSession  # noqa: E402
from facewright.convert.session import SavedModels  # noqa: E402
from facewright.core.images import decode, encode  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.marking.provenance import mark_jpeg  # noqa: E402
from facewright.ui.contact_sheet import contact_sheet  # noqa: E402
from facewright.ui.page import Page  # noqa: E402

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
    parser.add_argument("--only", choices=("preview",))
    given = parser.parse_args()
    usual = ConvertOptions()
    opened = open_preview(Workspace(given.workspace), usual, SavedModels())
    preview = opened.preview
    draw_preview(opened)
    if given.only:
        return

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


def draw_preview(opened) -> None:
    """Write the window and the page, with a second shot and a frame that has settings of its own."""
    session = PreviewSession(opened.preview, opened.settings, lambda _: None, BackgroundConversion(lambda _: None))
    for key in ("End", "PageUp", "PageUp", "#", "w", "W", "*", "S", "*", "*"):
        session.press(key)
    session.go(TURNED - 1)
    for key in ("e", "E", "0", "V"):
        session.press(key)
    layout = lay_out((1280, 900), session.controls)
    write("img/convert_window.jpg", draw(session, layout, session.picture()))
    session.press("0")
    if not all(map(needs.is_there, ("chromium", "chromedriver"))):
        print("no Chromium: convert_page.jpg stays as it is")
        return
    with Page(PreviewPage(session, opened.title).answer) as served, browser.browser() as shown:
        shown.look(1280, 800, "light")
        shown.open(served.address)
        drawn = (
            "return !!thumbed && !drawing && [...document.querySelectorAll('#thumbs img')].every(i => i.naturalWidth)"
        )
        while not shown.script(drawn):
            time.sleep(0.2)
        write("img/convert_page.jpg", decode(shown.screenshot(), "page"))


def write(name, sheet) -> None:
    (DOCS / name).write_bytes(mark_jpeg(encode(sheet, ".jpg", quality=88)))
    print(DOCS / name, "x".join(map(str, sheet.shape[1::-1])))


if __name__ == "__main__":
    main()
