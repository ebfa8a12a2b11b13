"""The losses of SAEHD and AMP: those of DeepFaceLab from 2020 on, in our own words and code.

Images are (b, S, S, 3) and masks (b, S, S, 1), both in 0..1; each loss is one number.
"""

from typing import Any, Protocol

from facewright import nn

ROUGHNESS, BACKGROUND = 1e-6, 0.02  # with a GAN: weights of total variation, and of the error around the mask
FACE_STYLE = 10_000  # weight of the distance of styles
FOCUS = 300  # weight of eyes and mouth
LARGE = 256  # px from which two windows of SSIM are used


class LossOptions(Protocol):
    """What of a model's options decides its losses."""

    @property
    def masked_training(self) -> bool:
        """Whether what lies outside the mask counts for nothing."""

    @property
    def eyes_mouth_prio(self) -> bool:
        """Whether eyes and mouth weigh more."""

    @property
    def blur_out_mask(self) -> bool:
        """Whether faces are blurred around their mask before they are learned."""

    @property
    def gan_power(self) -> float:
        """Weight of a discriminator's word."""


def reconstruction_loss(
    face: dict[str, Any], image: Any, mask: Any, options: LossOptions, *, fine: bool = False
) -> Any:
    """Return DeepFaceLab's loss of a rebuilt face: DSSIM and squared error inside a soft mask, and the mask's error.

    Args:
        face: "target", "mask", with the priority of eyes and mouth "focus"; (b, S, S, 3 or 1) in 0..1.
        image, mask: What the network made.
        options: Those of the training.
        fine: Whether small images are compared in two windows of SSIM, too.
    """
    losses = nn.losses
    target = learned(face, options)
    weight = soft_mask(face["mask"]) if options.masked_training else 1.0
    total = likeness(target * weight, image * weight, fine=fine)
    if options.eyes_mouth_prio:
        total += FOCUS * losses.mae(target * face["focus"], image * face["focus"])
    return total + 10 * losses.mse(face["mask"], mask)


def learned(face: dict[str, Any], options: LossOptions) -> Any:
    """Return the image that is to be learned of a face, (b, S, S, 3): see `reconstruction_loss`."""
    return blurred_outside(face["target"], face["mask"]) if options.blur_out_mask else face["target"]


def likeness(wanted: Any, made: Any, *, fine: bool = False) -> Any:
    """Return ten times DSSIM and squared error; DSSIM of large images, or where that is wanted, in two windows."""
    side, losses = made.shape[1], nn.losses
    windows = (side / 11.6, side / 23.2) if fine or side >= LARGE else (side / 11.6,)
    unlike = sum(losses.dssim(wanted, made, int(window)) for window in windows)
    return 10 / len(windows) * unlike + 10 * losses.mse(wanted, made)


def judged(face: dict[str, Any], image: Any, options: LossOptions) -> tuple[Any, Any]:
    """Return the real and the made image as the GAN sees them: with masked training inside the mask alone."""
    weight = soft_mask(face["mask"]) if options.masked_training else 1.0
    return learned(face, options) * weight, image * weight


def gan_word(gan: Any, face: dict[str, Any], image: Any, options: LossOptions) -> Any:
    """Return what a GAN says of a made image, as loss; the arguments are those of `gan_terms`."""
    return options.gan_power * sum(nn.losses.called_real(scores) for scores in gan(judged(face, image, options)[1]))


def gan_terms(gan: Any, face: dict[str, Any], image: Any, options: LossOptions) -> Any:
    """Return what a GAN adds to the loss of a rebuilt face.

    With masked training these are small terms too that keep the image even, and its background as it is. DeepFaceLab
    measures the evenness on the wrong axes when it runs on a GPU.

    Args:
        gan: Image -> its scores.
        face, image, options: See `reconstruction_loss`.
    """
    losses = nn.losses
    total = gan_word(gan, face, image, options)
    if options.masked_training:
        around = 1 - soft_mask(face["mask"])
        total += ROUGHNESS * losses.total_variation(image)
        total += BACKGROUND * losses.mse(learned(face, options) * around, image * around)
    return total


def face_style(made: dict[str, Any]) -> Any:
    """Return the distance of styles of dst's faces, drawn as src, from those drawn as dst; masks are not learned here.

    Args:
        made: "styled", "styled_mask" and "dst", "dst_mask" of SAEHD's `forward`.
    """
    fixed, sigma = nn.ops.stop_gradient, made["styled"].shape[1] // 8
    image = made["styled"] * fixed(made["styled_mask"])
    like = fixed(made["dst"] * made["dst_mask"])
    return FACE_STYLE * nn.losses.style_distance(gaussian_blur(image, sigma), gaussian_blur(like, sigma))


def background_style(dst: dict[str, Any], swapped: Any) -> Any:
    """Return how much a swap differs from dst around dst's mask.

    DeepFaceLab takes the mask of the face of src that happens to stand in the same place of the batch.

    Args:
        dst: "target", "mask" of dst's faces.
        swapped: The same drawn as src, (b, S, S, 3).
    """
    around = 1 - soft_mask(dst["mask"])
    return likeness(dst["target"] * around, swapped * around)


def soft_mask(mask: Any) -> Any:
    """Return a mask (b, S, S, 1) in 0..1 whose edge is soft towards the outside alone."""
    return 2 * nn.ops.clip(gaussian_blur(mask, max(1, mask.shape[1] // 32)), 0, 0.5)


def gaussian_blur(image: Any, sigma: float) -> Any:
    """Blur as DeepFaceLab: its Gaussian ends after twice sigma."""
    return nn.losses.blurred(image, sigma, max(3, int(4 * sigma)) // 2)


def blurred_outside(image: Any, mask: Any) -> Any:
    """Return faces that are as before where the mask is 1, and the blur of their own outside where it is 0.

    Args:
        image: (b, S, S, 3) in 0..1.
        mask: (b, S, S, 1) in 0..1.
    """
    sigma, ops = image.shape[1] / 128, nn.ops
    outside = gaussian_blur(image * (1 - mask), sigma)
    share = 1 - gaussian_blur(mask, sigma)
    share = ops.where(share == 0, ops.ones_like(share), share)
    return image * mask + outside / share * (1 - mask)
