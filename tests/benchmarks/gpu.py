"""Training speed on a graphics card, on a machine that has Python, numpy, OpenCV and JAX or torch, and no network.

    tests/benchmarks/gpu.sh prepare [--python 3.12]     on a machine with a package index: fetch the missing wheels
    tests/benchmarks/gpu.sh [--out DIR] [--budget 470]  on the machine with the card

Measures SAEHD of three sides and two shapes, QUICK, H64 and DF at two batch sizes each, on JAX and on torch, in
bfloat16 and float32, with samples made on the device and by the processor, on drawn faces; then trains QUICK and SAEHD
on the sample's faces (sample_faces.zip) and writes their previews. Each network and precision is a process of its own
with its own time limit; what fails is a row with its error. The results so far are in DIR/gpu.json and DIR/gpu.md (a
table) at any moment: a run that is cut off loses the row in progress, and --done DIR/gpu.json goes on after it. What
matters most comes first, as the whole list takes about an hour. docs/gpu.md explains the columns.
"""

import argparse
import importlib.util
import io
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
WHEELS = HERE.with_name("wheels")
SAMPLE_FACES = HERE.with_name("sample_faces.zip")
WORKER = HERE.with_name("_gpu_worker.py")
# Import name -> package, of all that a training needs beside numpy, OpenCV and the backend.
NEEDS = {
    "keras": "keras",
    "namex": "namex",
    "optree": "optree",
    "absl": "absl-py",
    "rich": "rich",
    "markdown_it": "markdown-it-py",
    "mdurl": "mdurl",
    "pygments": "pygments",
    "ml_dtypes": "ml-dtypes",
    "h5py": "h5py",
    "packaging": "packaging",
    "typing_extensions": "typing-extensions",
    "psutil": "psutil",
    "platformdirs": "platformdirs",
    "isal": "isal",
    "colorama": "colorama",
    "tqdm": "tqdm",
}
MAX_WHEEL_BYTES = 64 << 20


@dataclass(frozen=True)
class Network:
    """A network to measure: its model, the options that make it, and two batch sizes."""

    model: str
    batches: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


def _saehd(resolution: int, archi: str, *batches: int) -> Network:
    return Network("saehd", batches, {"resolution": resolution, "archi": archi})


# What matters most first.
NETWORKS = {
    "saehd-256-df-ud": _saehd(256, "df-ud", 8, 16),
    "quick": Network("quick", (16, 64)),
    "saehd-128-df-ud": _saehd(128, "df-ud", 8, 32),
    "saehd-256-liae-ud": _saehd(256, "liae-ud", 8, 16),
    "saehd-512-df-ud": _saehd(512, "df-ud", 2, 4),
    "df": Network("df", (8, 32)),
    "saehd-128-liae-ud": _saehd(128, "liae-ud", 8, 32),
    "saehd-512-liae-ud": _saehd(512, "liae-ud", 2, 4),
    "h64": Network("h64", (16, 64)),
}
DEMOS = ("quick", "saehd-256-df-ud")
PRECISIONS = ("bfloat16", "float32")
SAMPLINGS = ("device", "host")
KEY = ("backend", "model", "precision", "sampling", "batch")  # what tells one row from another
COMBINATION_SECONDS = 120  # limit of one network in one precision: both batch sizes, both ways of sampling


def main() -> None:
    """Prepare, pack or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", choices=("measure", "prepare", "pack"), default="measure")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "gpu_results")))
    parser.add_argument("--budget", type=float, default=470, help="seconds for all together")
    parser.add_argument("--limit", type=float, default=COMBINATION_SECONDS, help="seconds for one combination")
    parser.add_argument("--backends", nargs="+", default=["jax", "torch"])
    parser.add_argument("--models", nargs="*", default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, help="instead of two of its own for each network")
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS)
    parser.add_argument("--samplings", nargs="+", default=SAMPLINGS)
    parser.add_argument("--done", type=Path, help="gpu.json of an earlier run: its rows are kept, not measured again")
    parser.add_argument("--seconds", type=float, default=3, help="length of one measurement")
    parser.add_argument(
        "--demo", type=float, default=180, help="seconds of each training on the sample's faces; 0: none"
    )
    parser.add_argument("--demos", nargs="+", default=DEMOS, help="networks that are trained on the sample's faces")
    parser.add_argument("--scale", type=float, default=1, help="width of the networks, to try this on a processor")
    parser.add_argument("--python", default="3.12", help="prepare: Python version of the machine with the card")
    parser.add_argument("--workspace", type=Path, help="pack: a workspace that quickstart made")
    given = parser.parse_args()
    if given.action == "prepare":
        prepare(given.python)
    elif given.action == "pack":
        pack(given.workspace)
    else:
        Benchmark(given).run()


def prepare(python: str) -> None:
    """Download the wheels that a machine without a package index may lack, for x86-64 Linux and that Python."""
    platforms = [f"--platform=manylinux_2_{n}_x86_64" for n in (28, 27, 17, 12)] + ["--platform=manylinux2014_x86_64"]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", *platforms]
    # psutil's wheels carry names of other platforms.
    command += ["--platform=manylinux2010_x86_64", "--platform=manylinux_2_24_x86_64", "--implementation=cp"]
    command += [f"--python-version={python}", f"--dest={WHEELS}", *NEEDS.values()]
    subprocess.run(command, check=True)
    size = sum(path.stat().st_size for path in WHEELS.glob("*.whl"))
    print(f"{len(list(WHEELS.glob('*.whl')))} wheels, {size / 2**20:.1f} MiB, in {WHEELS}")
    if size > MAX_WHEEL_BYTES:
        sys.exit(f"That is more than {MAX_WHEEL_BYTES >> 20} MiB.")


def pack(workspace: Path, count: int = 60, side: int = 160) -> None:
    """Pack aligned faces of both people of the sample: small JPEGs and their landmarks."""
    sys.path.insert(0, str(HERE.parents[2] / "_internal"))
    import cv2

    from facewright.faces.record import load_face

    with zipfile.ZipFile(SAMPLE_FACES, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("src", "dst"):
            found = sorted((workspace / f"data_{name}" / "aligned").glob("*.png"))
            points = {}
            for path in found[:: max(1, len(found) // count)][:count]:
                image, record = load_face(path)
                small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
                packed.writestr(f"{name}/{path.stem}.jpg", cv2.imencode(".jpg", small, [1, 88])[1].tobytes())
                # The middle of a pixel stays the middle of a pixel.
                points[path.stem] = (((record.landmarks + 0.5) * side / record.size) - 0.5).round(2).tolist()
            packed.writestr(f"{name}.json", json.dumps({"side": side, "landmarks": points}))
    print(f"{SAMPLE_FACES}: {SAMPLE_FACES.stat().st_size / 1024:.0f} KiB")


def unpack_faces(folder: Path) -> None:
    """Write the packed faces as aligned PNGs: folder/src and folder/dst."""
    import cv2
    import numpy as np

    with zipfile.ZipFile(SAMPLE_FACES) as packed:
        for name in ("src", "dst"):
            faces = json.loads(packed.read(f"{name}.json"))
            for stem, points in faces["landmarks"].items():
                image = cv2.imdecode(np.frombuffer(packed.read(f"{name}/{stem}.jpg"), np.uint8), cv2.IMREAD_COLOR)
                write_face(folder / name / f"{stem}.png", image, np.float32(points))


def draw_faces(folder: Path, count: int = 48, side: int = 256) -> None:
    """Draw faces of two people whose pose and light vary: a head, eyes, a mouth, and their landmarks."""
    import cv2
    import numpy as np

    from facewright.faces.align import MEAN_FACE

    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.49 + 0.62 * np.cos(angle), 0.25 + 0.95 * np.sin(angle)], axis=1)
    mean = (np.vstack([jaw, MEAN_FACE]) - (0.49, 0.5)) * 0.45
    for name, skin in (("src", (150, 180, 230)), ("dst", (90, 120, 170))):
        rng = np.random.default_rng(len(name) + skin[0])
        for number in range(count):
            turn = np.radians(rng.uniform(-10, 10))
            spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            points = ((mean @ spin.T) * rng.uniform(0.9, 1.1, 2) + 0.5) * side
            image = np.full((side, side, 3), rng.uniform(20, 120, 3), np.uint8)
            hull = cv2.convexHull(np.rint(np.vstack([points, points[17:27] - (0, side * 0.12)])).astype(np.int32))
            cv2.fillConvexPoly(image, hull, tuple(float(v) * rng.uniform(0.8, 1.1) for v in skin))
            for first, last, color in ((36, 42, (240, 240, 240)), (42, 48, (240, 240, 240)), (48, 60, (70, 60, 190))):
                cv2.fillConvexPoly(image, np.rint(points[first:last]).astype(np.int32), color)
            noise = rng.normal(0, 6, image.shape)
            image = np.clip(cv2.GaussianBlur(image, (0, 0), 1.5) + noise, 0, 255).astype(np.uint8)
            write_face(folder / name / f"{number:05d}.png", image, points.astype(np.float32))


def write_face(path: Path, image: Any, points: Any) -> None:
    """Write an aligned full face with its record."""
    import numpy as np

    from facewright.faces.align import FaceType
    from facewright.faces.record import FaceRecord, save_face

    path.parent.mkdir(parents=True, exist_ok=True)
    side = image.shape[0]
    place = dict(frame=path.name, detector="drawn", score=1.0, rect=(0, 0, side, side), pose=(0, 0, 0))
    record = FaceRecord(
        face_type=FaceType.FULL,
        size=side,
        landmarks=points,
        frame_landmarks=points,
        matrix=np.eye(2, 3),
        **place,
    )
    save_face(path, image, record)


class Benchmark:
    """Runs the combinations one after the other, and writes the results after each."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.began = time.monotonic()
        self.rows: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {"python": sys.version.split()[0], "peaks_tflops": {}, "demos": {}}
        if given.done:
            before = json.loads(given.done.read_text(encoding="utf-8"))
            self.rows = [row for row in before.pop("rows") if "error" not in row]
            self.facts |= {name: value for name, value in before.items() if name != "seconds"}
        given.out.mkdir(parents=True, exist_ok=True)

    def left(self) -> float:
        """Return the seconds that are left of the budget."""
        return float(self.given.budget) - (time.monotonic() - self.began)

    def run(self) -> None:
        """Measure everything that fits into the budget."""
        with tempfile.TemporaryDirectory() as folder:
            self.path = os.pathsep.join(add_wheels(Path(folder, "site")))
            sys.path.insert(0, str(HERE.parents[2] / "_internal"))
            draw_faces(Path(folder, "drawn"))
            backends = [name for name in self.given.backends if importlib.util.find_spec(name)]
            if not backends:
                sys.exit(f"none of {', '.join(self.given.backends)} is installed")
            missing = [name for name in self.given.demos if "iterations" not in self.facts["demos"].get(name, {})]
            reserve = min((self.given.demo + 60) * len(missing), self.given.budget / 2) if self.given.demo else 0
            for precision in self.given.precisions:
                for model in self.given.models:
                    for backend in backends:
                        self.measure(backend, model, precision, Path(folder, "drawn"), reserve)
            if self.given.demo:
                unpack_faces(Path(folder, "sample"))
                for number, name in enumerate(missing, 1):
                    share = (self.left() - 25) / (len(missing) - number + 1)
                    self.train_sample(name, backends, Path(folder, "sample"), share)
        self.write()
        print((self.given.out / "gpu.md").read_text(encoding="utf-8"))

    def measure(self, backend: str, model: str, precision: str, faces: Path, reserve: float) -> None:
        """Run one network in one precision; a row per batch size and sampling, with an error where there is none."""
        limit = min(self.given.limit, self.left() - reserve)
        named = {"backend": backend, "model": model, "precision": precision}
        network = NETWORKS.get(model, Network(model, (8,)))
        known = {tuple(row[name] for name in KEY) for row in self.rows}
        wanted = [
            {"sampling": sampling, "batch": batch}
            for batch in sorted(self.given.batches or network.batches)
            for sampling in self.given.samplings
        ]
        wanted = [one for one in wanted if tuple((named | one)[name] for name in KEY) not in known]
        if not wanted:
            return
        task = named | {"faces": str(faces), "seconds": self.given.seconds, "scale": self.given.scale, "rows": wanted}
        task |= {"model": network.model, "options": network.options}
        error = "the budget of time was used up before"
        if limit > 10:
            error = ""
            for part in self.worker(backend, task, limit):
                error = part.pop("failed", error)
                self.note(backend, part)
                if "batch" in part:
                    wanted.remove({name: part[name] for name in ("sampling", "batch")})
                    self.rows.append(named | part)
                    self.write()  # at once: what is cut off loses the row in progress only
        self.rows += [named | one | {"error": error or "no result"} for one in wanted]
        self.write()

    def note(self, backend: str, part: dict[str, Any]) -> None:
        """Keep what a worker says of the machine."""
        self.facts.update({key: part[key] for key in ("device", "kind") if key in part})
        if "peak_tflops" in part:
            peaks = self.facts["peaks_tflops"]
            peaks[backend] = max(peaks.get(backend, 0), part["peak_tflops"])

    def train_sample(self, name: str, backends: list[str], faces: Path, share: float) -> None:
        """Train a network on the sample's faces with what was fastest for it; its preview goes to preview_NAME.png."""
        done = [row for row in self.rows if row["model"] == name and "it_per_s" in row]
        best = max(done, key=lambda row: row["it_per_s"] * row["batch"], default={})
        backend, precision = best.get("backend", backends[0]), best.get("precision", "auto")
        sampling = best.get("sampling", "auto")
        seconds = min(self.given.demo, share)
        network = NETWORKS[name]
        batch = min(self.given.batches) if self.given.batches else network.batches[0]
        task = {"demo": seconds, "precision": precision, "sampling": sampling, "batch": batch, "faces": str(faces)}
        task |= {"model": network.model, "options": network.options, "scale": self.given.scale}
        task |= {"out": str(self.given.out.resolve()), "name": name}
        result: dict[str, Any] = {"backend": backend, "precision": precision, "batch": batch, "sampling": sampling}
        if seconds > 0:
            for part in self.worker(backend, task, seconds + self.given.limit):
                result |= part
        self.facts["demos"][name] = result
        self.write()

    def worker(self, backend: str, task: dict[str, Any], limit: float) -> Iterator[dict[str, Any]]:
        """Run a worker; yield the parts of its result, and {"failed": why} where it ends badly or too late."""
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": self.path}
        print(f"{time.monotonic() - self.began:5.0f} s  {backend}: {json.dumps(task)[:150]}", flush=True)
        process = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(task)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        )
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=read_lines, args=(process, lines), daemon=True).start()
        end, last = time.monotonic() + limit, [""]
        try:
            while (line := lines.get(timeout=max(0.1, end - time.monotonic()))) is not None:
                if line.startswith("RESULT "):
                    yield json.loads(line[7:])
                elif line.strip():
                    last = [*last[-3:], line.strip()]
            if process.wait(30):
                yield {"failed": f"exit {process.returncode}: {' / '.join(last)[-400:]}"}
        except queue.Empty:
            yield {"failed": f"longer than {limit:.0f} s"}
        finally:
            process.kill()
            process.wait()

    def write(self) -> None:
        """Write the results so far."""
        value = {**self.facts, "seconds": round(time.monotonic() - self.began), "rows": self.rows}
        (self.given.out / "gpu.json").write_text(json.dumps(value, indent=1), encoding="utf-8")
        (self.given.out / "gpu.md").write_text(table(self.facts, self.rows), encoding="utf-8")


def read_lines(process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
    """Hand on what a process prints; None at its end."""
    assert process.stdout
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def add_wheels(folder: Path) -> list[str]:
    """Unpack the wheels of what is not installed here; return the folders for PYTHONPATH. Needs no pip."""
    for name, package in NEEDS.items():
        if importlib.util.find_spec(name):
            continue
        wheels = sorted(WHEELS.glob(f"{package.replace('-', '_')}-*.whl"))
        if not wheels:
            sys.exit(f"{package} is not installed, and {WHEELS} has no wheel of it: run gpu.sh prepare elsewhere first")
        with zipfile.ZipFile(io.BytesIO(wheels[-1].read_bytes())) as wheel:
            wheel.extractall(folder)
    places = [str(folder)] if folder.exists() else []
    sys.path[:0] = places
    return [*places, *filter(None, [os.environ.get("PYTHONPATH", "")])]


HEAD = (
    "| Network | Batch | Backend | Precision | Samples | it/s | ms | ms, same batch | of peak | busy | data wait "
    "| memory, GiB |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def table(facts: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    peaks = facts["peaks_tflops"]
    lines = [f"Device: {facts.get('device', 'not found')}. Python {facts['python']}."]
    lines += [f"bfloat16 matrix peak measured with {name}: {peak:.3g} TFLOP/s." for name, peak in peaks.items()]
    lines += ["", *HEAD]
    for row in sorted(
        rows, key=lambda row: [row[name] for name in ("model", "batch", "backend", "precision", "sampling")]
    ):
        start = f"| {row['model']} | {row['batch']} | {row['backend']} | {row['precision']} | {row['sampling']} |"
        if "error" in row:
            lines.append(f"{start} {row['error'].replace('|', '/').replace(chr(10), ' ')} | | | | | | |")
            continue
        tflops = row["tflop_per_iteration"] * row["it_per_s"]
        share = f"{tflops / peaks[row['backend']]:.1%}" if peaks.get(row["backend"]) else ""
        busy = "" if row["busy"] is None else f"{row['busy']:.0%}"
        lines.append(
            f"{start} {row['it_per_s']:.3g} | {row['ms']:.1f} | {row['bare_ms']:.1f} | {share} | {busy} "
            f"| {row['data_wait']:.0%} | {row['memory_gib']:.2f} |"
        )
    for name, demo in facts["demos"].items():
        said = f"{name} on the sample's faces"
        if "iterations" in demo:
            losses = ", ".join(f"{loss} {value:.4f}" for loss, value in demo["losses"].items())
            said += (
                f" ({demo['backend']}, {demo['precision']}, batch {demo['batch']}, samples: {demo['sampling']}): "
                f"{demo['iterations']} iterations in {demo['seconds']:.0f} s, losses {losses}; preview_{name}.png."
            )
        else:
            said += f": {demo.get('failed', 'no time was left')}."
        lines += ["", said]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
