"""Options of a training; those of a model are declared in its own file."""

from dataclasses import dataclass

from facewright.core.options import option, port_option
from facewright.models.people import parse_more_src
from facewright.models.registry import model_classes
from facewright.nn import devices
from facewright.nn.gpus import check_gpus
from facewright.nn.saved_models import check_chosen
from facewright.train.goal import PLATEAU, Goal, parse_span, parse_time_of_day
from facewright.train.model_advice import explain_models, model_times
from facewright.train.recipe_names import NONE, SHIPPED, explain_recipes

MODELS = {name: model.title for name, model in model_classes().items()}
MASK_CHOICES = {
    "occlusion": "the hull of the landmarks without the hands before the face",
    "hull": "the hull of the landmarks, covered or not",
    "record": "the mask that the face in aligned/ carries (of the mask model, or imported); else as occlusion",
    "model": "what a trained mask model saw of the face; else as occlusion",
}
SAMPLING = {
    "auto": "on a GPU inside the training step, else by the processor ahead of it",
    "host": "by the processor, ahead of the step",
    "device": "inside the step: the faces lie in the device's memory, and only random numbers travel there",
}


@dataclass(frozen=True)
class ModelChoice:
    """What is trained."""

    model: str = option(
        "quick" if "quick" in MODELS else next(iter(MODELS)),
        "Network of the model. One that is there already goes on by its --name.",
        choices=MODELS,
        ask="Model",
        explain=explain_models,
        notes=model_times,
    )
    name: str = option(
        "",
        "Name of the model: its folder in model/; without it the model saved last, or the network's name.",
        check=check_chosen,
    )


@dataclass(frozen=True)
class GoalOptions:
    """How long."""

    target_iter: int = option(
        0,
        "Iteration at which to stop; 0 trains until you stop it.",
        low=0,
        ask="Target iteration",
        saved_with_model=True,
    )
    for_: str = option("", "Stop after so much training in this run: 10m, 1h30m, 2d.", check=parse_span, remember=False)
    until: str = option(
        "",
        "Stop when the clock next shows this time, 07:00 say; or plateau: when nothing improves any more.",
        check=parse_time_of_day,
        remember=False,
    )

    @property
    def goal(self) -> Goal:
        """When the training stops by itself."""
        rest = self.until.strip().lower() == PLATEAU
        return Goal(self.target_iter, parse_span(self.for_), parse_time_of_day(self.until), rest)


@dataclass(frozen=True)
class StartOptions:
    """From what it starts, and in which stages it goes."""

    recipe: str = option(
        NONE,
        "Stages of the training, which switch its options when they are due: none, kept (the model's own, in its "
        f"stage), {', '.join(SHIPPED)}, or a TOML file.",
        ask="Recipe",
        explain=explain_recipes,
    )
    start_from: str = option("", "Start a new model from the weights of this one that fit: its name or folder.")
    new_src: bool = option(False, "With --start-from: src is a different person than that model's.")
    more_src: str = option(
        "",
        "More people that a new model learns to put in, each with a decoder of his or her own: names and folders of "
        "their faces, anna=FOLDER, ben=FOLDER.",
        check=parse_more_src,
        saved_with_model=True,
    )
    pretrain: str = option("", "Pretrain on this folder with aligned faces of many people.")
    seed: int = option(0, "Random seed of a new model.", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class LearningOptions:
    """How it learns."""

    batch_size: int = option(
        0,
        "Faces per side and iteration; 0 chooses what fits the memory.",
        low=0,
        high=4096,
        ask="Batch size",
        saved_with_model=True,
    )
    uniform_yaw: bool = option(
        False, "Sample all head directions equally often, rare ones too.", saved_with_model=True, per_run=True
    )
    mask: str = option(
        "occlusion",
        "Mask that the model learns, if it learns one.",
        choices=MASK_CHOICES,
        saved_with_model=True,
        per_run=True,
    )
    hold_out: float = option(
        5.0,
        "Percent of each side's faces that are never trained on: by them it is told what the model has understood. "
        "0 holds out none.",
        low=0,
        high=30,
        saved_with_model=True,
    )
    learning_rate: float = option(
        1.0,
        "Learning rate as a multiple of the model's own.",
        low=0.001,
        high=100,
        saved_with_model=True,
        per_run=True,
    )
    frozen: str = option(
        "",
        "Parts of the network that stay as they are, with commas: encoder,decoder_dst.",
        saved_with_model=True,
        per_run=True,
    )
    precision: str = option("auto", "Compute precision.", choices=devices.POLICIES, saved_with_model=True)
    debug: bool = option(False, "Show the samples that the network gets, and train nothing.")


@dataclass(frozen=True)
class SavingOptions:
    """What is saved."""

    save_interval_min: float = option(
        10.0,
        "Longest time between two autosaves in minutes; a new run starts with one minute.",
        low=0.01,
        high=10_000,
        saved_with_model=True,
    )
    keep: int = option(2, "Number of saved states that are kept.", low=1, high=1000, saved_with_model=True)
    autobackup_hours: float = option(
        0.0,
        "Hours between two automatic backups, of which the newest 24 are kept; 0 makes none.",
        low=0,
        high=1000,
        saved_with_model=True,
    )
    write_preview_history: bool = option(
        True, "Keep images of the same faces for the time-lapse, at first every 10 iterations.", saved_with_model=True
    )
    history_images: int = option(
        300,
        "How many of these images there may be at most: when they become too many, every second one goes. 0 keeps all.",
        low=0,
        high=1_000_000,
        saved_with_model=True,
    )
    tensorboard: bool = option(False, "Write the losses for TensorBoard into model/<name>/tensorboard.")


@dataclass(frozen=True)
class DeviceOptions:
    """Where it runs."""

    gpus: str = option("", "GPUs: all, or their numbers; without it the best one.", check=check_gpus)
    force_best_gpu_idx: int = option(-1, "GPU that counts as the best; -1: by memory.", low=-1, high=99)
    choose_worst_gpu: bool = option(False, "Use the GPU with the least memory.")
    multi_gpu: bool = option(False, "Use all GPUs of the same model as the chosen one.")
    sampling: str = option("auto", "Where the training samples are made.", choices=SAMPLING)
    force_gpu_idxs: str = option("", "Numbers of the GPUs to use; overrides the other GPU options.", check=check_gpus)


@dataclass(frozen=True)
class WatchOptions:
    """How it is watched."""

    window: bool = option(True, "Open a preview window where there is a screen; model/preview.png is written anyway.")
    serve: bool = option(
        False,
        "Show the training on a page in a browser too: preview, curves, buttons; from another machine through ssh -L.",
        remember=False,
    )
    port: int = port_option()
    preview: bool = option(True, "Draw previews.")
    terminal_preview: bool = option(
        False, "Draw the faces in the terminal too, in coloured blocks: when a preview is requested, and on saving."
    )


@dataclass(frozen=True)
class TrainOptions(WatchOptions, DeviceOptions, SavingOptions, LearningOptions, StartOptions, GoalOptions, ModelChoice):
    """What the user decides at every run."""
