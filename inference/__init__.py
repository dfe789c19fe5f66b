"""One upscaler over Keras and TFLite networks: engines, tiling, image files.

    from inference import Upscaler

    sr = Upscaler("student.tflite").upscale(image)    # (H, W, 3) uint8 -> (4H, 4W, 3) uint8

Neither TensorFlow nor Keras is imported until a Keras model is used.
"""

from inference.upscaler import Upscaler

__all__ = ["Upscaler"]
