"""Faces that are searched for the conversion alone, without an aligned folder that anybody looks through."""

from dataclasses import dataclass
from pathlib import Path

from facewright.convert.parameters import ConvertOptions
from facewright.core.workspace import Side


@dataclass(frozen=True)
class EveryFaceSide(Side):
    """The frames of a side with all faces that are found in them; the aligned folder stays as it is."""

    @property
    def aligned_dir(self) -> Path:
        """Folder of the faces."""
        return self.found_dir

    @property
    def extract_journal(self) -> Path:
        """JSONL: which frames were searched, and how."""
        return self.frames_dir / "every_face.jsonl"


def faces_side(side: Side, options: ConvertOptions) -> Side:
    """Return the side whose faces are to be replaced: as it is, or with every face that is found."""
    return EveryFaceSide(side.root, side.name) if options.every_face else side
