"""The program of a window by OpenCV: images from stdin, events as in `window_tk` to stdout, of the keyboard only."""

import signal
import sys

import cv2

from facewright.ui.window import CLOSED, READY, Inbox, send

ENTER = (10, 13)


def main(title: str) -> None:
    """Show images and report keys until the parent ends or the window is closed."""
    cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    cv2.waitKey(1)
    inbox = Inbox()
    send(f"{READY} 0 0")
    while not inbox.closed:
        if inbox.newest is not None:
            (picture, _), inbox.newest = inbox.newest, None
            cv2.imshow(title, picture)
        key = cv2.waitKey(30)
        if name := key_name(key):
            send(f"key {name}")
        if cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1:
            send(CLOSED)
            return


def key_name(key: int) -> str:
    """Return the name of a key code of `waitKey`; "" for what has none."""
    code = key & 0xFF if key >= 0 else 0
    if code in ENTER:
        return "Enter"
    return "Space" if code == ord(" ") else chr(code) if ord("!") <= code <= ord("~") else ""


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    main(sys.argv[1])
