"""What import_weights.py does: says what is in a file, and writes it as a weight file of ours."""

from pathlib import Path

from absl import logging

from errors import UserError
from published.parts import Found
from published.recognise import recognise
from records import sha256
from runs import FOREIGN, SUFFIX
from settings.files import ImportWeights
from weights import refuse_as_output


def import_weights(settings: ImportWeights, words: list[str]) -> int:
    """Describe the file and, without --describe, write its network. words: the one file.

    Raises UserError.
    """
    if len(words) != 1:
        raise UserError(f"{' '.join(words) or 'no file'}: give one file, of PyTorch, safetensors or Keras")
    importing, path = settings.importing, Path(words[0])
    output = None if importing.describe else _output(importing, path)
    found = recognise(path, activation=importing.activation)
    if importing.scale and importing.scale != found.network.scale:
        raise UserError(f"{path}: enlarges {found.network.scale} times, but --scale is {importing.scale}")
    print("\n".join(description(found)), flush=True)
    if output is None:
        return 0
    from models import save_weights  # Keras takes seconds to import: neither --describe nor a mistake waits for it
    from published.build import build

    model = build(found)
    facts = {"imported_from": path.name, "sha256": sha256(path)}
    if importing.licence:
        facts["licence"] = importing.licence
    try:
        save_weights(model, output, **facts)
    except OSError as error:
        raise UserError(f"--output={output}: cannot be written ({error.strerror})") from error
    logging.info(
        "%s: %s, for --teacher, upscale.py --model, evaluate.py --models, export_tflite.py --student",
        output,
        found.network.title,
    )
    return 0


def description(found: Found) -> list[str]:
    """What was found, in lines: the network, its sizes, its parameters, and what the file leaves
    open.
    """
    network = found.network
    sizes = ", ".join(f"{name} {value}" for name, value in network.config.items() if name != "scale")
    kinds = sorted({tensor.kind for tensor in found.tensors.values()})
    where = f" under {found.where!r}" if found.where else ""
    return [
        f"{network.title}, scale {network.scale}: {sizes}",
        f"{network.parameters(found.tensors):,} parameters in {len(found.tensors):,} tensors of {', '.join(kinds)}{where}",
        *(f"taken for granted: {remark}" for remark in network.remarks),
    ]


def _output(importing, path):
    """Where the weights go.

    Raises UserError for another kind of name, and for what is there already.
    """
    stem = next((path.name.removesuffix(suffix) for suffix in FOREIGN if path.name.endswith(suffix)), path.name)
    output = Path(importing.output or f"{stem}{SUFFIX}")
    if not output.name.endswith(SUFFIX):
        raise UserError(f"--output={output}: the name has to end in {SUFFIX}")
    refuse_as_output(output, flag="output")
    if output.exists() and not importing.overwrite:
        raise UserError(f"{output}: is there already; --overwrite replaces it, --output=FILE names another")
    return output
