"""Small networks of random weights that other people's own code made, and what it gives for an
image each.

files.zip: by PyTorch 2.13 and the classes of spandrel 0.4.2 (RRDB in three sets of names,
SRVGGNetCompact, SPAN), or classes written from the public code (BasicSR's EDSR and MSRResNet,
EDSR-PyTorch, the tutorial's SRResNet); weights rounded to 16 bits, zip, legacy and safetensors.
answers.npz in it: NAME.x, an image (h, w, 3) in [0, 1], and NAME.y, what the network makes of it
there.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    with zipfile.ZipFile(Path(__file__).parent / "files.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def answers(files):
    with np.load(files / "answers.npz") as arrays:
        return dict(arrays)
