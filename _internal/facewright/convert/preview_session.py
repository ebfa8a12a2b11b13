"""What window and page of the preview work on: the frame that is looked at, how, and with which settings.

Keys, buttons and sliders come in; an image and a description of the state go out. Several threads may use it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from facewright.convert.background import BackgroundConversion, Work
from facewright.convert.controls import GROUPS
from facewright.convert.look_ahead import LookAhead
from facewright.convert.parameters import ConvertOptions
from facewright.convert.preview import ConversionPreview, View
from facewright.convert.preview_keys import KEYS, NAMES, PreviewAction, unshifted
from facewright.convert.settings import Scope, SettingsByFrame, controls
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.core.options import Option, Value, show

BIG_STEP = 5
FAR = 10  # frames
UNDO_STEPS = 100
ONE_CHANGE = 1.0  # seconds in which changes of one control are undone together
SAVE_SECONDS = 1.0
COMPARISONS = (View.AFTER, View.WIPE, View.BESIDE)
MOVES = {
    PreviewAction.NEXT: 1,
    PreviewAction.PREVIOUS: -1,
    PreviewAction.FAR_NEXT: FAR,
    PreviewAction.FAR_PREVIOUS: -FAR,
}
VIEWS = {PreviewAction.BEFORE: View.BEFORE, PreviewAction.MASK: View.MASK}
FLAGS = {PreviewAction.CLOSE: "close", PreviewAction.SHEET: "sheet", PreviewAction.HELP: "help"}
COPIES = (PreviewAction.COPY_NEXT, PreviewAction.COPY_PREVIOUS, PreviewAction.COPY_REST, PreviewAction.COPY_START)
NO_FACE, UNSEEN, OWN = "no face", "the model saw no face", "settings of its own"


class PreviewSession:
    """A preview that is being worked with.

    Args:
        preview: Makes the images.
        settings: With which it begins.
        save: Keeps the settings.
        conversion: Converts in the background.
        marks: Name of a frame -> why it needs a look, beside what shows here.

    Attributes:
        settings: Those of all frames, as they are now.
        at: Index of the frame that is looked at.
        view, close: How.
        wipe: Where the line of `View.WIPE` is, as a share of the width.
        scope: To what a change is made.
        selected: Index of the control that + and - change.
        help, sheet: Whether these are shown.
        note: What the last key did, where that is not seen.
        ended: Set when the user leaves.
    """

    def __init__(
        self,
        preview: ConversionPreview,
        settings: SettingsByFrame,
        save: Callable[[SettingsByFrame], None],
        conversion: BackgroundConversion,
        marks: Mapping[str, str] | None = None,
    ) -> None:
        self.preview, self.settings, self.conversion = preview, settings, conversion
        self.controls = sorted(controls(), key=lambda spec: GROUPS.index(spec.group))
        self.at = next((at for at, frame in enumerate(preview.frames) if frame.faces), 0)
        self.view, self.close, self.wipe = View.AFTER, False, 0.5
        self.scope, self.selected = Scope.SHOT, 0
        self.help = self.sheet = False
        self.note = ""
        self.ended = threading.Event()
        self._marks = marks or {}
        self._save = save
        self._saved = settings
        self._earlier: list[tuple[SettingsByFrame, str, float]] = []
        self._way = 1  # in which the last step went
        self._ahead = LookAhead()
        self._lock = threading.RLock()

    @property
    def options(self) -> ConvertOptions:
        """The options of the frame that is looked at."""
        return self.settings.options(self.at)

    @property
    def control(self) -> Option:
        """The control that + and - change."""
        return self.controls[self.selected]

    def picture(self, *, view: View | None = None) -> Image:
        """Return what is to be shown, (h, w, 3) uint8 BGR.

        Raises:
            UserError: As `ConversionPreview.render`.
        """
        with self._lock:
            at, options, close, wipe = self.at, self.options, self.close, self.wipe
            view = view or self.view
            beside = [at + self._way, at - self._way]
            settings, frames = self.settings, range(len(self.preview.frames))
        image = self.preview.render(at, options, view, close_up=close, wipe=wipe)
        tasks = [partial(self.preview.render, one, settings.options(one), view) for one in beside if one in frames]
        self._ahead.want(tasks)
        return image

    def press(self, key: str, times: int = 1) -> None:
        """Do what a key means; one without a meaning does nothing.

        Args:
            key: Its name, as browsers give it.
            times: How often it was pressed.
        """
        key = NAMES.get(key, key)
        if key in KEYS:
            self.do(KEYS[key], times)
            return
        for index, spec in enumerate(self.controls):
            if meaning := spec.keys.get(key) or spec.keys.get(unshifted(key)):
                self.selected = index
                with self._lock:  # from the value that is read to the one that is set
                    self._step(spec, meaning, times, big=key not in spec.keys)
                return

    def do(self, what: PreviewAction, times: int = 1) -> None:
        """Do what a button says."""
        with self._lock:
            self.note = ""
            step = MOVES.get(what)
            if step is not None:
                self.go(self.at + step * times)
            elif what in (PreviewAction.FIRST, PreviewAction.LAST):
                self.go(0 if what is PreviewAction.FIRST else len(self.preview.frames))
            elif what in (PreviewAction.NEXT_MARK, PreviewAction.PREVIOUS_MARK):
                self._go_to_mark(forward=what is PreviewAction.NEXT_MARK)
            elif what in (PreviewAction.MORE, PreviewAction.LESS):
                self._step(self.control, "+" if what is PreviewAction.MORE else "-", times)
            elif what in (PreviewAction.SELECT_NEXT, PreviewAction.SELECT_PREVIOUS):
                way = 1 if what is PreviewAction.SELECT_NEXT else -1
                self.selected = (self.selected + way * times) % len(self.controls)
            elif what in COPIES:
                self._copy(what)
            elif what in VIEWS:
                self.view = View.AFTER if self.view is VIEWS[what] else VIEWS[what]
            elif what in FLAGS:
                setattr(self, FLAGS[what], not getattr(self, FLAGS[what]))
            else:
                self._switch(what)

    def go(self, at: int) -> None:
        """Look at another frame; there is none before the first and behind the last."""
        with self._lock:
            before, self.at = self.at, min(max(at, 0), len(self.preview.frames) - 1)
            self._way = -1 if self.at < before else 1
            self.sheet = False

    def change(self, name: str, text: str) -> None:
        """Set a control.

        Args:
            name: Of the control.
            text: The value, as typed.

        Raises:
            UserError: It does not fit.
            ValueError: There is no such control.
        """
        for index, spec in enumerate(self.controls):
            if spec.name == name:
                value = spec.parse(text)
                self.selected = index
                self._set(spec, value)
                return
        raise ValueError(f"there is no control {name!r}")

    def choose(self, view: str = "", scope: str = "") -> None:
        """Look in another way, or let changes be made to something else.

        Raises:
            ValueError: There is no such view or scope.
        """
        self.view = View(view) if view else self.view
        self.scope = Scope(scope) if scope else self.scope

    def marks(self) -> dict[int, str]:
        """Return the frames that need a look, and why: index -> reasons."""
        found: dict[int, str] = {}
        for at, (frame, name) in enumerate(zip(self.preview.frames, self.settings.names, strict=True)):
            reasons = [
                NO_FACE if not frame.faces else "",
                UNSEEN if at in self.preview.unseen else "",
                OWN if name in self.settings.frames else "",
                self._marks.get(name, ""),
            ]
            if any(reasons):
                found[at] = ", ".join(filter(None, reasons))
        return found

    def state(self) -> dict[str, Any]:
        """Return all that a page shows beside the image, as JSON takes it."""
        with self._lock:
            settings, at, values = self.settings, self.at, vars(self.options)
            marks = self.marks()
            return {
                "at": at,
                "frame": settings.names[at],
                "faces": len(self.preview.frames[at].faces),
                "view": self.view,
                "close": self.close,
                "scope": self.scope,
                "selected": self.control.name,
                "help": self.help,
                "sheet": self.sheet,
                "note": self.note or self.conversion.sentence,
                "reasons": marks.get(at, ""),
                "marks": _runs(marks),
                "starts": settings.starts,
                "shot": [settings.shot(at).start, settings.shot(at).stop],
                "values": {spec.name: show(values[spec.name]) for spec in self.controls},
                "own": {scope: list(settings.own(at, scope)) for scope in Scope},
                "idle": [spec.name for spec in self.controls if not spec.applies(values)],
                "undo": len(self._earlier),
                "converting": self.conversion.work is Work.RUNNING,
                "done": self.conversion.done,
                "total": self.conversion.total,
                "ended": self.ended.is_set(),
            }

    def save(self) -> None:
        """Keep the settings, if they have changed.

        Raises:
            UserError: They cannot be written.
        """
        with self._lock:
            settings = self.settings
        if settings != self._saved:
            self._save(settings)
            self._saved = settings

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Keep the settings every second while they change, and at the end; then nothing is predicted any more."""
        done = threading.Event()

        def work() -> None:
            while not done.wait(SAVE_SECONDS):
                self._try_to_save()

        threading.Thread(target=work, name="facewright-settings", daemon=True).start()
        with closing(self._ahead):
            try:
                yield
            finally:
                done.set()
                self.save()

    def _try_to_save(self) -> bool:
        """Keep the settings if they have changed; where that cannot be, tell who is looking."""
        try:
            self.save()
        except UserError as problem:
            self.note = f"The settings are not saved: {problem.happened}"
            return False
        return True

    def _switch(self, what: PreviewAction) -> None:
        match what:
            case PreviewAction.COMPARE:
                place = COMPARISONS.index(self.view) if self.view in COMPARISONS else 0
                self.view = COMPARISONS[(place + 1) % len(COMPARISONS)]
            case PreviewAction.SCOPE:
                scopes = list(Scope)
                self.scope = scopes[(scopes.index(self.scope) + 1) % len(scopes)]
            case PreviewAction.MARKER:
                self._change_settings(self.settings.toggle_marker(self.at))
            case PreviewAction.RESET:
                self._change_settings(self.settings.reset(self.at, self.scope))
            case PreviewAction.UNDO if self._earlier:
                self.settings = self._earlier.pop()[0]
            case PreviewAction.CONVERT if self._try_to_save():
                self.conversion.start()
            case PreviewAction.LEAVE:
                self.ended.set()

    def _go_to_mark(self, *, forward: bool) -> None:
        """Go to the next frame at which a mark begins that the frame before it does not have."""
        marks = self.marks()
        there = [first for first, _ in _runs(marks) if (first > self.at if forward else first < self.at)]
        if there:
            self.go(min(there) if forward else max(there))
        else:
            self.note = "No frame further on needs a look." if forward else "No frame before this one needs a look."

    def _copy(self, what: PreviewAction) -> None:
        settings, at, shot = self.settings, self.at, self.settings.shot(self.at)
        forward = what in (PreviewAction.COPY_NEXT, PreviewAction.COPY_REST)
        if what in (PreviewAction.COPY_NEXT, PreviewAction.COPY_PREVIOUS):
            target = at + (1 if forward else -1)
            if 0 <= target < len(self.preview.frames):
                self._change_settings(settings.copied_to(at, target))
                self.go(target)
            return
        first, last = (at + 1, shot.stop - 1) if forward else (shot.start, at - 1)
        if first <= last:
            self._change_settings(settings.copied_over(at, first, last))
            self.note = f"Frames that took over these settings: {last - first + 1}."

    def _step(self, spec: Option, meaning: str, times: int, *, big: bool = False) -> None:
        value = getattr(self.options, spec.name)
        if spec.choices:
            choices = list(spec.choices)
            way = (-1 if big or meaning == "-" else 1) * times
            wanted: Value = meaning
            if meaning in (">", "+", "-"):
                wanted = choices[(choices.index(value) + way) % len(choices)]
        else:
            step = times * (BIG_STEP if big else 1) * (1 if meaning == "+" else -1)
            low, high = spec.low or 0, spec.high or 0
            wanted = spec.kind(min(max(value + step, low), high))
        self._set(spec, wanted)

    def _set(self, spec: Option, value: Value) -> None:
        with self._lock:
            self._change_settings(self.settings.with_value(self.at, spec.name, value, self.scope), spec.name)

    def _change_settings(self, settings: SettingsByFrame, of: str = "") -> None:
        """Take new settings; what is changed by dragging a slider is undone as one."""
        if settings == self.settings:
            return
        what, now = f"{of} {self.scope} {self.at}", time.monotonic()
        if not (of and self._earlier and self._earlier[-1][1] == what and now - self._earlier[-1][2] < ONE_CHANGE):
            self._earlier = [*self._earlier[1 - UNDO_STEPS :], (self.settings, what, now)]
        else:
            self._earlier[-1] = (self._earlier[-1][0], what, now)
        self.settings = settings


def _runs(marks: Mapping[int, str]) -> list[list[int]]:
    """Return the first and the last of each run of neighbouring marked frames that have the same reasons."""
    found: list[list[int]] = []
    for at in sorted(marks):
        if found and found[-1][1] == at - 1 and marks[at - 1] == marks[at]:
            found[-1][1] = at
        else:
            found.append([at, at])
    return found
