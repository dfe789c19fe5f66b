"""Distances between the feature maps of two networks, through what they say about how parts of the
image are related.
"""

from keras import KerasTensor as Tensor
from keras import ops


def affinity(features: Tensor) -> Tensor:
    """How alike the features at every two places are: (B, h, w, c) to (B, h·w, h·w), cosines in
    [-1, 1].
    """
    features = ops.cast(features, "float32")
    _, height, width, channels = features.shape
    flat = ops.reshape(features, (-1, height * width, channels))
    flat = flat / ops.sqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True) + 1e-12)
    return ops.matmul(flat, ops.transpose(flat, (0, 2, 1)))


def feature_affinity_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """Mean |A(teacher) - A(student)|, A the matrix of cosines between the features at all pairs of
    places; a float32 scalar.

    teacher, student: (B, h, w, c) of the same height and width; the channels may differ in number,
    which is what the matrices are for. Of a crop of h × w pixels they hold (h·w)² numbers for each
    picture: 24×24 makes 1.3 MB, 48×48 makes 21 MB. The size has to be static.

    Source: He et al., "FAKD: Feature-Affinity Based Knowledge Distillation for Efficient Image
    Super-Resolution", ICIP 2020, spatial affinity.
    """
    return ops.mean(ops.abs(affinity(teacher) - affinity(student)))
