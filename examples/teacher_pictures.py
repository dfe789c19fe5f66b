"""Upscale a folder by any of the 40 architectures that the spandrel library opens, for distill.py
--teacher_images.

    pip install -r examples/requirements-teacher.txt
    python distill.py --dataset=folder --hr_dir=PHOTOS --export_lr=small
    python examples/teacher_pictures.py MODEL.pth small large
    python distill.py --dataset=folder --hr_dir=PHOTOS --method=comparative --teacher_images=large

An image is computed by squares with a margin, so that a large one fits into memory. The margin is
wide enough for convolutions; a transformer sees further, and shows less than a level of difference
there. Images that are there already are left alone.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from spandrel import ImageModelDescriptor, ModelLoader

SIDE, MARGIN = 192, 32  # low-resolution pixels


def upscaled(model: ImageModelDescriptor, image: np.ndarray) -> np.ndarray:
    """From (h, w, 3) uint8 to (scale·h, scale·w, 3) uint8."""
    lr = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None].to(model.device)
    height, width = image.shape[:2]
    result = np.empty((height * model.scale, width * model.scale, 3), np.uint8)
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            above, before = max(0, top - MARGIN), max(0, left - MARGIN)
            bottom, right = min(height, top + SIDE), min(width, left + SIDE)
            window = lr[:, :, above : bottom + MARGIN, before : right + MARGIN]
            sr = model(window)[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy()
            sr = sr[(top - above) * model.scale :, (left - before) * model.scale :]
            rows, columns = (bottom - top) * model.scale, (right - left) * model.scale
            target = result[top * model.scale :, left * model.scale :]
            target[:rows, :columns] = np.floor(sr[:rows, :columns] * 255 + 0.5)
    return result


def main(network: str, source: Path, target: Path) -> None:
    """Upscale every PNG file below `source` into `target`, under the same names."""
    model = ModelLoader(device="cuda" if torch.cuda.is_available() else "cpu").load_from_file(network)
    if not isinstance(model, ImageModelDescriptor) or model.input_channels != 3:
        sys.exit(f"{network}: a {model.architecture.name} that takes no single RGB image")
    model.eval()
    print(f"{network}: {model.architecture.name}, {model.scale} times")
    with torch.inference_mode():
        for path in sorted(source.rglob("*.png")):
            result = target / path.relative_to(source)
            if result.exists():
                continue
            result.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(upscaled(model, np.array(Image.open(path).convert("RGB")))).save(result)
            print(result)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
