"""GAN losses on discriminator logits.

`real` and `fake` are raw logits of any shape: (B, 1) from a dense head, (B, h, w, 1) from a patch
map. Every function returns a float32 scalar, the mean over all logits. With s the sigmoid, -log
s(x) = softplus(-x): the losses are computed so, and never overflow.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras import KerasTensor as Tensor
from keras import ops


def bce_discriminator_loss(
    *, real: Tensor, fake: Tensor, real_target: Tensor | float = 1.0, fake_target: Tensor | float = 0.0
) -> Tensor:
    """-log s(real) - log(1 - s(fake)). Source: Goodfellow et al., arXiv:1406.2661, equation 1.

    real_target, fake_target: numbers or tensors of the logits' shape other than 1 and 0, for
    smoothed labels t:
    -t log s(x) - (1 - t) log(1 - s(x)) for each logit x. Source: Salimans et al., arXiv:1606.03498,
    section 3.4.
    """
    return ops.mean(_cross_entropy(real, real_target)) + ops.mean(_cross_entropy(fake, fake_target))


def _cross_entropy(logits, target):
    return target * ops.softplus(-logits) + (1.0 - target) * ops.softplus(logits)


def bce_generator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """-log s(fake), the non-saturating form.

    Source: SRGAN, arXiv:1609.04802, equation 6. `real` is not used.
    """
    return ops.mean(ops.softplus(-fake))


def relativistic_discriminator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """Score real above the average fake, and fake below the average real.

    -log s(real - mean(fake)) - log(1 - s(fake - mean(real))). The two terms are summed, not
    averaged.
    Source: ESRGAN, arXiv:1809.00219, equation 1.
    """
    return ops.mean(ops.softplus(ops.mean(fake) - real)) + ops.mean(ops.softplus(fake - ops.mean(real)))


def relativistic_generator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """The same with the roles swapped: -log(1 - s(real - mean(fake))) - log s(fake - mean(real)).

    Source: ESRGAN, equation 2.
    """
    return relativistic_discriminator_loss(real=fake, fake=real)


def hinge_discriminator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """max(0, 1 - real) + max(0, 1 + fake): logits beyond the margin weigh nothing.

    Source: Lim and Ye, arXiv:1705.02894, equation 14.
    """
    return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))


def hinge_generator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """-fake. Source: as above. `real` is not used."""
    return -ops.mean(fake)


def least_squares_discriminator_loss(
    *, real: Tensor, fake: Tensor, real_target: Tensor | float = 1.0, fake_target: Tensor | float = 0.0
) -> Tensor:
    """((real - 1)² + fake²) / 2, or the distance to other targets.

    Source: Mao et al. (LSGAN), arXiv:1611.04076, equation 9.
    """
    return (ops.mean(ops.square(real - real_target)) + ops.mean(ops.square(fake - fake_target))) / 2.0


def least_squares_generator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """(fake - 1)² / 2. Source: as above. `real` is not used."""
    return ops.mean(ops.square(fake - 1.0)) / 2.0


def smoothed_targets(
    *, real_noise: Tensor, fake_noise: Tensor, strength: float = 0.1, real_label: float = 1.0
) -> tuple[Tensor, Tensor]:
    """(real_label - strength · U, strength · U'): what originals and fakes are to be scored as, so
    that no logit is driven to infinity.

    real_noise, fake_noise: U, U' in [0, 1], of the logits' shapes. Source: the public Fast-SRGAN,
    with strength 0.1; real_label .99 is that of the public SRGAN from paired folders.
    """
    return real_label - strength * real_noise, strength * fake_noise


def linear_discriminator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """1 - s(real) + s(fake).

    Source: the public face SRGAN (github.com/tymonhuchla/srgan-pytorch, code/train.py).
    """
    return 1.0 - ops.mean(ops.sigmoid(real)) + ops.mean(ops.sigmoid(fake))


def linear_generator_loss(*, real: Tensor | None, fake: Tensor) -> Tensor:
    """1 - s(fake): unlike `bce_generator_loss` it has no gradient where the discriminator is sure.

    Source: as above, code/loss_fn.py.
    """
    return 1.0 - ops.mean(ops.sigmoid(fake))


class AdversarialLoss(NamedTuple):
    """A pair of losses that belong together.

    needs_real: the generator's loss looks at the real logits too. smoothable: the discriminator's
    takes real_target and fake_target.
    """

    discriminator: Callable
    generator: Callable
    needs_real: bool = False
    smoothable: bool = False


ADVERSARIAL_LOSSES = {
    "bce": AdversarialLoss(bce_discriminator_loss, bce_generator_loss, smoothable=True),
    "relativistic": AdversarialLoss(relativistic_discriminator_loss, relativistic_generator_loss, needs_real=True),
    "hinge": AdversarialLoss(hinge_discriminator_loss, hinge_generator_loss),
    "least_squares": AdversarialLoss(least_squares_discriminator_loss, least_squares_generator_loss, smoothable=True),
    "linear": AdversarialLoss(linear_discriminator_loss, linear_generator_loss),
}
