"""The drawings as tensors: cropped to their bounding box, centred on a transparent 64 x 64 square."""
import os

import numpy as np
from PIL import Image

from words import concepts, is_held_out

SIZE = 64
TRAIN_STYLES = ["noto", "fluent", "openmoji"]
TEST_STYLE = "twemoji"


def square(path, size=SIZE):
    """RGBA [size, size, 4], premultiplied by alpha, the drawing as large as fits."""
    image = Image.open(path).convert("RGBA")
    alpha = np.array(image)[..., 3] > 8
    if alpha.any():
        ys, xs = np.where(alpha.any(1))[0], np.where(alpha.any(0))[0]
        image = image.crop((xs[0], ys[0], xs[-1] + 1, ys[-1] + 1))
    width, height = image.size
    scale = size / max(width, height)
    image = image.convert("RGBa").resize((max(1, round(width * scale)), max(1, round(height * scale))),
                                         Image.BICUBIC)
    canvas = Image.new("RGBa", (size, size))
    canvas.paste(image, ((size - image.size[0]) // 2, (size - image.size[1]) // 2))
    return np.frombuffer(canvas.tobytes(), np.uint8).reshape(size, size, 4)


def load(folder, styles):
    """(pictures [n, 64, 64, 4] uint8, concept index [n], style [n], rows, held-out mask [concepts])."""
    rows = concepts(folder)
    categories = {}
    for row in rows:
        categories.setdefault(row["category"], []).append(row["id"])
    held_out = np.array([is_held_out(r, categories[r["category"]]) for r in rows])
    pictures, index, style = [], [], []
    for s in styles:
        for i, row in enumerate(rows):
            path = os.path.join(folder, s, row["id"] + ".png")
            if os.path.exists(path):
                pictures.append(square(path))
                index.append(i)
                style.append(s)
    return np.stack(pictures), np.array(index), np.array(style), rows, held_out


def on_white(pictures):
    """[n, 64, 64, 3] float in 0 .. 1: over white."""
    p = pictures.astype(np.float32) / 255
    return p[..., :3] + (1 - p[..., 3:])
