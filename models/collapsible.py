"""A 3×3 convolution that trains as several branches and collapses into one kernel.

Sources: Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution" (SESR),
arXiv:2103.09404, for the linear block, its identity branch and for collapsing the kernels, not the
feature maps, at every training step (section 3.3); Zhang et al., "Edge-oriented Convolution Block"
(ECBSR), ACM MM 2021, for the 1×1→3×3 branch beside a plain one.
"""

from typing import Any

import numpy as np
from keras import KerasTensor as Tensor
from keras import constraints, initializers, layers, ops


def identity_kernel(filters: int) -> np.ndarray:
    """The (3, 3, filters, filters) kernel that gives back its input, as a NumPy array."""
    kernel = np.zeros((3, 3, filters, filters))
    kernel[1, 1] = np.eye(filters)
    return kernel


class IdentityInitializer(initializers.Initializer):
    """Kernels (3, 3, c, c) of a plain convolution that starts as the identity plus what
    `initializer` gives, as the collapsed block starts.

    Source: Zagoruyko and Komodakis, "DiracNets: Training Very Deep Neural Networks Without
    Skip-Connections", arXiv:1706.00388, for the start.
    """

    def __init__(self, initializer: initializers.Initializer) -> None:
        self.initializer = initializers.get(initializer)

    def __call__(self, shape, dtype=None):
        kernel = self.initializer(shape, dtype=dtype)
        return kernel + ops.convert_to_tensor(identity_kernel(shape[-1]), dtype=kernel.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"initializer": initializers.serialize(self.initializer)}


class CollapsibleConv(layers.Layer):
    """conv 3×3 + (conv 1×1 to expansion·c channels → conv 3×3) + identity: (B, h, w, c) to (B, h,
    w, filters).

    The branches are linear, so their sum is one 3×3 kernel, and that is what is convolved with, in
    training too: the images pass once, and the branches cost a product of small matrices. identity:
    whether there is that branch where c equals filters. The 1×1 convolution has no bias, so borders
    padded with zeros collapse exactly.
    """

    def __init__(
        self,
        filters: int,
        *,
        expansion: int = 2,
        identity: bool = True,
        activation: str | None = None,
        kernel_initializer: initializers.Initializer | str = "glorot_uniform",
        bias_constraint: constraints.Constraint | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.expansion, self.identity = filters, expansion, identity
        self.activation = activation
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels, wide = input_shape[-1], self.expansion * input_shape[-1]
        self.kernel = self.add_weight(
            shape=(3, 3, channels, self.filters), initializer=self.kernel_initializer, name="kernel"
        )
        self.squeeze = self.add_weight(shape=(channels, wide), initializer="glorot_uniform", name="squeeze")
        # Zeros: the block starts as a plain convolution and its identity.
        self.wide_kernel = self.add_weight(shape=(3, 3, wide, self.filters), initializer="zeros", name="wide_kernel")
        self.bias = self.add_weight(
            shape=(self.filters,), initializer="zeros", constraint=self.bias_constraint, name="bias"
        )
        self.has_identity = self.identity and channels == self.filters

    def collapsed_kernel(self) -> Tensor:
        """The (3, 3, c, filters) kernel that does what all branches do together."""
        kernel = self.kernel + ops.einsum("ce,hwef->hwcf", self.squeeze, self.wide_kernel)
        if self.has_identity:
            kernel = kernel + ops.convert_to_tensor(identity_kernel(self.filters), dtype=kernel.dtype)
        return kernel

    def call(self, x: Tensor) -> Tensor:
        y = ops.conv(x, self.collapsed_kernel(), padding="same") + self.bias
        return ops.relu(y) if self.activation == "relu" else y
