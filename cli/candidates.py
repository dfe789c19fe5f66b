"""From the words of --models and --benchmarks to what evaluation compares."""

from itertools import islice
from pathlib import Path

from absl import logging

import weights
from cli.networks import find_weights
from data.paired import paired
from errors import UserError
from evaluation import multiply_adds
from evaluation.candidates import BicubicEngine, Candidate, ReadyPictures
from evaluation.pairs import load_pairs
from inference.engines import KerasEngine, TFLiteEngine
from inference.saved_models import SavedModelEngine, open_keras_file
from models import load_generator


def default_models(student_run, teacher):
    """What there is to compare after a distillation: bicubic, the teacher, the student, its TFLite file; [(name, word)].

    student_run: None for the shipped networks.
    """
    words = [("bicubic", "bicubic")]
    if student_run is None:
        return [*words, *((name, name) for name in weights.names())]
    if Path(teacher).exists():
        words.append(("teacher", teacher))
    words.append(("student", str(find_weights(student_run))))
    exported = Path(student_run) / "student.tflite"
    if not exported.is_file():
        return words
    if exported.stat().st_mtime < find_weights(student_run).stat().st_mtime:
        logging.warning("%s: older than the student's weights; export it again: python export_tflite.py", exported)
    return [*words, ("student.tflite", str(exported))]


def named(words):
    """["bicubic", "small=runs/a"] to [(name, word)]; a name is what stands before =, or the word. Raises UserError for a name given twice."""
    pairs = [tuple(word.split("=", 1)) if "=" in word else (word, word) for word in words]
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--models: {name} stands there twice; give one another name: NAME={name}")
    return pairs


def open_candidate(name, word, *, scale, threads=None):
    """A Candidate from a word: bicubic, a shipped network, a run folder, a .weights.h5, .keras or .tflite file, a SavedModel or picture folder.

    Raises UserError naming what cannot be opened.
    """
    if word == "bicubic":
        return Candidate(name, BicubicEngine(scale), path=word)
    path = Path(word)
    if not path.exists():
        path = weights.network_file(word) or path
    if path.suffix == ".tflite":
        return _tflite(name, path, threads)
    if path.suffix == ".keras":
        return _keras_file(name, path)
    if (path / "saved_model.pb").is_file():
        return _saved_model(name, path)
    if path.is_dir() and not is_run(path):
        return Candidate(name, pictures=ReadyPictures(path), path=word)
    path = find_weights(path)
    model = load_generator(path)
    return Candidate(name, KerasEngine(model), path=str(path), **_facts(path, model, model.scale))


def is_run(path):
    """Whether a folder is a training run."""
    return (Path(path) / "config.txt").is_file() or any(Path(path).glob("*.weights.h5"))


def folder_benchmarks(words, *, scale, data_root=None):
    """["Set5:DIR", "noisy:HR_DIR:LR_DIR", "Set14", …] to ({name: pairs}, [what is wrong with one, in one line]).

    One folder: LR is made by MATLAB's bicubic. Two: pairs matched by name, as data.paired has it. None: the folder of that name in data_root.
    Raises UserError for another form, and when no benchmark is left.
    """
    benchmarks, failures = {}, []
    for word in words:
        name, *folders = word.split(":")
        if data_root and not folders:
            folders = [str(Path(data_root) / name)]
        if not name or len(folders) not in (1, 2) or not all(folders):
            raise UserError(
                f"--benchmarks={word}: write NAME:FOLDER, such as Set5:pictures/Set5, or NAME:HR_FOLDER:LR_FOLDER, or NAME with --data_root"
            )
        try:
            single = len(folders) == 1
            benchmarks[name] = load_pairs(folders[0], scale=scale) if single else PairedFolders(*folders, scale=scale)
        except UserError as error:
            failures.append(f"{name}: left out: {error}")
    if not benchmarks:
        raise UserError(f"--benchmarks: none of them can be read: {'; '.join(failures)}")
    return benchmarks, failures


class PairedFolders:
    """Two folders matched by name as a benchmark; can be iterated again. Raises UserError as data.paired, and for a damaged file."""

    def __init__(self, hr_dir, lr_dir, *, scale):
        self._source = paired(hr_dir, lr_dir, split="validation", scale=scale, valid_dir=hr_dir, valid_lr_dir=lr_dir)
        self._hr_dir = hr_dir
        self.degradation = self._source.degradation

    def __iter__(self):
        number = 0
        for pair in load_pairs(self._source.pairs(), scale=self._source.scale):
            number += 1
            yield pair
        if number < self._source.count:
            raise UserError(f"{self._hr_dir}: only {number} of {self._source.count} pairs can be read")


class StorePairs:
    """The first pictures of a decoded store as a benchmark; can be iterated again."""

    def __init__(self, store, *, most):
        self._store, self._most = store, most
        self.degradation = store.degradation

    def __iter__(self):
        store = self._store
        triples = ((store.names[i], store.hr(i), store.lr(i)) for i in range(len(store)))
        return iter(load_pairs(islice(triples, self._most), scale=store.scale))


def _tflite(name, path, threads):
    engine = TFLiteEngine(path, threads=threads)
    content = path.read_bytes()
    return Candidate(
        name,
        engine,
        parameters=engine.sidecar.get("parameters"),
        file_size=len(content),
        path=str(path),
        multiply_adds=multiply_adds.of_tflite(content, engine.scale),
    )


def _keras_file(name, path):
    engine = open_keras_file(path)
    return Candidate(name, engine, path=str(path), **_facts(path, engine.model, engine.scale))


def _saved_model(name, path):
    engine = SavedModelEngine(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    counted = multiply_adds.of_saved_model(path, engine.scale)
    return Candidate(name, engine, parameters=engine.parameters, file_size=size, path=str(path), multiply_adds=counted)


def _facts(path, model, scale):
    counted = multiply_adds.of_keras(model, scale)
    return {"parameters": model.count_params(), "file_size": path.stat().st_size, "multiply_adds": counted}
