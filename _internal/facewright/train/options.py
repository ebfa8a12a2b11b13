"""What the user decides at every training."""

from dataclasses import dataclass

from facewright.core.options import option
from facewright.models.catalogue import model_titles
from facewright.nn import devices
from facewright.nn.gpus import check_gpus

MODELS = model_titles()
MASKS = {
    "hull": "the hull of the landmarks",
    "record": "the mask that the face in aligned/ carries (imported with it); the hull for faces without one",
}


@dataclass(frozen=True)
class Options:
    """What the user decides at every run; a model's own options are fixed when it is created."""

    model: str = option(
        "quick" if "quick" in MODELS else next(iter(MODELS)), "Which network.", choices=MODELS, ask="Model"
    )
    name: str = option(
        "", "What the model is called: its folder in model/; without it the one saved last, or the network's name."
    )
    target_iter: int = option(
        0,
        "Iteration at which to stop; 0 trains until you stop it.",
        low=0,
        ask="Target iteration",
        saved_with_model=True,
    )
    batch_size: int = option(
        0,
        "Faces per side and iteration; 0 suits the memory.",
        low=0,
        high=4096,
        ask="Batch size",
        saved_with_model=True,
    )
    save_interval_min: float = option(
        10.0,
        "Most minutes between two automatic savings; a new run begins at one.",
        low=0.01,
        high=10_000,
        saved_with_model=True,
    )
    keep: int = option(2, "Saved states that are kept.", low=1, high=1000, saved_with_model=True)
    autobackup_hours: float = option(
        0.0,
        "Hours between two automatic backups, of which the newest 24 are kept; 0 makes none.",
        low=0,
        high=1000,
        saved_with_model=True,
    )
    start_from: str = option("", "A new model takes over what fits from this one: its name, or its folder.")
    new_src: bool = option(False, "With --start-from: src is another person than that model's.")
    pretrain: str = option("", "Learn faces in general, from this folder of many people's aligned faces.")
    uniform_yaw: bool = option(
        False, "Draw faces so that every direction of the head counts alike, rare ones too.", saved_with_model=True
    )
    mask: str = option(
        "hull",
        "What the model learns as the face's mask, where it learns one.",
        choices=MASKS,
        saved_with_model=True,
    )
    precision: str = option(
        "auto", "Number format of the network's sums.", choices=devices.POLICIES, saved_with_model=True
    )
    gpus: str = option("", "Graphics cards: all, or their numbers; without it the best one.", check=check_gpus)
    force_best_gpu_idx: int = option(-1, "The card of this number counts as the best; -1: by memory.", low=-1, high=99)
    choose_worst_gpu: bool = option(False, "Take the card with the least memory.")
    multi_gpu: bool = option(False, "Take all cards of the same name as the chosen one.")
    force_gpu_idxs: str = option("", "Numbers of the cards to use; the final word.", check=check_gpus)
    seed: int = option(0, "Starts the random numbers of a new model.", low=0, high=2**31 - 1)
    window: bool = option(True, "Open a preview window where there is a screen; model/preview.png is written anyway.")
    serve: bool = option(
        False,
        "Show the training on a page in a browser too: preview, curves, buttons; from another machine through ssh -L.",
        remember=False,
    )
    port: int = option(0, "Port of that page on 127.0.0.1; 0 takes a free one.", low=0, high=65_535)
    preview: bool = option(True, "Draw previews.")
    terminal_preview: bool = option(
        False, "Draw the faces in the terminal too, in coloured blocks: when a preview is asked for, and on saving."
    )
    write_preview_history: bool = option(
        False, "Keep a JPEG of the same faces every 10 iterations.", saved_with_model=True
    )
    tensorboard: bool = option(False, "Write the losses for TensorBoard into model/<name>/tensorboard.")
    debug: bool = option(False, "Show what the network gets, and train nothing.")
