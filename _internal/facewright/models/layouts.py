"""How networks are put together for two people: a shared encoder, or two paths that are trained in turn."""

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any

from facewright import nn
from facewright.core.workspace import SIDES
from facewright.models.base import FaceModel

if TYPE_CHECKING:  # it imports keras
    from facewright.nn.train_step import TrainStep


class SharedEncoder(FaceModel):
    """One encoder for both people and a decoder each: the parts "encoder", "decoder_src" and "decoder_dst".

    A model that decodes in another way overrides `decode`.
    """

    def decode(self, side: str, code: Any) -> tuple[Any, Any]:
        """Decode as "src" or "dst": image (b, S, S, 3) and mask (b, S, S, 1)."""
        face, mask = self.parts[f"decoder_{side}"](code)
        return face, mask

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Encode both in one go (large weights are read once), decode each as the person it is."""
        code = self.parts["encoder"](nn.ops.concatenate([src, dst]))
        count = nn.ops.shape(src)[0]
        src_face, src_mask = self.decode("src", code[:count])
        dst_face, dst_mask = self.decode("dst", code[count:])
        return {"src": src_face, "src_mask": src_mask, "dst": dst_face, "dst_mask": dst_mask}

    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Encode dst, decode as src."""
        return self.decode("src", self.parts["encoder"](dst))

    def swap_back(self, src: Any) -> tuple[Any, Any]:
        """Encode src, decode as dst."""
        return self.decode("dst", self.parts["encoder"](src))

    def own_mask(self, dst: Any) -> Any:
        """Encode dst, decode as dst: its mask."""
        return self.decode("dst", self.parts["encoder"](dst))[1]

    def swap_with_own_mask(self, dst: Any) -> tuple[Any, Any, Any]:
        """Encode dst once, decode as both."""
        code = self.parts["encoder"](dst)
        return *self.decode("src", code), self.decode("dst", code)[1]

    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Masked DSSIM and mask MAE of both; the DSSIM terms are reported."""
        of_src = nn.losses.masked_dssim(src["target"], reconstructed["src"], src["mask"])
        of_dst = nn.losses.masked_dssim(dst["target"], reconstructed["dst"], dst["mask"])
        masks = nn.losses.mae(src["mask"], reconstructed["src_mask"]) + nn.losses.mae(
            dst["mask"], reconstructed["dst_mask"]
        )
        return of_src + of_dst + masks, {"src": of_src, "dst": of_dst}


class InTurn(FaceModel):
    """Trains src and dst in two steps, each with an optimizer of its own, as DF, LIAEF and MIAEF of 2018 did.

    This is not the same as one step on the sum of both losses: Adam divides the sum of the gradients by its own
    size, so what both people share would move once per iteration instead of twice. In 2018 one optimizer object
    served both steps, but Keras kept separate moments for each; so here each step has its own. Side by side on the
    sample (an eighth of the channels, 400 iterations) two steps learned more than one on the sum, LIAEF clearly and
    DF slightly, for 0 to 6 % more processor time.
    """

    @abstractmethod
    def trained_by(self, side: str) -> tuple[str, ...]:
        """Return the names of the parts on the path of "src" or "dst"."""

    @abstractmethod
    def path(self, side: str, faces: Any) -> tuple[Any, Any]:
        """Reconstruct one person's faces (b, S, S, 3): image (b, S, S, 3 or 1) and mask (b, S, S, 1) in 0..1."""

    def loss(self, batch: dict[str, Any], picture: Any, mask: Any) -> Any:
        """Return one person's total, which is also what is reported: masked DSSIM and squared error of the mask."""
        return nn.losses.masked_dssim(batch["target"], picture, batch["mask"]) + nn.losses.mse(batch["mask"], mask)

    def train_steps(self) -> "tuple[TrainStep, ...]":
        """Return a step for src and one for dst."""
        return tuple(self._step_of(side) for side in SIDES)

    def _step_of(self, side: str) -> "TrainStep":
        def loss(batch: dict[str, Any], reconstructed: tuple[Any, Any]) -> tuple[Any, dict[str, Any]]:
            total = self.loss(batch, *reconstructed)
            return total, {side: total}

        return self.train_step(
            side, self.trained_by(side), partial(self.path, side), loss, streams=(side,), reports=(side,)
        )

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Reconstruct both, each on its path."""
        (src_face, src_mask), (dst_face, dst_mask) = self.path("src", src), self.path("dst", dst)
        return {"src": src_face, "src_mask": src_mask, "dst": dst_face, "dst_mask": dst_mask}

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
        """Return the sum of both totals; the steps take them one by one."""
        of_src = self.loss(src, reconstructed["src"], reconstructed["src_mask"])
        of_dst = self.loss(dst, reconstructed["dst"], reconstructed["dst_mask"])
        return of_src + of_dst, {"src": of_src, "dst": of_dst}
