"""The program of a window by Tk: images from stdin, events to stdout; it ends with its parent.

One line per event; X and Y are shares of the image's width and height:

    ready WIDTH HEIGHT          the window is open; size of the screen
    move X Y                    the mouse moved
    down BUTTON X Y, up ...     a button, "left", "middle" or "right"
    wheel STEPS X Y             positive is away from the user
    zoom STEPS X Y              the same with the key Ctrl
    key NAME                    a letter or sign, or Enter, Space, Delete, Backspace, Escape, ArrowLeft (Right, Up,
                                Down), PageUp, PageDown, Home, End
    closed                      the user closed the window
"""

import signal
import sys
import tkinter

from facewright.core.images import Image
from facewright.ui.window import CLOSED, READY, Inbox, send

NAMES = {
    "Return": "Enter",
    "KP_Enter": "Enter",
    "space": "Space",
    "Delete": "Delete",
    "KP_Delete": "Delete",
    "BackSpace": "Backspace",
    "Escape": "Escape",
    "Left": "ArrowLeft",
    "Right": "ArrowRight",
    "Up": "ArrowUp",
    "Down": "ArrowDown",
    "Prior": "PageUp",
    "Next": "PageDown",
    "Home": "Home",
    "End": "End",
    "Tab": "Tab",
}
CONTROL = 0x4  # Tk's bit for the key Ctrl in an event's state
POLL_MS = 10  # between two looks for a new image


class Screen:
    """The window itself."""

    def __init__(self, title: str) -> None:
        self._inbox = Inbox()
        self._root = tkinter.Tk(className=title)
        self._root.title(title)
        self._root.resizable(False, False)
        self._root.protocol("WM_DELETE_WINDOW", self._root.destroy)
        self._label = tkinter.Label(self._root, borderwidth=0, background="#1c1c1c", cursor="crosshair")
        self._label.pack()
        self._photo = tkinter.PhotoImage(width=1, height=1)
        self._size = (1, 1)
        self._bind()
        self._root.update()
        self._root.focus_force()
        send(f"{READY} {self._root.winfo_screenwidth()} {self._root.winfo_screenheight()}")
        self._root.after(POLL_MS, self._poll)

    def run(self) -> None:
        """Show and report until the parent ends or the window is closed."""
        self._root.mainloop()
        send(CLOSED)

    def _bind(self) -> None:
        right, middle = (2, 3) if self._root.tk.call("tk", "windowingsystem") == "aqua" else (3, 2)
        label = self._label
        label.bind("<Motion>", lambda event: send(f"move {self._place(event)}"))
        for button, name in ((1, "left"), (middle, "middle"), (right, "right")):
            label.bind(f"<ButtonPress-{button}>", lambda event, name=name: send(f"down {name} {self._place(event)}"))  # type: ignore[misc]
            label.bind(f"<ButtonRelease-{button}>", lambda event, name=name: send(f"up {name} {self._place(event)}"))  # type: ignore[misc]
        for button, steps in ((4, 1), (5, -1)):  # the wheel under X11
            label.bind(f"<ButtonPress-{button}>", lambda event, n=steps: self._turn(event, n))  # type: ignore[misc]
        self._root.bind("<MouseWheel>", self._wheel)
        self._root.bind("<KeyPress>", self._key)

    def _place(self, event: "tkinter.Event[tkinter.Misc]") -> str:
        return f"{event.x / self._size[0]:.6f} {event.y / self._size[1]:.6f}"

    def _wheel(self, event: "tkinter.Event[tkinter.Misc]") -> None:
        self._turn(event, 1 if event.delta > 0 else -1)

    def _turn(self, event: "tkinter.Event[tkinter.Misc]", steps: int) -> None:
        kind = "zoom" if int(event.state) & CONTROL else "wheel"
        send(f"{kind} {steps} {self._place(event)}")

    def _key(self, event: "tkinter.Event[tkinter.Misc]") -> None:
        name = NAMES.get(event.keysym) or (event.char if event.char.isprintable() else "")
        if name.strip():
            send(f"key {name}")

    def _poll(self) -> None:
        if self._inbox.closed:
            self._root.destroy()
            return
        if self._inbox.newest is not None:
            (picture, title), self._inbox.newest = self._inbox.newest, None
            self._show(picture, title)
        self._root.after(POLL_MS, self._poll)

    def _show(self, picture: Image, title: str) -> None:
        height, width = picture.shape[:2]
        data = b"P6 %d %d 255 " % (width, height) + picture[:, :, ::-1].tobytes()
        if self._size == (width, height):
            self._photo.configure(data=data)
        else:
            self._photo = tkinter.PhotoImage(data=data)
            self._label.configure(image=self._photo)
            self._size = (width, height)
        self._root.title(title)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    Screen(sys.argv[1]).run()
