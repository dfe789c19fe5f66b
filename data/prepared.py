"""data/prepared.py: data sets that TensorFlow Datasets downloads and prepares, and what can go
wrong with that.
"""

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import logging

from errors import UserError

_REACH_SECONDS = 20  # TensorFlow Datasets retries for more than three minutes, and sets no time limit on a connection


def prepared_builder(name: str, *, dataset: str, data_dir: str | Path, url: Callable[[Any], str], remedy: str) -> Any:
    """A TensorFlow Datasets builder whose data lie on disc, downloaded and prepared now where they
    do not.

    name: as TensorFlow Datasets has it, such as "div2k/bicubic_x4". dataset: as --dataset has it.
    url: `f(builder)`, an address that has to be in reach for a download. remedy: the end of every
    error message.

    Without a network it fails within about 20 seconds (and the time the system takes to give up on
    a host name).
    Raises UserError for that and for any other failure to download or prepare.
    """
    try:
        import tensorflow_datasets as tfds  # here, because it takes seconds and few data sets need it

        builder = tfds.builder(name, data_dir=str(data_dir))
        # Asked about a folder that is not there, TensorFlow Datasets logs a riddle.
        if not (Path(builder.data_path).is_dir() and builder.is_prepared()):
            _check_reachable(url(builder), dataset=dataset, data_dir=data_dir, remedy=remedy)
            builder.download_and_prepare()
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UserError(f"--dataset={dataset} needs the package {error.name}: pip install {error.name}") from error
    except Exception as error:  # requests, checksum, unpacking, disc: all mean that there are no images
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"--dataset={dataset} could not be prepared in {data_dir} ({reason}); {remedy}") from error
    return builder


def builder_files(builder: Any) -> list[Path]:
    """The prepared files of a builder, for a fingerprint."""
    return sorted(path for path in Path(builder.data_path).iterdir() if path.is_file())


def read_in_order(builder: Any, split: str, **options: Any) -> Any:
    """The examples of a split as numpy dicts, in the fixed order of the prepared files, one after
    the other and nothing ahead.

    options: of `builder.as_dataset`.
    """
    import tensorflow_datasets as tfds

    # Images may be 8 MB each once decoded: no interleaving, no prefetching.
    one_by_one = tfds.ReadConfig(interleave_cycle_length=1, skip_prefetch=True, try_autocache=False)
    return tfds.as_numpy(builder.as_dataset(split=split, read_config=one_by_one, shuffle_files=False, **options))


def _check_reachable(url, *, dataset, data_dir, remedy):
    """Fail soon and in one line without a network, unless an earlier run has downloaded something
    to go on from.
    """
    if any(Path(data_dir, "downloads").glob("**/*.zip")):
        return
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_REACH_SECONDS).close()
    except urllib.error.HTTPError as error:
        logging.warning("%s answers %s; downloading all the same", url, error)
    except OSError as error:
        raise UserError(
            f"--dataset={dataset} is not in {data_dir} and cannot be downloaded: {url} is out of reach "
            f"({getattr(error, 'reason', error)}). Check the network, or {remedy}"
        ) from error
