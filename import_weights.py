"""Import somebody else's network: import_weights.py FILE [--output NAME.weights.h5]

FILE is a .pth, .pt, .pth.tar, .safetensors or Keras .h5 file; nothing in it is run, and PyTorch is
not needed. The network is recognised from names and shapes (RRDB, SRVGGNetCompact, EDSR, SRResNet,
MSRResNet, SPAN, Fast-SRGAN) and written as a weight file, by default NAME.weights.h5 in the current
folder, for --teacher, upscale.py --model, evaluate.py --models and export_tflite.py --student.
docs/importing.md says more.
"""

from cli import app
from published.command import import_weights
from settings.files import ImportWeights

if __name__ == "__main__":
    app.run(import_weights, ImportWeights(), description=__doc__, operands=True)
