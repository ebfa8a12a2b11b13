import base64
import os
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.data import cache, store
from facewright.data.cache import NoCache, build_cache, cache_path, face_key, open_cache
from facewright.data.sample import Sample, with_record_masks, without_covers
from facewright.data.sampler import Sampler
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.record import load_face, save_face
from train.tiny import save_faces

SAMPLES = (
    Sample("warped", "image", 48, FaceType.FULL, warp=True),
    Sample("small", "image", 10, FaceType.HALF),
    Sample("mask", "mask", 48, FaceType.FULL),
)


@pytest.fixture
def faces(tmp_path):
    save_faces(tmp_path / "aligned", 6, side=96)
    return tmp_path / "aligned"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded."""
    names, real = [], store.load_face
    monkeypatch.setattr(store, "load_face", lambda path: names.append(path.name) or real(path))
    return names


def keyed(folder):
    return {face_key(file): file.path for file in load_faceset(folder).faces}


def build(folder, samples=SAMPLES):
    found = keyed(folder)
    with ThreadPoolExecutor(2) as pool:
        return build_cache(cache_path(folder.parent, "src", samples), found, samples, pool)


def test_a_sampler_gets_the_same_from_the_cache_as_from_the_files(faces):
    made = build(faces)
    paths = [file.path for file in load_faceset(faces).faces]
    assert made.face(0).smaller  # another size of the face for the small output
    with ThreadPoolExecutor(3) as pool:
        one, two = (
            Sampler(source, SAMPLES, np.random.default_rng(3), flip=True, executor=executor, workers=3)
            for source, executor in ((made, pool), (paths, None))
        )
        for _ in range(3):
            a, b = one.batch(5), two.batch(5)
            assert all((a[name] == b[name]).all() for name in a)


def test_no_picture_is_decoded_twice(faces, decoded):
    build(faces)
    assert sorted(decoded) == sorted(path.name for path in faces.iterdir())
    decoded.clear()
    found = open_cache(cache_path(faces.parent, "src", SAMPLES), list(keyed(faces)), SAMPLES)
    Sampler(found, SAMPLES, np.random.default_rng(0), flip=True).batch(20)
    assert decoded == []


def test_only_what_changed_is_decoded_again(faces, decoded):
    build(faces)
    first, second, third, *_ = sorted(faces.iterdir())
    image, record = load_face(first)
    save_face(first, 255 - image, record)
    second.rename(faces / "renamed.png")
    os.utime(third, (1, 1))
    path = cache_path(faces.parent, "src", SAMPLES)
    assert open_cache(path, list(keyed(faces)), SAMPLES) is None
    decoded.clear()
    build(faces)
    assert decoded == [first.name]


def test_moved_landmarks_are_noticed(faces):
    build(faces)
    path = min(faces.iterdir())
    image, record = load_face(path)
    record.landmarks[30, 0] += 0.5
    save_face(path, image, record)
    assert open_cache(cache_path(faces.parent, "src", SAMPLES), list(keyed(faces)), SAMPLES) is None


def test_a_repainted_mask_is_noticed(faces):
    """The record lies at the head of the file, far from what tells a changed file otherwise."""
    samples = with_record_masks(SAMPLES)
    assert cache_path(faces.parent, "src", samples) != cache_path(faces.parent, "src", SAMPLES)
    path = min(faces.iterdir())
    image, record = load_face(path)
    image = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)  # a file of more than 64 KiB
    for value in (254, 255):
        mask = base64.b64encode(encode(np.full((96, 96), value, np.uint8))).decode()
        save_face(path, image, replace(record, size=256, mask=mask))
        assert open_cache(cache_path(faces.parent, "src", samples), list(keyed(faces)), samples) is None
        row = list(keyed(faces).values()).index(path)
        assert build(faces, samples).face(row).masks["record"].max() == value


def test_another_mask_of_a_hand_is_noticed(faces):
    samples = without_covers(SAMPLES)
    path = min(faces.iterdir())
    image = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)  # a file of more than 64 KiB
    record = replace(load_face(path)[1], size=256)
    for value in (0, 255):  # as long as each other
        hand = base64.b64encode(encode(np.full((96, 96), value, np.uint8))).decode()
        save_face(path, image, replace(record, occlusion=hand))
        assert open_cache(cache_path(faces.parent, "src", samples), list(keyed(faces)), samples) is None
        row = list(keyed(faces).values()).index(path)
        assert build(faces, samples).face(row).masks["uncovered"].any() == (value == 0)


def test_fewer_faces_need_no_new_file(faces):
    build(faces)
    min(faces.iterdir()).unlink()
    keys = list(keyed(faces))[::-1]
    found = open_cache(cache_path(faces.parent, "src", SAMPLES), keys, SAMPLES)
    assert found is not None and len(found) == 5
    last = sorted(faces.iterdir())[-1]
    assert (found.face(0).landmarks == store.decode_face(last, SAMPLES).landmarks).all()


@pytest.mark.parametrize(
    "spoil", [lambda d: d[:-1], lambda d: b"", lambda d: d[:-60] + b"\0" + d[-59:], lambda d: d[99:]]
)
def test_a_damaged_file_is_made_anew(faces, spoil):
    build(faces)
    path = cache_path(faces.parent, "src", SAMPLES)
    path.write_bytes(spoil(path.read_bytes()))
    assert open_cache(path, list(keyed(faces)), SAMPLES) is None
    assert len(build(faces)) == 6


def test_a_full_disk_leaves_nothing_behind(faces, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage(cache.MIN_FREE_BYTES + 10))
    with pytest.raises(NoCache, match="the disk is nearly full"):
        build(faces)
    assert [path.name for path in faces.parent.iterdir()] == ["aligned"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_disk_that_fills_on_the_way_leaves_the_old_file(faces):
    import resource

    build(faces)
    path = cache_path(faces.parent, "src", SAMPLES)
    before = path.read_bytes()
    save_faces(faces, 8, seed=50, side=96)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))  # no file may grow larger
    try:
        with pytest.raises(NoCache, match="too large"):
            build(faces)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and not list(faces.parent.glob(".*.tmp"))


def test_a_second_run_does_not_disturb_the_first(faces):
    first = build(faces)
    kept = first.face(2).image.copy()
    save_faces(faces, 8, seed=50, side=96)
    assert len(build(faces)) == 8
    assert (first.face(2).image == kept).all()


def test_leftovers_and_the_oldest_file_go(faces):
    left = faces.parent / ".faces_src_0.cache.1.tmp"
    fresh = faces.parent / ".faces_src_0.cache.2.tmp"
    for path in (left, fresh):
        path.write_bytes(b"x")
    os.utime(left, (time.time() - 7200,) * 2)
    made = []
    for number, size in enumerate((16, 32, 48)):
        samples = (Sample("target", "image", size, FaceType.FULL),)
        build(faces, samples)
        made.append(cache_path(faces.parent, "src", samples))
        os.utime(made[-1], (1000 + number,) * 2)
    assert [path.exists() for path in (left, fresh, *made)] == [False, True, False, True, True]


def test_a_damaged_picture_is_a_clear_error(faces):
    found = keyed(faces)
    path = min(faces.iterdir())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with ThreadPoolExecutor(2) as pool, pytest.raises(UserError, match=path.name):
        build_cache(cache_path(faces.parent, "src", SAMPLES), found, SAMPLES, pool)


def test_without_a_cache_memory_holds_what_it_can(faces, decoded):
    paths = sorted(faces.iterdir())
    size = store.bytes_of(store.decode_face(paths[0], SAMPLES))
    source = store.DecodedFaces(paths, SAMPLES, max_bytes=2 * size)
    decoded.clear()
    for _ in range(3):
        for index in range(4):
            source.face(index)
    assert [decoded.count(path.name) for path in paths[:4]] == [1, 1, 3, 3]
