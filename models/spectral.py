"""A convolution whose kernel, as a matrix, has the largest singular value one (Miyato et al., arXiv:1802.05957)."""

from keras import layers, ops


class SpectralConv2D(layers.Layer):
    """Convolution of kernel W / σ(W) without bias, "same" padding: (B, h, w, c) to (B, h/strides, w/strides, filters).

    σ is estimated by one step of power iteration at each call with training=True (algorithm 1 of the paper), from where the last one stopped;
    gradients pass through σ. `keras.layers.SpectralNormalization` writes W / σ back over W instead, so that the optimizer sees another
    variable than it updates, and no gradient reaches σ: hence a layer of our own.
    """

    def __init__(self, *, filters, kernel_size, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides

    def build(self, shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(self.kernel_size, self.kernel_size, shape[-1], self.filters), autocast=False
        )
        self.direction = self.add_weight(
            name="direction",
            shape=(1, self.filters),
            initializer="random_normal",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    def call(self, x, training=False):
        matrix = ops.reshape(self.kernel, (-1, self.filters))
        fixed = ops.stop_gradient(matrix)
        left = _unit(self.direction @ ops.transpose(fixed))
        right = _unit(left @ fixed)
        if training:
            self.direction.assign(right)
        sigma = ops.sum((left @ matrix) * right)
        kernel = ops.cast(self.kernel / sigma, x.dtype)
        return ops.conv(x, kernel, strides=self.strides, padding="same")

    def get_config(self):
        config = {"filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides}
        return {**super().get_config(), **config}


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)
