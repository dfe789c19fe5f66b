"""What a network adds to every low-resolution pixel alike: the grid that adversarial training
leaves in smooth places. A loss of our own.
"""

from keras import KerasTensor as Tensor
from keras import ops

# Low-resolution pixels along the side of a place. Over 6x6 of them texture averages out and a grid
# does not; a crop of 24 has 49 such places.
_PLACE = 6


def grid_loss(hr: Tensor, sr: Tensor, *, scale: int) -> Tensor:
    """How strongly sr - hr repeats itself from one low-resolution pixel to the next, in places of
    6×6 of them; a float32 scalar.

    hr, sr: (B, scale·h, scale·w, 3) float32 in [0, 1], h and w from 6. The mean error of each of
    the scale² sub-pixels over a place, less the mean over all of them, is the pattern of the place;
    the loss is the mean over places of the pattern's root mean square. A network that draws texture
    without knowing which draws the same one everywhere, with the period of its depth-to-space: to
    VGG19 and a discriminator that is better than none, and pixel losses barely see it. What the
    original itself repeats costs nothing.
    """
    batch, height, width, channels = ops.shape(sr)
    error = ops.reshape(sr - hr, (batch, height // scale, scale, width // scale, scale, channels))
    error = ops.reshape(ops.transpose(error, (0, 1, 3, 5, 2, 4)), (batch, height // scale, width // scale, -1))
    mean = ops.average_pool(error, _PLACE, strides=_PLACE // 2, padding="valid")
    pattern = ops.reshape(mean, (-1, channels, scale**2))
    pattern = pattern - ops.mean(pattern, axis=-1, keepdims=True)
    return ops.mean(ops.sqrt(ops.mean(ops.square(pattern), axis=(1, 2)) + 1e-12))
