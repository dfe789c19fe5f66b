"""One progress bar over many files, its time measured in their bytes: a large picture counts for more than a small one."""

import sys

from tqdm import tqdm


class FileProgress:
    """`with FileProgress(paths) as progress`; shown on a terminal only."""

    def __init__(self, paths):
        self._sizes = {path: max(1, path.stat().st_size) if path.is_file() else 1 for path in paths}
        self._shares = dict.fromkeys(paths, 0.0)
        self._finished = 0
        self._bar = tqdm(
            total=sum(self._sizes.values()),
            bar_format="{percentage:3.0f}% |{bar}| {desc} {elapsed}, {remaining} left",
            disable=not sys.stderr.isatty(),
        )
        self._describe()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def advance(self, path, share):
        """A share of the work on `path` is done."""
        self._shares[path] += share
        self._bar.update(share * self._sizes[path])

    def finish(self, path):
        """All work on `path` is done, or will not be."""
        self._bar.update((1 - self._shares[path]) * self._sizes[path])
        self._finished += 1
        self._describe()

    def _describe(self):
        self._bar.set_description_str(f"{self._finished} of {len(self._sizes)} pictures,")
