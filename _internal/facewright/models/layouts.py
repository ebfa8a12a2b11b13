"""How networks are put together for several people: a shared encoder, or paths that are trained in turn."""

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any

from facewright import nn
from facewright.core.workspace import SIDES
from facewright.models.base import FaceModel

if TYPE_CHECKING:  # it imports keras
    from facewright.nn.train_step import TrainStep


class Paths(FaceModel):
    """Each person's faces take a path of their own through the network; a swap takes that of another person."""

    @abstractmethod
    def path(self, side: str, faces: Any) -> tuple[Any, Any]:
        """Reconstruct one person's faces (b, S, S, 3): image (b, S, S, 3 or 1) and mask (b, S, S, 1) in 0..1."""

    @abstractmethod
    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Return one person's total, and what is reported of it.

        Args:
            face: What the sampler gave, by name, without the warped faces.
            picture, mask: What the network made.
        """

    def trained_by(self, side: str) -> tuple[str, ...]:
        """Return the names of the parts on a person's path: of the decoders that person's alone."""
        return tuple(name for name in self.parts if name not in self.decoders or name == f"decoder_{side}")

    def person_step(self, person: str) -> "TrainStep":
        """Return a step for one person, with an optimizer of its own: see `InTurn`."""
        own = f"decoder_{person}"
        # The encoder's average has followed already, in the step of src and dst.
        return self._step_of(person, own, average=self.average.part(own) if self.average else None)

    def _step_of(self, side: str, key: str, **more: Any) -> "TrainStep":
        def loss(face: dict[str, Any], reconstructed: tuple[Any, Any]) -> tuple[Any, dict[str, Any]]:
            total, reported = self.loss(face, *reconstructed)
            return total, {side: reported}

        return self.train_step(
            key, self.trained_by(side), partial(self.path, side), loss, streams=(side,), reports=(side,), **more
        )

    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Send dst's faces down the path of src."""
        return self.path("src", dst)

    def swap_back(self, src: Any) -> tuple[Any, Any]:
        """Send src's faces down the path of dst."""
        return self.path("dst", src)

    def own_mask(self, dst: Any) -> Any:
        """Send dst's faces down their own path: the mask."""
        return self.path("dst", dst)[1]

    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the sum of both people's totals, and what is reported of each."""
        of_src, src_reported = self.loss(src, reconstructed["src"], reconstructed["src_mask"])
        of_dst, dst_reported = self.loss(dst, reconstructed["dst"], reconstructed["dst_mask"])
        return of_src + of_dst, {"src": src_reported, "dst": dst_reported}


class SharedEncoder(Paths):
    """One encoder for all and a decoder each: the parts "encoder", "decoder_src", "decoder_dst", and those of `people`.

    A model that decodes in another way overrides `decode`.
    """

    def encode(self, faces: Any) -> Any:
        """Return what the encoder gives of faces (b, S, S, 3)."""
        return self.parts["encoder"](faces)

    def decode(self, side: str, code: Any) -> tuple[Any, Any]:
        """Decode as "src", "dst" or one of `people`: image (b, S, S, 3) and mask (b, S, S, 1)."""
        face, mask = self.parts[f"decoder_{side}"](code)
        return face, mask

    def path(self, side: str, faces: Any) -> tuple[Any, Any]:
        """Encode, decode as the person."""
        return self.decode(side, self.encode(faces))

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Encode both in one go (large weights are read once), decode each as the person it is."""
        code = self.encode(nn.ops.concatenate([src, dst]))
        count = nn.ops.shape(src)[0]
        src_face, src_mask = self.decode("src", code[:count])
        dst_face, dst_mask = self.decode("dst", code[count:])
        return {"src": src_face, "src_mask": src_mask, "dst": dst_face, "dst_mask": dst_mask}

    def swap_with_own_mask(self, dst: Any) -> tuple[Any, Any, Any]:
        """Encode dst once, decode as both."""
        code = self.encode(dst)
        return *self.decode("src", code), self.decode("dst", code)[1]

    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Return masked DSSIM and mask MAE; the DSSIM is reported."""
        unlike = nn.losses.masked_dssim(face["target"], picture, face["mask"])
        return unlike + nn.losses.mae(face["mask"], mask), unlike


class InTurn(Paths):
    """Trains src and dst in two steps, each with an optimizer of its own, as DF, LIAEF and MIAEF of 2018 did.

    This is not the same as one step on the sum of both losses: Adam divides the sum of the gradients by its own
    size, so what both people share would move once per iteration instead of twice. In 2018 one optimizer object
    served both steps, but Keras kept separate moments for each; so here each step has its own. Side by side on the
    sample (an eighth of the channels, 400 iterations) two steps learned more than one on the sum, LIAEF clearly and
    DF slightly, for 0 to 6 % more processor time.
    """

    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Return one person's total, which is also what is reported: masked DSSIM and squared error of the mask."""
        total = nn.losses.masked_dssim(face["target"], picture, face["mask"]) + nn.losses.mse(face["mask"], mask)
        return total, total

    def train_steps(self) -> "tuple[TrainStep, ...]":
        """Return a step for src and one for dst."""
        return tuple(self._step_of(side, side) for side in SIDES)

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Reconstruct both, each on its path."""
        (src_face, src_mask), (dst_face, dst_mask) = self.path("src", src), self.path("dst", dst)
        return {"src": src_face, "src_mask": src_mask, "dst": dst_face, "dst_mask": dst_mask}
