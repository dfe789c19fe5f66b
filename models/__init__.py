"""Networks by name, and their weight files. Keras only: they also run on Keras' other backends."""

from models.catalog import (
    DISCRIMINATORS,
    GENERATORS,
    build_discriminator,
    build_generator,
    clone,
    from_config,
    materialise,
)
from models.weight_files import (
    check_finite,
    load_generator,
    load_into,
    load_model,
    read_facts,
    read_network,
    save_weights,
)

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "build_discriminator",
    "build_generator",
    "check_finite",
    "clone",
    "from_config",
    "load_generator",
    "load_into",
    "load_model",
    "materialise",
    "read_facts",
    "read_network",
    "save_weights",
]
