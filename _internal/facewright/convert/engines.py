"""What runs the models of a conversion: keras, or onnxruntime; and .dfm files in the place of saved models."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facewright.convert.cast import TrainedState
from facewright.convert.engine_choices import DFM_FACES, DFM_SUFFIX, Engine, names_dfm
from facewright.convert.parameters import ConvertOptions
from facewright.convert.pipeline import ModelInput
from facewright.convert.session import SavedModels
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import list_files, typed_path
from facewright.core.hints import again
from facewright.core.safe_files import is_bare
from facewright.core.workspace import Workspace
from facewright.faces.dfl_crop import DflFaceType, FaceKind
from facewright.models.trained import TrainedModel


class EngineModels(SavedModels):
    """The models of a workspace, its .dfm files among them, on the engine that the options name.

    Args:
        workspace: Holds the model folder.
        options: The user's.

    Raises:
        UserError: A model and a .dfm file are named.
    """

    def __init__(self, workspace: Workspace, options: ConvertOptions) -> None:
        super().__init__(backwards=options.swap_model, morph=options.morph / 100, precision=options.precision)
        self._options = options
        self._file = typed_path(options.dfm) if options.dfm else None
        self._contents = Contents(workspace.root)
        self._known: dict[Path, Any] = {}
        self._larger: dict[int, Any] = {}
        if options.dfm and (options.model or options.cast):
            raise UserError(
                f"A .dfm file ({options.dfm}) and a saved model are named.",
                "one of them; a cast names the .dfm files that lie in model/.",
                f"leave the others out:{again('--model', '', '--cast', '')}",
            )
        if options.swap_model and options.dfm:
            raise _one_way()
        if self._file:
            self._read(self._file)  # what is wrong with it is said before any work

    def newest(self, model_dir: Path, name: str) -> TrainedState:
        """See `facewright.convert.session.Models`."""
        state = self._newest(model_dir, name)
        if not self._options.super_resolution:
            return state
        own = state.wanted.side
        return replace(
            state,
            wanted=replace(state.wanted, side=self._enlarger(own).side),
            defaults=replace(state.defaults, enlarged_from=own),
            fingerprint=self._with_enlarger(state.fingerprint),
        )

    def _newest(self, model_dir: Path, name: str) -> TrainedState:
        path = self._dfm(model_dir, name)
        if path is None:
            return super().newest(model_dir, name)
        if self._backwards:
            raise _one_way()
        from facewright.models.onnx_engine import converter_of  # onnxruntime, for whoever names such a file

        dfm = self._read(path)
        kind = _face_type(dfm.face_type, self._options.face_type, path)
        return TrainedState(path.name, self._fingerprint(path), ModelInput(dfm.side, kind), converter_of(kind))

    def names(self, model_dir: Path) -> list[str]:
        """See `facewright.convert.session.Models`."""
        return [*super().names(model_dir), *(path.name for path in list_files(model_dir, (DFM_SUFFIX,)))]

    def _open(self, model_dir: Path, name: str) -> TrainedModel:
        model = self._opened(model_dir, name)
        if not self._options.super_resolution:
            return model
        from facewright.models.super_resolution import enlarged  # late: see `_newest`

        return enlarged(model, self._enlarger(model.resolution), self._with_enlarger(model.fingerprint))

    def _enlarger(self, side: int) -> Any:
        """Return what enlarges images of a side."""
        from facewright.models.super_resolution import SuperResolution  # late: see `_newest`

        if side not in self._larger:
            path = typed_path(self._options.super_resolution)
            self._larger[side] = SuperResolution(path, side, self._options.provider)
        return self._larger[side]

    def _with_enlarger(self, fingerprint: str) -> str:
        path = typed_path(self._options.super_resolution)
        return f"{fingerprint} {self._contents.of(path)}"

    def _opened(self, model_dir: Path, name: str) -> TrainedModel:
        path = self._dfm(model_dir, name)
        if path is None and Engine(self._options.engine) is Engine.KERAS:
            return super()._open(model_dir, name)
        from facewright.models import onnx_engine  # late: see `_newest`

        provider = self._options.provider
        if path is None:
            return onnx_engine.load_saved(model_dir, name, provider, backwards=self._backwards, morph=self._morph)
        dfm = self._read(path)
        kind = _face_type(dfm.face_type, self._options.face_type, path)
        return onnx_engine.open_dfm(dfm, kind, self._morph, provider, self._fingerprint(path))

    def _dfm(self, model_dir: Path, name: str) -> Path | None:
        """Return the .dfm file that a name means; None for a saved model."""
        if self._file and name in ("", self._file.name):
            return self._file
        return model_dir / name if name.lower().endswith(DFM_SUFFIX) and is_bare(name) else None

    def _read(self, path: Path) -> Any:
        from facewright.models.onnx_engine import read_dfm  # late: see `_newest`

        if path not in self._known:
            self._known[path] = read_dfm(path)
        return self._known[path]

    def _fingerprint(self, path: Path) -> str:
        """Return what tells one file and morph value from another."""
        morph = f" {self._options.morph}" if self._read(path).morphs else ""
        return f"dfm {self._contents.of(path)}{morph}"


def _face_type(own: FaceKind | None, given: str, path: Path) -> FaceKind:
    """Return what a file's faces show: as the user says, else as the file says itself.

    Raises:
        UserError: Neither says it.
    """
    if given != "file":
        return DflFaceType(f"dfl-{given}")
    if own is None:
        raise UserError(
            f"{path.name} does not say what its faces show.",
            f"the face type that the network was trained with: {', '.join([*DFM_FACES][1:])}.",
            f"name it; the whole face is the usual one:{again('--face-type', 'whole')}",
        )
    return own


def _one_way() -> UserError:
    return UserError(
        "A .dfm file holds the swap in one direction alone.",
        "a trained model of this workspace, for --swap-model.",
        f"leave --swap-model or the .dfm file out:{again('--no-swap-model')}",
    )


def needs_saved_model(flags: Mapping[str, Any]) -> bool:
    """Whether a conversion with these options needs a trained model in the workspace."""
    return not names_dfm(flags)
