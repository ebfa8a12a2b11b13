"""The face record: all that is known of an aligned face, as JSON inside its PNG.

Reading trusts nothing: length limits, types, ranges and a bare frame name are checked; no pickle, no eval.
"""

import base64
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.images import Image, decode, encode
from facewright.core.json_data import BadJson, bare_name, parse_json
from facewright.core.png import DamagedPng, get_text, png_size, read_head, set_text
from facewright.core.safe_files import read_regular
from facewright.faces.align import FaceType, align_matrix, cut, similarity, transform_points
from facewright.faces.landmarks import IBUG68
from facewright.faces.mesh import POINTS as MESH
from facewright.faces.polygons import Polygon, polygons_of
from facewright.faces.pose import head_pose

KEYWORD = "facewright"
VERSION = 2  # the newest that is read
SCHEME = IBUG68.name  # the landmark scheme of records that name none
MASK_SOURCES = ("hull", "imported", "predicted", "painted")
INNER = IBUG68.inner  # landmarks from here on (all but the jaw) place a face
EMBEDDING = 128  # numbers that describe who a face is
LARGEST = 1e6  # pixels: no image is larger, so a larger number is damage
MIN_SPAN = 1e-3  # pixels that a face's points are apart at least; records keep no smaller distance
MANUAL_DETECTOR = "manual"  # stands for the detector in the record of a face that a person placed or moved
ORIGINS = ("found", "repaired", "filled")


class BadRecord(ValueError):
    """A record that does not fit the schema; the text says what is wrong with it."""


@dataclass(frozen=True)
class FaceRecord:
    """One aligned face.

    Attributes:
        face_type: What the aligned image shows.
        size: Side of the aligned image in pixels (mark_only: 0, the frame's own size).
        landmarks: (68, 2) float32, (x, y) in the aligned image.
        frame_landmarks: (68, 2) float32, (x, y) in the frame.
        frame: Bare file name of the frame, with extension.
        detector: Name of the detector, "manual" when a person placed the face.
        score: The detector's confidence, its own scale.
        rect: (left, top, right, bottom) of the detector's box in the frame.
        matrix: 2x3 float64, frame -> aligned.
        pose: (yaw, pitch, roll) in degrees.
        mask: Optional base64 PNG of a drawn or learned mask in the aligned image.
        mask_source: Where the mask comes from, one of `MASK_SOURCES`; where a record does not say, it was imported.
        occlusion: Optional base64 PNG of the mask of what lies in front of the face, in the aligned image.
        track: Number of the face's track through the frames, from 1; None where not known.
        scheme: Which points the landmarks are.
        person: Number of the person, from 1 for the one with most faces; None where faces were not compared.
        embedding: (128,) float32 vector of dlib's ResNet, by which faces are compared; None where not computed.
        raw_landmarks: (68, 2) float32, `frame_landmarks` as they were found, where they were smoothed over time
            since; None where they are still those.
        landmarker: Name of the landmarker that found the points; None where the record does not say: dlib's, or those
            of another program.
        mesh: (468, 3) float32, MediaPipe's face mesh in the frame: x and y in its pixels, z in the same unit, smaller
            is nearer; None where it was not found. It is kept to about 1/500 of the face's size.
        mesh_score: The mesh's own confidence that this is a face, 0..1; None where it was not asked.
        origin: One of `ORIGINS`: the points were found in this frame, or come from the frames around it because those
            found were bad (repaired) or there were none (filled).
        polygons: What a person drew around this face, in the frame: it adds to the mask or takes away from it.
    """

    face_type: FaceType
    size: int
    landmarks: NDArray[np.float32]
    frame_landmarks: NDArray[np.float32]
    frame: str
    detector: str
    score: float
    rect: tuple[float, float, float, float]
    matrix: NDArray[np.float64]
    pose: tuple[float, float, float]
    mask: str | None = None
    person: int | None = None
    embedding: NDArray[np.float32] | None = field(default=None, repr=False)
    raw_landmarks: NDArray[np.float32] | None = field(default=None, repr=False)
    mask_source: str = "imported"
    occlusion: str | None = None
    track: int | None = None
    scheme: str = SCHEME
    landmarker: str | None = None
    mesh: NDArray[np.float32] | None = field(default=None, repr=False)
    mesh_score: float | None = None
    origin: str = "found"
    polygons: tuple[Polygon, ...] = ()

    @classmethod
    def from_landmarks(
        cls,
        points: NDArray[np.float32],
        face_type: FaceType,
        size: int,
        *,
        level_eyes: bool = False,
        frame: str,
        detector: str,
        score: float,
        rect: tuple[float, float, float, float],
    ) -> "FaceRecord":
        """Align a face by its landmarks.

        Args:
            points: (68, 2) float32, (x, y) in the frame, not all at one place.
            face_type: How much of the head the aligned image shows.
            size: Its side in pixels.
            level_eyes: See `align_matrix`.
            frame, detector, score, rect: See the attributes.
        """
        matrix = align_matrix(points, face_type, size, level_eyes=level_eyes)
        return cls(
            face_type=face_type,
            size=0 if face_type is FaceType.MARK_ONLY else size,
            landmarks=transform_points(points, matrix).astype(np.float32),
            frame_landmarks=points,
            frame=frame,
            detector=detector,
            score=score,
            rect=rect,
            matrix=matrix,
            pose=head_pose(points),
        )

    def cut(self, frame: Image) -> Image:
        """Cut the aligned image out of its frame, (h, w, 3) uint8 BGR; mark_only is the whole frame."""
        if self.face_type is FaceType.MARK_ONLY:
            return frame
        return np.asarray(cut(frame, self.matrix, self.size), np.uint8)

    @property
    def found_landmarks(self) -> NDArray[np.float32]:
        """(68, 2) float32, the landmarks in the frame as they were found."""
        return self.frame_landmarks if self.raw_landmarks is None else self.raw_landmarks

    @property
    def placed_mesh(self) -> NDArray[np.float64] | None:
        """(468, 3), the mesh in the frame, moved along where the landmarks were smoothed since; None without one."""
        if self.mesh is None or self.raw_landmarks is None:
            return None if self.mesh is None else np.asarray(self.mesh, np.float64)
        step = similarity(self.raw_landmarks[INNER:], self.frame_landmarks[INNER:])
        depth = self.mesh[:, 2:] * np.hypot(step[0, 0], step[1, 0])
        return np.hstack([transform_points(self.mesh[:, :2], step), depth])

    def to_json(self) -> str:
        """Serialise; coordinates keep 1/1000 px.

        A record that holds nothing new is written as version 1, which older programs read.
        """
        new = {
            **({"scheme": self.scheme} if self.scheme != SCHEME else {}),
            **({"mask_source": self.mask_source} if self.mask and self.mask_source != "imported" else {}),
            **({"occlusion": self.occlusion} if self.occlusion is not None else {}),
            **({"track": self.track} if self.track is not None else {}),
            **({"landmarker": self.landmarker} if self.landmarker is not None else {}),
            **({"mesh": _mesh_text(self.mesh, self.found_landmarks)} if self.mesh is not None else {}),
            **({"mesh_score": round(float(self.mesh_score), 4)} if self.mesh_score is not None else {}),
            **({"origin": self.origin} if self.origin != "found" else {}),
            **({"polygons": [polygon.to_data() for polygon in self.polygons]} if self.polygons else {}),
        }
        value = {
            "version": 2 if new else 1,
            "face_type": str(self.face_type),
            "size": self.size,
            "landmarks": np.asarray(self.landmarks, float).round(3).tolist(),
            "frame_landmarks": np.asarray(self.frame_landmarks, float).round(3).tolist(),
            "frame": self.frame,
            "detector": self.detector,
            "score": round(float(self.score), 5),
            "rect": [round(float(v), 2) for v in self.rect],
            "matrix": np.asarray(self.matrix, float).tolist(),
            "pose": [round(float(v), 3) for v in self.pose],
        }
        if self.mask is not None:
            value["mask"] = self.mask
        if self.person is not None:
            value["person"] = self.person
        if self.embedding is not None:
            value["embedding"] = embedding_text(self.embedding)
        if self.raw_landmarks is not None:
            value["raw_landmarks"] = np.asarray(self.raw_landmarks, float).round(3).tolist()
        if new:
            value |= {"scheme": self.scheme, **new}
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def parse_record(text: str) -> FaceRecord:
    """Read and check a record.

    Raises:
        BadRecord: It does not fit the schema.
    """
    try:
        value = parse_json(text)
    except BadJson as error:
        raise BadRecord(f"its record cannot be read: {error}") from error
    return read_record(value)


def read_record(value: Any) -> FaceRecord:
    """Check a record that came with other JSON.

    Raises:
        BadRecord: It does not fit the schema.
    """
    if not isinstance(value, dict):
        raise BadRecord("its record is not a JSON object")
    version = value.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadRecord("its record has no version")
    if version > VERSION:
        raise BadRecord(f"its record has version {version}, this program reads up to {VERSION}")
    frame_landmarks = _landmarks(value, "frame_landmarks")
    raw_landmarks = None if value.get("raw_landmarks") is None else _landmarks(value, "raw_landmarks")
    found = frame_landmarks if raw_landmarks is None else raw_landmarks
    return FaceRecord(
        face_type=_face_type(value.get("face_type")),
        size=int(_numbers(value.get("size"), (), "size", low=0)),
        landmarks=_landmarks(value, "landmarks"),
        frame_landmarks=frame_landmarks,
        frame=_frame_name(value.get("frame")),
        detector=_text(value.get("detector"), "detector", 64),
        score=float(_numbers(value.get("score"), (), "score")),
        rect=tuple(_numbers(value.get("rect"), (4,), "rect").tolist()),
        matrix=_numbers(value.get("matrix"), (2, 3), "matrix", limit=1e9),
        pose=tuple(_numbers(value.get("pose"), (3,), "pose", limit=360).tolist()),
        mask=None if value.get("mask") is None else _text(value["mask"], "mask", 400_000),
        person=None if value.get("person") is None else int(_numbers(value["person"], (), "person", low=1)),
        embedding=None if value.get("embedding") is None else _embedding(value["embedding"]),
        raw_landmarks=raw_landmarks,
        mask_source=_one_of(value.get("mask_source", "imported"), MASK_SOURCES, "mask source"),
        occlusion=None if value.get("occlusion") is None else _text(value["occlusion"], "occlusion", 400_000),
        track=None if value.get("track") is None else int(_numbers(value["track"], (), "track", low=1)),
        scheme=_one_of(value.get("scheme", SCHEME), (SCHEME,), "landmark scheme"),
        landmarker=None if value.get("landmarker") is None else _text(value["landmarker"], "landmarker", 64),
        mesh=None if value.get("mesh") is None else _mesh(value["mesh"], found),
        mesh_score=None if value.get("mesh_score") is None else _share(value["mesh_score"], "mesh score"),
        origin=_one_of(value.get("origin", "found"), ORIGINS, "origin"),
        polygons=_polygons(value.get("polygons", [])),
    )


def _face_type(value: Any) -> FaceType:
    if not isinstance(value, str) or value not in list(FaceType):
        raise BadRecord(f"its face type is {str(value)[:40]!r}, not one of {', '.join(FaceType)}")
    return FaceType(value)


def _numbers(
    value: Any, shape: tuple[int, ...], name: str, *, limit: float = LARGEST, low: float = -math.inf
) -> NDArray[np.float64]:
    try:
        array = np.asarray(value)
        right = array.shape == shape and array.dtype.kind in "iuf"
    except (ValueError, OverflowError):
        right = False
    if not right:
        raise BadRecord(f"its {name} is not {'x'.join(map(str, shape)) + ' numbers' if shape else 'a number'}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all() or np.abs(array).max() > limit or array.min() < low:
        raise BadRecord(f"its {name} holds a number that is not finite or out of range")
    return array


def _landmarks(value: dict[str, Any], name: str) -> NDArray[np.float32]:
    points = _numbers(value.get(name), (68, 2), name).astype(np.float32)
    if not are_landmarks(points):
        raise BadRecord(f"its {name} are all at one place")
    return points


def are_landmarks(points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether landmarks, (..., 68, 2), can place a face: finite numbers in range, and not all at one place."""
    inner = points[..., INNER:, :]
    with np.errstate(invalid="ignore"):  # infinite ones
        apart = (inner.max(axis=-2) - inner.min(axis=-2)).max(axis=-1) >= MIN_SPAN
    return np.asarray(apart & (np.abs(points) <= LARGEST).all(axis=(-2, -1)))


def embedding_text(vector: NDArray[np.floating]) -> str:
    """Return an embedding as text: base64 of half floats."""
    return base64.b64encode(np.asarray(vector).astype("<f2").tobytes()).decode("ascii")


def read_embedding(text: str) -> NDArray[np.float32]:
    """Read what `embedding_text` wrote, (EMBEDDING,).

    Raises:
        ValueError: It is something else.
    """
    try:
        vector = np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)
    except ValueError as error:
        raise ValueError("its embedding is not base64 of whole numbers of two bytes") from error
    if vector.shape != (EMBEDDING,) or not np.isfinite(vector).all():
        raise ValueError(f"its embedding is not {EMBEDDING} finite numbers")
    return vector


def _mesh_text(mesh: NDArray[np.floating], landmarks: NDArray[np.floating]) -> str:
    """Return a mesh as text: base64 of half floats, in units of the landmarks' extent, from their middle."""
    middle, extent = _unit(landmarks)
    return base64.b64encode(((np.asarray(mesh, np.float64) - middle) / extent).astype("<f2").tobytes()).decode("ascii")


def _mesh(value: Any, landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Read what `_mesh_text` wrote, (MESH, 3)."""
    try:
        points = np.frombuffer(base64.b64decode(_text(value, "mesh", 8 * MESH + 8), validate=True), "<f2")
    except ValueError as error:
        raise BadRecord("its mesh is not base64 of whole numbers of two bytes") from error
    if points.shape != (3 * MESH,) or not np.isfinite(points).all():
        raise BadRecord(f"its mesh is not {MESH} points of 3 finite numbers")
    middle, extent = _unit(landmarks)
    return np.asarray(points.reshape(MESH, 3).astype(np.float64) * extent + middle, np.float32)


def _unit(landmarks: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Return the middle of landmarks, (x, y, 0), and their larger extent, in pixels."""
    low, high = (np.asarray(edge, np.float64) for edge in (landmarks.min(axis=0), landmarks.max(axis=0)))
    return np.append((low + high) / 2, 0.0), float((high - low).max())


def _embedding(value: Any) -> NDArray[np.float32]:
    text = _text(value, "embedding", 4 * EMBEDDING)
    try:
        return read_embedding(text)
    except ValueError as error:
        raise BadRecord(str(error)) from error


def _polygons(value: Any) -> tuple[Polygon, ...]:
    try:
        return polygons_of(value)
    except ValueError as error:
        raise BadRecord(f"its polygons do not serve: {error}") from error


def _share(value: Any, name: str) -> float:
    return float(_numbers(value, (), name, limit=1.0, low=0.0))


def _text(value: Any, name: str, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise BadRecord(f"its {name} is not a text of at most {longest} characters")
    return value


def _one_of(value: Any, known: tuple[str, ...], name: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise BadRecord(f"its {name} is {str(value)[:40]!r}, not one of {', '.join(known)}")
    return value


def _frame_name(value: Any) -> str:
    name = _text(value, "frame name", 255)
    try:
        return str(bare_name(name))
    except BadJson as error:
        raise BadRecord(f"its frame name {error}") from error


def load_record(path: Path, *, any_size: bool = False) -> FaceRecord:
    """Read the record of an aligned PNG; its pixels are neither read nor decoded.

    Args:
        path: The file.
        any_size: Whether the image may have another size than the record says: it was edited since.

    Raises:
        UserError: No PNG, no record, a damaged one, one of a future version, or one of another image.
    """
    try:
        data, size = read_head(path)
        return _record_of(data, path, size=size, any_size=any_size)
    except OSError as error:
        raise _unreadable(path, f"it cannot be opened ({error.strerror})") from error
    except DamagedPng as error:
        raise _unreadable(path, str(error)) from error


def load_face(path: Path) -> tuple[Image, FaceRecord]:
    """Read image and record of an aligned PNG.

    Returns:
        (size, size, 3) uint8 BGR and its record.

    Raises:
        UserError: As `load_record`, or the image is damaged.
    """
    try:
        data = read_regular(path, links=True)
    except OSError as error:
        raise _unreadable(path, f"it cannot be opened ({error.strerror})") from error
    record = _record_of(data, path)
    return decode(data, str(path)), record


def save_face(path: Path, image: Image, record: FaceRecord) -> None:
    """Write an aligned PNG with its record, atomically."""
    write_bytes(path, set_text(encode(image, ".png"), KEYWORD, record.to_json()))


def update_record(path: Path, record: FaceRecord) -> None:
    """Put another record into an aligned PNG, atomically; its pixels are not touched.

    Raises:
        UserError: The file cannot be opened, or is no PNG.
    """
    try:
        data = read_regular(path, links=True)
        changed = set_text(data, KEYWORD, record.to_json())
    except OSError as error:
        raise _unreadable(path, f"it cannot be opened ({error.strerror})") from error
    except DamagedPng as error:
        raise _unreadable(path, str(error)) from error
    write_bytes(path, changed)


def _record_of(data: bytes, path: Path, *, size: int | None = None, any_size: bool = False) -> FaceRecord:
    """Return the record in a PNG or its head; `size` is that of the whole file, where this is the head."""
    try:
        text = get_text(data, KEYWORD, size=size)
        if text is None:
            raise _unreadable(path, "it holds no face record")
        record = parse_record(text)
        height, width = png_size(data)
    except (DamagedPng, BadRecord) as error:
        raise _unreadable(path, str(error)) from error
    if not any_size and record.size and (height, width) != (record.size, record.size):
        # Landmarks and mask would not fit; and an image of some kilobytes may say that it fills the memory.
        raise _unreadable(path, f"its image is {width} x {height} px, its record is of one of {record.size} px")
    return record


def _unreadable(path: Path, reason: str) -> UserError:
    newer = "this program reads up to" in reason
    return UserError(
        f"{path.name} is not a face that can be used: {reason}.",
        "an aligned PNG that this program's extract step wrote.",
        "update facewright, or extract the faces again."
        if newer
        else "move this file out of the aligned folder, or extract the faces again.",
    )
