"""Distances between images, pixel by pixel.

All images are (B, H, W, 3) float32 in [0, 1]; every function returns a float32 scalar, the mean
over batch, pixels and channels.
"""

from keras import KerasTensor as Tensor
from keras import ops

_LEVELS_SQUARED = 255.0**2
_COLOUR_SHARE = 0.1  # of the distance in R, G and B beside that in Y


def mae_loss(hr: Tensor, sr: Tensor) -> Tensor:
    """Mean |hr - sr|, the L1 loss that PSNR-oriented networks train on (EDSR, arXiv:1707.02921;
    ESRGAN, arXiv:1809.00219).
    """
    return ops.mean(ops.abs(hr - sr))


def mse_loss(hr: Tensor, sr: Tensor) -> Tensor:
    """Mean (hr - sr)², as SRResNet trains on (arXiv:1609.04802, equation 4)."""
    return ops.mean(ops.square(hr - sr))


def charbonnier_loss(hr: Tensor, sr: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean sqrt((hr - sr)² + ε²), a smooth L1 (LapSRN, arXiv:1704.03915, equation 2)."""
    return ops.mean(ops.sqrt(ops.square(hr - sr) + epsilon**2))


def imitation_loss(sr_teacher: Tensor, sr: Tensor) -> Tensor:
    """K: mean squared difference between the teacher's and the student's image, in units of 8-bit
    levels squared.

    A weight published for pixels in [0, 255] keeps its effect.
    """
    return _LEVELS_SQUARED * mse_loss(sr_teacher, sr)


def luma_mae_loss(hr: Tensor, sr: Tensor) -> Tensor:
    """Mean |Y(hr) - Y(sr)| + 0.1 · mean |hr - sr|: what PSNR on luma asks for, and a little for the
    colours.
    """
    return ops.mean(ops.abs(_luma(hr - sr))) + _COLOUR_SHARE * mae_loss(hr, sr)


def luma_mse_loss(hr: Tensor, sr: Tensor) -> Tensor:
    """Mean (Y(hr) - Y(sr))² + 0.1 · mean (hr - sr)²: the squared form of `luma_mae_loss`."""
    return ops.mean(ops.square(_luma(hr - sr))) + _COLOUR_SHARE * mse_loss(hr, sr)


def _luma(rgb):
    """(B, H, W, 3) to (B, H, W): Y of ITU-R BT.601 in full range."""
    return 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]


def total_variation_loss(sr: Tensor) -> Tensor:
    """2 · (mean (sr[y+1] - sr[y])² + mean (sr[x+1] - sr[x])²): what noise costs and flat areas do
    not.

    The squared form, as the public face SRGAN and its source have it, for weights such as 2e-8;
    after Rudin, Osher and Fatemi, Physica D 60 (1992). Images of one row or one column have no
    difference that way, which then counts as 0.
    """
    rows, columns = sr[:, 1:] - sr[:, :-1], sr[:, :, 1:] - sr[:, :, :-1]
    return 2.0 * sum(ops.mean(ops.square(step)) for step in (rows, columns) if 0 not in step.shape)


PIXEL_LOSSES = {
    "mae": mae_loss,
    "mse": mse_loss,
    "charbonnier": charbonnier_loss,
    "luma_mae": luma_mae_loss,
    "luma_mse": luma_mse_loss,
}
