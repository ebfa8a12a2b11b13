"""LIAEF128YAW: LIAEF128 whose src faces are drawn with the yaws that dst has (DeepFaceLab 2018)."""

from facewright.models.liaef128 import LIAEF128


class LIAEF128YAW(LIAEF128):
    """The network of LIAEF128; only the drawing of src's faces differs."""

    title = "as liaef128, src's faces drawn by dst's yaw: for src that looks elsewhere most of the time"
    matching = "yaw"
