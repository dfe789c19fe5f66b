import numpy as np
import pytest
from PIL import Image

from data.bicubic import downscale
from errors import UserError
from evaluation.benchmark import evaluate_models
from evaluation.candidates import BicubicEngine, Candidate
from evaluation.crops import Crop, CropChooser, View, different_regions, draw_sheet, write_sheet
from evaluation.metrics import psnr
from evaluation.pairs import Pair
from inference.engines import Engine


class Network(Engine):
    """Bicubic, but no BicubicEngine: stands for a network.

    Where told, with a white square of 16 HR pixels.
    """

    receptive_field = 3

    def __init__(self, spot=None, scale=4):
        self.spot, self.scale = spot, scale

    def __call__(self, lr):
        sr = BicubicEngine(self.scale)(lr)
        if self.spot:
            top, left = self.spot
            sr[:, top : top + 16, left : left + 16] = 1
        return sr


def candidates(**engines):
    return {name: Candidate(name, engine) for name, engine in engines.items()}


def pair(name, height=96, width=128, brightness=60):
    hr = np.full((height, width, 3), brightness, np.uint8)
    return Pair(name, downscale(hr, 4), hr)


def choose_crops(models, pairs, **options):
    chooser = CropChooser(models, **options)
    evaluate_models(models, {"some": pairs}, watch=lambda benchmark, pair, results: chooser.add(pair, results))
    return chooser.crops()


@pytest.fixture
def models():
    return candidates(plain=Network(), spotted=Network(spot=(40, 72)))


def test_region_against_a_search_by_hand():
    pictures = [np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8) for seed in range(3)]
    grey = np.stack([picture @ np.array([65.481, 128.553, 24.966]) / 255 for picture in pictures]).std(axis=0)
    best = max((grey[y : y + 9, x : x + 9].mean(), -y, -x) for y in range(4, 18) for x in range(4, 28))
    ((top, left, difference),) = different_regions(pictures, size=9, border=4, most=1)
    assert (top, left) == (-best[1], -best[2]) and difference == pytest.approx(best[0], abs=1e-5)


def test_of_equal_regions_the_first_is_taken():
    flat = [np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 9, np.uint8)]
    assert different_regions(flat, size=8, border=4, most=1)[0][:2] == (4, 4)
    assert different_regions(flat, size=20, border=4, most=1)[0][:2] == (0, 0)  # no room left for a border


def test_several_regions_do_not_overlap_and_end_where_nothing_differs():
    first, second = np.zeros((2, 40, 60, 3), np.uint8)
    second[10:18, 10:18], second[12:20, 40:48], second[30:34, 5:9] = 90, 200, 90
    regions = different_regions([first, second], size=8, border=4, most=9)
    assert [region[:2] for region in regions[:3]] == [(12, 40), (10, 10), (26, 4)]
    assert len(regions) == 3


def test_the_spot_is_found_and_measured(models):
    ((name, hr, top, left, size, scale, border, _, views),) = choose_crops(models, [pair("p")], crop_size=16, rows=1)
    assert (name, top, left, size, scale, border) == ("p", 40, 72, 16, 4, 4)
    assert list(views) == ["LR", "bicubic", "plain", "spotted"]  # the input and bicubic are put in front
    np.testing.assert_array_equal(
        views["LR"].pixels[::4, ::4], pair("p").lr[10:14, 18:22]
    )  # each of its pixels a square
    assert (views["spotted"].pixels == 255).all() and (views["plain"].pixels == 60).all()
    white = np.full((16, 16, 3), 255, np.uint8)
    assert views["spotted"].crop_psnr == psnr(hr[:16, :16], white, border=0)
    assert views["spotted"].picture_psnr > views["spotted"].crop_psnr


def test_pictures_that_differ_most_come_first(models):
    pairs = [pair("bright", brightness=200), pair("dark", brightness=0), pair("middle", brightness=100)]
    assert [crop.name for crop in choose_crops(models, pairs, rows=2)] == ["dark", "middle"]


def find(sheet, block):
    """Where `block` stands in `sheet`, pixel by pixel."""
    starts = np.argwhere((sheet == block[0, 0]).all(axis=-1))
    height, width = block.shape[:2]
    return [(y, x) for y, x in starts if np.array_equal(sheet[y : y + height, x : x + width], block)]


def test_sheet_shows_every_pixel_as_a_square():
    random = np.random.default_rng(0)
    hr, student, bicubic = (random.integers(0, 256, size, np.uint8) for size in ((40, 60, 3), (12, 12, 3), (12, 12, 3)))
    views = {"bicubic": View(bicubic, 20.0, 21.0), "a student of a long name": View(student, 22.0, 23.0)}
    sheet = np.asarray(draw_sheet([Crop("name", hr, 8, 30, 12, 4, 4, 1.0, views)], tile=60, zoom=5))
    places = [find(sheet, pixels.repeat(5, 0).repeat(5, 1)) for pixels in (bicubic, student, hr[8:20, 30:42])]
    assert [len(found) for found in places] == [1, 1, 1]
    rows, columns = zip(*(found[0] for found in places), strict=True)
    assert len(set(rows)) == 1 and columns[0] < columns[1] < columns[2]


def test_sheet_file(models, tmp_path):
    pairs = [pair("one"), pair("smaller than the crop", 64, 200), pair("left out", brightness=220)]
    for name in ("first.png", "second.png"):
        write_sheet(tmp_path / "new" / name, choose_crops(models, pairs, rows=2, crop_size=80), crop_size=80, zoom=2)
    first, second = (path.read_bytes() for path in sorted((tmp_path / "new").iterdir()))
    assert first == second  # the same every time
    with Image.open(tmp_path / "new" / "first.png") as image:
        assert image.format == "PNG" and image.width > 5 * 160 and image.height > 2 * 160


def test_one_picture_gives_several_regions():
    models = candidates(one=Network(spot=(8, 8)), two=Network(spot=(40, 72)), three=Network(spot=(72, 8)))
    crops = choose_crops(models, [pair("p")], crop_size=16)
    assert sorted((crop.top, crop.left) for crop in crops) == [(8, 8), (40, 72), (72, 8)]


def test_every_picture_comes_before_a_second_region(models):
    pairs = [pair("dark", brightness=0), pair("bright", brightness=200)]
    models["third"] = Candidate("third", Network(spot=(8, 8)))
    crops = choose_crops(models, pairs, rows=3, crop_size=16)
    assert [crop.name for crop in crops] == ["dark", "dark", "bright"]


def test_a_model_that_failed_is_not_shown():
    models = candidates(sound=Network(spot=(8, 8)), broken=Network())
    chooser = CropChooser(models, crop_size=16)
    sr = np.full((96, 128, 3), 60, np.uint8)
    chooser.add(pair("p"), {"sound": sr, "broken": sr})
    assert [list(crop.views) for crop in chooser.crops(["sound"])] == [["LR", "bicubic", "sound"]]


def test_nothing_to_compare(tmp_path):
    with pytest.raises(UserError, match="at least one picture"):
        write_sheet(tmp_path / "a.png", [])
