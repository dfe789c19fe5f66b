"""What is compared: networks, bicubic interpolation, and images that something else has made; from
the words of --models.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from absl import logging

import weights
from data import list_images, read_rgb, upscale
from errors import UserError
from evaluation import multiply_adds
from evaluation.pairs import find_picture
from inference.engines import Engine, use_tensorflow_threads
from inference.pixels import to_uint8
from inference.upscaler import open_engine
from runs import BICUBIC, EXPORTED, find_weights, look_up


@dataclass
class Candidate:
    """One row of the table: an engine, or `pictures`, and nothing to run.

    file_size in bytes. multiply_adds: of one output of 1280x720. None where not known.
    """

    name: str
    engine: Engine | None = None
    parameters: int | None = None
    file_size: int | None = None
    path: str | None = None
    multiply_adds: float | None = None
    pictures: "ReadyPictures | None" = None

    @property
    def is_bicubic(self) -> bool:
        return isinstance(self.engine, BicubicEngine)


class BicubicEngine(Engine):
    """MATLAB's bicubic interpolation as an engine: the row every table begins with."""

    receptive_field = 3  # two LR pixels to each side, and one for the half pixel between the grids

    def __init__(self, scale: int):
        self.scale = scale

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """Upscale lr (1, h, w, 3) float32 in [0, 1], taken as 8 bits -> (1, s*h, s*w, 3) float32,
        steps of 1/255.
        """
        sr = upscale(to_uint8(lr[0]), self.scale)
        return sr[None].astype(np.float32) / np.float32(255)


class ReadyPictures:
    """Another upscaler's output: FOLDER/<benchmark>/<name>.png, or FOLDER/<name>.png where there is
    one benchmark.
    """

    def __init__(self, folder: str | Path):
        """Raises UserError when the folder is missing or holds no image at any depth."""
        self.folder = Path(folder)
        if not list_images(self.folder):
            raise UserError(f"{self.folder}: holds no pictures, and no network either")

    def read(self, benchmark: str, name: str) -> np.ndarray:
        """The image that belongs to `name`, (H, W, 3) uint8.

        Its file has that name, or that name with something appended (img_001_x4.png). Raises
        UserError when it is missing or unreadable.
        """
        folder = self.folder / benchmark
        if not folder.is_dir():
            folder = self.folder
        path = find_picture(list_images(folder), name, folder=folder)
        if path is None:
            raise UserError(f"{folder}: no picture named {name}")
        return read_rgb(path)


def default_models(student_run: Path | None, teacher: str, *, asked: bool = False) -> list[tuple[str, str]]:
    """What there is to compare after a distillation: bicubic, the teacher, the student, its TFLite
    file; [(name, word)].

    student_run: None for the shipped networks. asked: whether somebody named the teacher; otherwise
    it is left out where it is not there.
    """
    words = [(BICUBIC, BICUBIC)]
    if student_run is None:
        return [*words, *((name, name) for name in weights.names())]
    if asked or Path(teacher).exists():
        words.append(("teacher", teacher))
    student, exported = find_weights(student_run), Path(student_run) / EXPORTED
    words.append(("student", str(student)))
    if not exported.is_file():
        return words
    if exported.stat().st_mtime < student.stat().st_mtime:
        logging.warning(
            "%s: older than the student's weights; export it again: python export_tflite.py --overwrite", exported
        )
    return [*words, (EXPORTED, str(exported))]


def named(words: Iterable[str]) -> list[tuple[str, str]]:
    """["bicubic", "small=runs/a"] to [(name, word)]; a name is what stands before =, or the word.

    Raises UserError for a name given twice.
    """
    pairs = [tuple(word.split("=", 1)) if "=" in word else (word, word) for word in words]
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--models: {name} stands there twice; give one another name: NAME={name}")
    return pairs


def open_candidate(
    name: str, word: str, *, scale: int, threads: int | None = None, model_range: str | None = None
) -> Candidate:
    """A Candidate from a word, as `runs.look_up` has it. model_range: see
    `inference.upscaler.open_engine`.

    Raises UserError naming what cannot be opened.
    """
    found = look_up(word)
    kind, path = found
    if kind == BICUBIC:
        return Candidate(name, BicubicEngine(scale), path=word)
    if kind == "images":
        return Candidate(name, pictures=ReadyPictures(path), path=word)
    engine = open_engine(found, threads=threads, model_range=model_range)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    facts = {"file_size": sum(file.stat().st_size for file in files), "path": str(path)}
    if kind == "tflite":
        counted = multiply_adds.of_tflite(path.read_bytes(), engine.scale)
        return Candidate(name, engine, engine.sidecar.get("parameters"), multiply_adds=counted, **facts)
    if kind == "saved_model":
        counted = multiply_adds.of_saved_model(path, engine.scale)
        return Candidate(name, engine, engine.parameters, multiply_adds=counted, **facts)
    counted = multiply_adds.of_keras(engine.model, engine.scale)
    return Candidate(name, engine, engine.model.count_params(), multiply_adds=counted, **facts)


def use_threads(threads: int | None) -> int:
    """Hold TensorFlow to so many threads, before it has started its own; all cores when None.

    Returns how many a model may use.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    use_tensorflow_threads(threads or cores)
    return threads or cores
