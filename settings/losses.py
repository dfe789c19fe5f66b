"""By what a network learns."""

from dataclasses import dataclass
from typing import ClassVar

from settings.fields import setting

DISCRIMINATORS = ("srgan", "srgan_dense100", "patch", "unet")
PIXEL_LOSSES = ("mae", "mse", "charbonnier", "luma_mae", "luma_mse")
ADVERSARIAL_LOSSES = ("bce", "relativistic", "hinge", "least_squares", "linear")
VGG19_LAYERS = tuple(f"block{block}_conv{i + 1}" for block, n in enumerate((2, 2, 4, 4, 4), 1) for i in range(n))


@dataclass(frozen=True)
class Losses:
    """What the networks learn by."""

    heading: ClassVar[str] = "Losses"
    content_loss: str = setting(
        "vgg",
        "Content term where there is one. vgg: distance of VGG19 features; pixel: mean absolute difference, which needs no VGG19.",
        choices=("vgg", "pixel"),
        fixed=True,
    )
    content_weight: float = setting(
        1.0,
        "Weight of the content term; in distill.py that of the method, and only where it has the term.",
        low=0.0,
        fixed=True,
    )
    content_distance: str = setting(
        "l2",
        "Distance between VGG19's features: l2, squared, as SRGAN has it, or l1, absolute, as ESRGAN's code has it.",
        choices=("l2", "l1"),
        fixed=True,
    )
    perceptual_layer: str = setting(
        "block5_conv4", "VGG19 convolution whose features are compared.", choices=VGG19_LAYERS, fixed=True
    )
    before_activation: bool = setting(False, "Compare the features before the ReLU, as ESRGAN does.", fixed=True)
    shifted_features: bool = setting(
        False,
        "Show VGG19, and a discriminator that takes any size, crops that begin at different pixels, so that no grid grows from their strides.",
        fixed=True,
    )
    vgg_weights: str | None = setting(
        None,
        "File with VGG19's weights (Keras .h5, or .npz); without it they come from keras.applications, a download of 80 MB, once.",
        place=True,
    )
    adversarial_steps: int = setting(0, "Updates in the adversarial phase, which follows the first.", low=0)
    adversarial_learning_rate: float = setting(1e-4, "Adam's step size in the adversarial phase.", low=0.0, high=1.0)
    adversarial_decay_steps: tuple[str, ...] = setting(
        (), "--decay_steps of the adversarial phase, where they are others; counted from its beginning.", low=1
    )
    pixel_loss: str = setting(
        "mae",
        "Pixel term: mean absolute, squared, or smooth absolute difference; luma_: of the luma, and a tenth of that of the colours.",
        choices=PIXEL_LOSSES,
        fixed=True,
    )
    pixel_weight: float = setting(
        1e-2,
        "Weight of the pixel term in the adversarial phase, where there is no teacher.",
        low=0.0,
        fixed=True,
    )
    grid_weight: float = setting(
        0.0,
        "Weight, within the content term, of errors that repeat themselves from one low-resolution pixel to the next; 50,000 beside VGG19 up to "
        "block3_conv4. No effect in a pixel phase, which has no content term.",
        low=0.0,
        fixed=True,
    )
    adversarial_weight: float = setting(
        1e-3,
        "Weight of the adversarial term beside a content term of weight 1.",
        low=0.0,
        fixed=True,
    )
    adversarial_loss: str = setting(
        "bce",
        "bce: SRGAN's; relativistic: ESRGAN's relativistic average GAN; hinge; least_squares: LSGAN's; linear: 1 - D of the "
        "generator's images, D the probability of an original.",
        choices=ADVERSARIAL_LOSSES,
        fixed=True,
    )
    real_label: float = setting(
        1.0,
        "The label of originals before the discriminator: below 1, as 0.99, it need not be sure.",
        low=0.5,
        high=1.0,
        fixed=True,
    )
    tv_weight: float = setting(
        0.0,
        "Weight of the total variation of the output in the adversarial phase, no teacher.",
        low=0.0,
        fixed=True,
    )
    discriminator: str = setting(
        "srgan",
        "srgan: one logit a crop; srgan_dense100: the same with a small head; patch: one for 16×16 pixels; unet: one a pixel.",
        choices=DISCRIMINATORS,
        fixed=True,
    )
    discriminator_learning_rate: float | None = setting(
        None,
        "The discriminator's, where it is not --adversarial_learning_rate.",
        low=0.0,
        high=1.0,
    )
    generator_updates: int = setting(1, "Updates of the generator to each of the discriminator.", low=1, fixed=True)
    label_smoothing: float = setting(
        0.0,
        "How far, at most, labels 1 and 0 move towards each other at random, as 0.1.",
        low=0.0,
        high=0.5,
        fixed=True,
    )


@dataclass(frozen=True)
class ContentPhase:
    """The teacher that g2g, g2g_al and g2g_fa learn from."""

    heading: ClassVar[str] = "Losses"
    content_steps: int = setting(
        0,
        "Updates of a side branch: the pixel-trained generator, trained on with the content term alone (2500 in the study of G2G). "
        "It becomes teacher.content.weights.h5, which g2g, g2g_al and g2g_fa learn from; the GAN phase begins without it.",
        low=0,
    )


@dataclass(frozen=True)
class Interpolation:
    """Generators between the faithful and the realistic teacher."""

    heading: ClassVar[str] = "Losses"
    interpolate_alpha: tuple[str, ...] = setting(
        (),
        "After the GAN phase, also write teacher.alpha_<a>.weights.h5 with the weights (1 - a) pixel + a GAN, for these a in [0, 1], with commas.",
        low=0.0,
        high=1.0,
    )
