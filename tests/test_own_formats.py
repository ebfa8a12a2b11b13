"""Files of our own formats, changed at random by a stranger who sets every checksum right: named, or made anew.

python tests/test_own_formats.py 1000      more changes of each format, and other ones with another --seed
"""

import argparse
import base64
import hashlib
import json
import random
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.core.png import get_text, set_text
from facewright.data.cache import TRAILER, build_cache, cache_path, face_key, open_cache
from facewright.data.sample import Sample, make_sample, with_record_masks
from facewright.data.store import decode_face
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.mask import decode_grey
from facewright.faces.record import KEYWORD, load_face, load_record
from facewright.nn import checkpoint
from facewright.nn.loading import load_variables
from facewright.nn.safetensors_file import header_of
from train.tiny import save_faces

CHANGES = 100  # of each format
NUMBERS = (0, -1, 1, 2**31, 2**63, 10**30, 1e300, 0.5, True, None, "", "1", [], [[]], {}, [0] * 70, "\\", "../x", "é")
Read = Callable[[], object]


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    """Flip, cut out, repeat, or overwrite some bytes."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at, length = chance.randrange(len(found) + 1), chance.choice((1, 4, 8, 64))
        match chance.randrange(4):
            case 0:
                found[at : at + length] = chance.randbytes(length)
            case 1:
                del found[at : at + length]
            case 2:
                found[at:at] = found[at : at + length]
            case 3:
                found[at : at + length] = chance.choice((b"\0", b"\xff", b"\x7f\xff\xff\xff\xff\xff\xff\xff"))
    return bytes(found)


def changed_json(value: Any, chance: random.Random) -> Any:
    """Put something odd at one place of a JSON value."""
    places = list(_places(value))
    parent, key = chance.choice(places)
    if isinstance(parent, dict) and chance.random() < 0.2:
        parent[chance.choice(("", "x" * 300, str(key) + "2", "../x"))] = parent.pop(key)
    else:
        parent[key] = chance.choice(NUMBERS)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def changed_text(data: bytes, chance: random.Random) -> bytes:
    """Change JSON as text or as a value."""
    if chance.random() < 0.5:
        return changed_bytes(data, chance)
    return json.dumps(changed_json(json.loads(data), chance)).encode("utf-8")


def face_caches(folder: Path, chance: random.Random, count: int) -> Iterator[Read]:
    """The prepared faces of a training (data/cache.py)."""
    save_faces(folder / "aligned", 3, side=48)
    samples = with_record_masks(
        [Sample("a", "image", 32, FaceType.FULL, warp=True), Sample("m", "mask", 12, FaceType.HALF)]
    )
    faces = {face_key(file): file.path for file in load_faceset(folder / "aligned").faces}
    path = cache_path(folder, "src", samples)
    with ThreadPoolExecutor(1) as pool:
        build_cache(path, faces, samples, pool)
        whole = path.read_bytes()
        start = int.from_bytes(whole[-TRAILER : 8 - TRAILER], "little")
        line, _, arrays = whole[start:-TRAILER].partition(b"\n")

        def read() -> None:
            found = open_cache(path, list(faces), samples)
            if found is None and chance.random() < 0.1:  # making it anew waits for the disk
                found = build_cache(path, faces, samples, pool)
            for number in range(len(found) if found else 0):
                make_sample(found.face(number), samples, None)

        for number in range(count):
            head = changed_text(line, chance) if number % 2 else line
            index = head + b"\n" + (arrays if number % 2 else changed_bytes(arrays, chance))
            ends = start.to_bytes(8, "little") + len(index).to_bytes(8, "little")
            path.write_bytes(whole[:start] + index + ends + zlib.crc32(index).to_bytes(4, "little") + b"FWF1")
            yield read


def generations(folder: Path, chance: random.Random, count: int) -> Iterator[Read]:
    """The arrays of a saved model, with the right SHA-256 in its manifest (nn/checkpoint.py)."""
    wanted = {"a/0000.kernel": np.ones((3, 4), np.float32), "a/0001.steps": np.ones((), np.int64)}
    variables = {name: _Variable(array) for name, array in wanted.items()}
    state = {"model": "tiny", "iteration": 3, "losses": ["src"], "samplers": {}}
    place = checkpoint.save(folder, state, {"weights": wanted}).folder
    weights, manifest = place / "weights.safetensors", place / "manifest.json"
    whole, sealed = weights.read_bytes(), json.loads(manifest.read_bytes())
    head = len(header_of(wanted)[0])

    def read() -> None:
        found = checkpoint.newest(folder)
        assert found is not None
        load_variables("weights", variables, found.generation.arrays("weights"))

    for number in range(count):
        text = whole[8:head]
        if number % 2:
            text = changed_text(text, chance)
        data = len(text).to_bytes(8, "little") + text + whole[head:]
        data = data if number % 2 else changed_bytes(whole, chance)
        weights.write_bytes(data)
        sealed["files"][weights.name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest.write_text(json.dumps(sealed))
        yield read


class _Variable:
    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.shape, self.dtype = array.shape, str(array.dtype)

    def assign(self, array: np.ndarray[Any, Any]) -> None:
        assert array.shape == self.shape


def aligned_faces(folder: Path, chance: random.Random, count: int) -> Iterator[Read]:
    """The record inside an aligned PNG, and the mask inside the record (faces/record.py)."""
    save_faces(folder, 1, side=48)
    path = min(folder.iterdir())
    whole = path.read_bytes()
    record = json.loads(get_text(whole, KEYWORD) or "")
    mask = encode(np.full((48, 48), 200, np.uint8))
    record |= {"version": 2, "person": 1, "track": 2, "embedding": base64.b64encode(bytes(256)).decode()}
    samples = with_record_masks([Sample("m", "mask", 32, FaceType.FULL)])

    def read() -> None:
        load_record(path)
        make_sample(decode_face(path, samples), samples, None)
        _, found = load_face(path)
        if found.mask is not None:
            decode_grey(found.mask)

    for number in range(count):
        copy = json.loads(json.dumps(record))
        spoilt = changed_bytes(mask, chance) if number % 3 == 0 else mask
        copy["mask"] = base64.b64encode(spoilt).decode()
        text = json.dumps(copy if number % 3 == 0 else changed_json(copy, chance))
        data = set_text(whole, KEYWORD, text)
        path.write_bytes(changed_bytes(data, chance) if number % 3 == 2 else data)
        yield read


FORMATS = {maker.__name__: maker for maker in (face_caches, generations, aligned_faces)}


def attack(maker: Callable[[Path, random.Random, int], Iterator[Read]], folder: Path, seed: int, count: int) -> int:
    """Read each changed file; return how many were refused. Whatever is raised but a UserError comes out."""
    refused = 0
    for read in maker(folder, random.Random(seed), count):
        try:
            read()
        except UserError:
            refused += 1
    return refused


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_stranger_changed_is_named_or_made_anew(tmp_path: Path, name: str) -> None:
    refused = attack(FORMATS[name], tmp_path, seed=1, count=CHANGES)
    assert refused > 0 or name == "face_caches"


def main() -> None:
    """Change each format more often."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name, maker in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            print(name, given.count, "changed,", attack(maker, Path(folder), given.seed, given.count), "refused")


if __name__ == "__main__":
    main()
