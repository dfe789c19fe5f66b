import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
from matplotlib.text import Text
from PIL import Image

from evaluation.candidates import Candidate
from evaluation.charts import _draw_panel, _figure, pareto_front, write_scatter, write_sweep
from evaluation.latency import Latency
from evaluation.results import BenchmarkScore, Evaluation, ModelResult, PictureScore


def score(psnr, ssim=0.8, lpips=None):
    return BenchmarkScore([PictureScore("p", psnr, ssim, [0.0] * 3, 40.0, lpips)])


def test_pareto_front_by_hand():
    points = [(10, 30.0), (5, 28.0), (20, 29.0), (30, 31.0), (30, 30.5), (40, 31.0)]
    assert pareto_front(points) == [(5, 28.0), (10, 30.0), (30, 31.0)]


def test_scatter_files(tmp_path):
    models = {
        name: ModelResult(Candidate(name), {"Set5": score(psnr)}, latency=Latency(ms, ms, 5, 180, 320, 2))
        for name, ms, psnr in (("bicubic", 1.0, 28.4), ("student", 27.0, 31.1), ("teacher", 1700.0, 32.0))
    }
    models["untimed"] = ModelResult(Candidate("untimed"), {"Set5": score(30.0)})
    paths = write_scatter(tmp_path / "new" / "chart", Evaluation(4, 4, "y", models, ["Set5"]))
    assert [path.name for path in paths] == ["chart.png", "chart.svg"]
    with Image.open(paths[0]) as image:
        assert image.width >= 1000 and len(np.unique(np.asarray(image.convert("L")))) > 20
    svg = paths[1].read_text()
    words = {element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")}
    assert {"bicubic", "student", "teacher", "Set5", "Pareto front"} <= words and "untimed" not in words
    assert "4 px border" in svg and "2 threads" in svg
    write_scatter(tmp_path / "again" / "chart", Evaluation(4, 4, "y", models, ["Set5"]))
    assert (tmp_path / "again" / "chart.svg").read_text() == svg  # the same every time


def test_names_keep_clear_of_each_other_and_of_the_points():
    crowd = {f"compact_{i}_perceptual": (20.0 * 1.2**i, 28.0 + 0.02 * (i % 3)) for i in range(9)} | {
        "bicubic": (12.0, 26.0)
    }
    figure, (axis,) = _figure(1)
    _draw_panel(axis, crowd, title="Set5", show_y=True)
    renderer = figure.canvas.get_renderer()
    boxes = {text.get_text(): Text.get_window_extent(text, renderer) for text in axis.texts}
    assert set(boxes) == set(crowd)
    frame = axis.get_window_extent(renderer)
    for first, second in itertools.combinations(boxes, 2):
        assert not boxes[first].overlaps(boxes[second]), (first, second)
    for name, box in boxes.items():
        assert (
            frame.containsx(box.x0) and frame.containsx(box.x1) and frame.containsy(box.y0) and frame.containsy(box.y1)
        )
        assert not any(box.contains(*axis.transData.transform(point)) for point in crowd.values()), name


def test_nothing_timed_no_chart(tmp_path):
    models = {"a": ModelResult(Candidate("a"), {"Set5": score(30.0)})}
    assert write_scatter(tmp_path / "chart", Evaluation(4, 4, "y", models, ["Set5"])) == []
    assert not list(tmp_path.iterdir())


def test_sweep_files(tmp_path):
    rows = [(alpha, {"Set5": score(31 - alpha, 0.88 - alpha / 10, 0.25 - alpha / 10)}) for alpha in (0.0, 0.5, 1.0)]
    _, svg = write_sweep(tmp_path / "sweep", rows, benchmarks=["Set5"], measure="lpips", protocol="PSNR on Y")
    assert ">0.5</text>" in svg.read_text() and "LPIPS" in svg.read_text()
