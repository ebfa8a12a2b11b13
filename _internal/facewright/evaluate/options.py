"""The options of an evaluation."""

from dataclasses import dataclass

from facewright.core.options import option
from facewright.evaluate.recognizer import RANGE_HELP


@dataclass(frozen=True)
class EvaluateOptions:
    """What is measured, and what it is compared with."""

    result: str = option(
        "", "The result: a video with one frame for each of dst, or a folder of images; without it data_dst/merged."
    )
    against: str = option(
        "",
        "Compare with this: another result (a video or folder of images), another workspace, or the evaluation.json "
        "of an earlier run.",
    )
    person: int = option(
        0, "Number of the person of dst whose faces were replaced; 0 takes all faces.", low=0, high=1_000_000
    )
    recognizer: str = option(
        "",
        "A face recognition network of your own that judges identity in place of dlib's: an ONNX file that takes "
        "upright faces (as a rule 112 x 112 pixels; size and layout are read from it) in RGB.",
    )
    recognizer_range: str = option("-1..1", "What that network wants colours to be.", choices=RANGE_HELP)
    noise_floor: bool = option(
        True, "Measure dst itself after one encoding (x264, crf 18) too: no figure is surer than that."
    )
    round_trip: bool = option(
        False,
        "Send faces of dst through the model, as src and as dst again, and hold them against themselves too: "
        "those that its training held out, where it did.",
    )
    round_trip_faces: str = option(
        "", "Folder of aligned faces of dst's person for that, which took no part in the training."
    )
    pairs: str = option(
        "",
        "A list of pairs of videos, a line each: name, src video, dst video. Each pair is extracted, trained, "
        "converted and evaluated in pairs/NAME of the workspace; one table says what came of all.",
    )
    minutes: float = option(
        20.0, "With --pairs: how long each pair is trained, in minutes, loading included.", low=0.01, high=100_000
    )
    model: str = option(
        "",
        "With --pairs the network that is trained, quick without it; else the trained model of the round trip, the one "
        "that was saved last without it.",
    )
