"""Crops begun at different pixels, so that what judges them in strides of 2 and 4 sees every sub-pixel alike."""

from keras import ops

# Where the pictures of a batch begin in turn: every phase of two strides of 2 along each axis, in no regular order.
_STARTS = ((0, 0), (2, 2), (1, 3), (3, 1), (0, 2), (2, 0), (1, 1), (3, 3))


def shift(images):
    """Begin the pictures of a batch 0 to 3 pixels from the corner: (B, H, W, 3) to (B, H - 4, W - 4, 3), H and W from 8.

    Crops begin at whole low-resolution pixels. So the poolings of VGG19, and the strides of a discriminator, always fall on the same sub-pixels of
    a network's output; what they weigh differently it learns to make different, a faint grid. The k-th picture of two batches of one
    size begins at the same pixel. The order of the pictures changes.
    """
    height, width = (ops.shape(images)[axis] - 4 for axis in (1, 2))
    groups = [
        images[group :: len(_STARTS), top : top + height, left : left + width]
        for group, (top, left) in enumerate(_STARTS)
    ]
    return ops.concatenate(groups, axis=0)
