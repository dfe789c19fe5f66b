"""data/mapped_file.py: a file of pixels, read through a memory map."""

import os

import numpy as np


class MappedFile:
    """values: all that the file holds, a read-only 1-D array on a memory map; nothing is copied into memory.

    A deleted file can be read to the end of the program. One that is cut short cannot: a read beyond its new end kills the process, so ask
    `holds` before. Raises OSError where the file cannot be opened, ValueError where it is shorter than `length`.
    """

    def __init__(self, path, *, dtype, length):
        self._file = open(path, "rb")  # noqa: SIM115  as long as the map is used
        # Viewed as a plain array (still on the map): slicing np.memmap itself costs several microseconds.
        self.values = np.memmap(self._file, dtype, mode="r", shape=(length,)).view(np.ndarray)

    def holds(self, end):
        """Whether the first `end` values are still there."""
        return os.fstat(self._file.fileno()).st_size >= end * self.values.itemsize
