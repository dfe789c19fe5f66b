"""Small real inputs shared by the tests of data/."""

import numpy as np
import pytest
from PIL import Image

from data.folder import folder
from data.store import open_store


@pytest.fixture
def warnings_of_absl(caplog):
    """Messages that absl logs at warning level or above, as a list that fills while the
    test runs.
    """
    import logging

    logger = logging.getLogger("absl")
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.WARNING, logger="absl")
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture
def no_network(monkeypatch):
    """Every web request goes to a port where nothing listens, and is refused at once."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of five smooth-and-noisy images of different, partly odd, sizes; the last one
    validates.
    """
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(7)
    for number, (height, width) in enumerate([(128, 160), (131, 97), (200, 120), (96, 96), (100, 100)]):
        coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))
        Image.fromarray(pixels).save(root / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def store(photos, tmp_path_factory):
    """The four training images, x4: LR sizes 32x40, 32x24, 50x30 and 24x24."""
    return open_store(folder(photos, split="train", scale=4), cache_dir=tmp_path_factory.mktemp("cache"))
