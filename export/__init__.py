"""From a trained generator to a TFLite file that has been proven against it."""

from export.proof import Limits, prove
from export.saved_model import write_saved_model
from export.tflite import convert
from export.write import write_checked

__all__ = ["Limits", "convert", "prove", "write_checked", "write_saved_model"]
