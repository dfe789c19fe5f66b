"""The two steps of training without a teacher: pixel by pixel, then against a discriminator.

A step is called with a batch, lr (B, h, w, 3) and hr (B, scale·h, scale·w, 3), both float32 in [0, 1]; it updates its networks and returns the
unweighted terms of its losses. `state` names all that a checkpoint must hold.
"""

import tensorflow as tf

from losses.pixel import total_variation_loss
from training.updates import apply_gradients, weighted_sum


class PixelStep:
    """Bring the output close to the original, pixel by pixel: the PSNR-oriented phase.

    pixel_loss: `f(hr, sr)` from `losses.pixel`.
    """

    def __init__(self, *, generator, optimizer, pixel_loss):
        self.generator, self.optimizer, self.pixel_loss = generator, optimizer, pixel_loss
        self.state = {"generator": generator, "optimizer": optimizer}

    def __call__(self, lr, hr):
        with tf.GradientTape() as tape:
            loss = self.pixel_loss(hr, self.generator(lr, training=True))
            scaled = self.optimizer.scale_loss(loss)
        apply_gradients(self.optimizer, tape, scaled, self.generator)
        return {"pixel": loss}


class AdversarialStep:
    """Deceive a discriminator while keeping to the original in content and pixels: the GAN phase of SRGAN and ESRGAN.

    content_loss, pixel_loss: `f(hr, sr)`. weights: of the terms content, pixel and adversarial; with one for total_variation there is that term too.
    Generator and discriminator take their updates on the same output (SRGAN's k = 1, where the adversary does not wait).
    """

    def __init__(self, *, generator, optimizer, adversary, content_loss, pixel_loss, weights):
        self.generator, self.optimizer, self.adversary = generator, optimizer, adversary
        self.content_loss, self.pixel_loss, self.weights = content_loss, pixel_loss, weights
        self.state = {"generator": generator, "optimizer": optimizer, **adversary.state}

    def __call__(self, lr, hr):
        with tf.GradientTape() as tape:
            sr = self.generator(lr, training=True)
            terms = {
                "content": self.content_loss(hr, sr),
                "pixel": self.pixel_loss(hr, sr),
                "adversarial": self.adversary.generator_loss(real=hr, fake=sr),
            }
            if "total_variation" in self.weights:
                terms["total_variation"] = total_variation_loss(sr)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.weights))
        apply_gradients(self.optimizer, tape, loss, self.generator)
        return {**terms, "discriminator": self.adversary.update(real=hr, fake=sr)}
