"""The perceptual (content) loss: distance between the features of a VGG19 trained on ImageNet.

`shift` shows it, or a discriminator, crops that begin at different pixels.

Sources: Simonyan and Zisserman, arXiv:1409.1556 (VGG19); Johnson et al., arXiv:1603.08155; SRGAN,
arXiv:1609.04802, equation 5 (features after activation, divided by 12.75); ESRGAN,
arXiv:1809.00219, section 3.3 (features before activation).
"""

import re
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import KerasTensor as Tensor
from keras import layers, ops

from errors import UserError
from losses.pretrained import read_arrays
from settings.losses import VGG19_LAYERS

# Blocks of VGG19: convolutions, filters.
BLOCKS = {"block1": (2, 64), "block2": (2, 128), "block3": (4, 256), "block4": (4, 512), "block5": (4, 512)}

# ImageNet means in the order blue, green, red, for pixels in [0, 255]: what Keras' VGG19 was
# trained with.
_MEANS_BGR = (103.939, 116.779, 123.68)


# Where the images of a batch begin in turn: every phase of two strides of 2 along each axis, in no
# regular order.
_STARTS = ((0, 0), (2, 2), (1, 3), (3, 1), (0, 2), (2, 0), (1, 1), (3, 3))


class PerceptualLoss:
    """Mean distance between VGG19 features of two images, squared or absolute: `loss(hr, sr)`, a
    float32 scalar.

    hr, sr: (B, H, W, 3) float32 RGB in [0, 1]. The means, the scale to [0, 255] and the division of
    the features by 12.75 are in here.
    layer: a VGG19 convolution, "block5_conv4" (VGG54) or "block2_conv2" (VGG22) in the literature.
    before_activation: compare what the layer gives before its ReLU, as ESRGAN does.
    distance: "l2" (SRGAN), squared, or "l1" (the code of ESRGAN), absolute.
    shifted: begin the images of a batch at different pixels (`shift`), so that the poolings see
    every sub-pixel.
    vgg_weights: None for the weights of `keras.applications` (80 MB come once from the network when
    they are not in Keras' cache), or a file: Keras' own VGG19 `.h5`, or an `.npz` with
    `<layer>__kernel` and `<layer>__bias`.

    Raises UserError when the layer is unknown, the file lacks it, or the weights cannot be had.
    """

    def __init__(
        self,
        *,
        layer: str = "block5_conv4",
        before_activation: bool = False,
        distance: str = "l2",
        shifted: bool = False,
        vgg_weights: str | None = None,
    ) -> None:
        if layer not in VGG19_LAYERS:
            raise UserError(
                f"--perceptual_layer={layer}: VGG19 has no such layer; choose one of {', '.join(VGG19_LAYERS)}"
            )
        self.features = _feature_network(layer, before_activation)
        arrays = _read_weights(vgg_weights)
        for name in VGG19_LAYERS[: VGG19_LAYERS.index(layer) + 1]:
            if name not in arrays:
                held = ", ".join(known for known in VGG19_LAYERS if known in arrays) or "no VGG19 layer"
                raise UserError(
                    f"--perceptual_layer={layer}: {vgg_weights} lacks {name}; it holds {held}. "
                    f"Name one of those, or a fuller --vgg_weights file"
                )
            try:
                self.features.get_layer(name).set_weights(arrays[name])
            except ValueError as error:
                shapes = " and ".join(str(array.shape) for array in arrays[name])
                raise UserError(f"--vgg_weights={vgg_weights}: {name} has shapes {shapes}, not VGG19's") from error
        self.features.trainable = False
        self.shifted = shifted
        self._distance = {"l2": ops.square, "l1": ops.abs}[distance]

    def __call__(self, hr: Tensor, sr: Tensor) -> Tensor:
        if self.shifted:
            hr, sr = shift(hr), shift(sr)
        difference = self._features_of(hr) - self._features_of(sr)
        return ops.mean(self._distance(ops.cast(difference, "float32")))

    def _features_of(self, images):
        bgr = ops.flip(images, axis=-1) * 255.0 - ops.convert_to_tensor(_MEANS_BGR, dtype=images.dtype)
        return self.features(bgr, training=False) / 12.75


def shift(images: Tensor) -> Tensor:
    """Begin the images of a batch 0 to 3 pixels from the corner: (B, H, W, 3) to (B, H - 4, W - 4,
    3), H and W from 8.

    Crops begin at whole low-resolution pixels. So the poolings of VGG19, and the strides of a
    discriminator, always fall on the same sub-pixels of a network's output; what they weigh
    differently it learns to make different, a faint grid. The k-th image of two batches of one size
    begins at the same pixel. The order of the images changes.
    """
    height, width = (ops.shape(images)[axis] - 4 for axis in (1, 2))
    groups = [
        images[group :: len(_STARTS), top : top + height, left : left + width]
        for group, (top, left) in enumerate(_STARTS)
    ]
    return ops.concatenate(groups, axis=0)


def _feature_network(layer, before_activation):
    x = inputs = keras.Input((None, None, 3))
    for block, (count, filters) in BLOCKS.items():
        for name in (f"{block}_conv{i + 1}" for i in range(count)):
            linear = before_activation and name == layer
            x = layers.Conv2D(filters, 3, padding="same", activation=None if linear else "relu", name=name)(x)
            if name == layer:
                return keras.Model(inputs, x, name="vgg19")
        x = layers.MaxPooling2D(2, name=f"{block}_pool")(x)


def _read_weights(path):
    """{layer: [kernel, bias]} of a file, or of Keras' own weights."""
    if path is None:
        return _arrays_of(_download())
    if Path(path).suffix == ".npz":
        arrays = read_arrays(path, flag="vgg_weights")
        kernels = {key: key.removesuffix("__kernel") for key in arrays if key.endswith("__kernel")}
        return {
            name: [arrays[kernel], arrays[f"{name}__bias"]]
            for kernel, name in kernels.items()
            if f"{name}__bias" in arrays
        }
    if not Path(path).is_file():
        raise UserError(f"--vgg_weights={path}: no such file")
    include_top = "notop" not in Path(path).name
    network = keras.applications.VGG19(weights=None, include_top=include_top)
    try:
        with warnings.catch_warnings():  # of a foreign file Keras lists every group
            warnings.simplefilter("ignore")
            network.load_weights(path)
    except Exception as error:  # h5py raises whatever damaged bytes lead it to
        reason = " ".join(str(error).split()).split(" Example error")[0][:120]
        raise UserError(f"--vgg_weights={path}: does not hold Keras' VGG19 ({reason})") from error
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise UserError(f"--vgg_weights={path}: holds weights that are no finite numbers")
    return _arrays_of(network)


def _download():
    try:
        return keras.applications.VGG19(weights="imagenet", include_top=False)
    except Exception as error:  # Keras raises a bare Exception when a download fails.
        raise UserError(
            f"the weights of VGG19 could not be downloaded ({_without_address(error)}). Name a file with --vgg_weights, "
            f"or train with --content_loss=pixel, which needs none"
        ) from error


def _without_address(error):
    """Why a download failed, naming the host instead of the long address."""
    return re.sub(r"https?://([^/\s]+)\S*", r"\1", " ".join(str(error).split()))[:160]


def _arrays_of(network):
    return {layer.name: layer.get_weights() for layer in network.layers if layer.name in VGG19_LAYERS}
