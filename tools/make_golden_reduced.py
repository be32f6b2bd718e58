"""Golden crops of JPEGs decoded at reduced size, by Pillow: Image.draft, then a resize of the box that the picture
covers in the reduced one, then the centre.

    python3 tools/make_golden_reduced.py tests/data/image      (Pillow, numpy)

Writes the pictures, reduced_*.jpg, and reduced.safetensors: tensor "FILE|shrink|edge|crop" [crop, crop, 3] U8,
bicubic. Equal within 1.
"""
import os
import sys

import numpy as np
import PIL
from PIL import Image, ImageOps

from make_golden_images import write_safetensors

WIDTH, HEIGHT = 203, 151
# shrink, edge, crop: the smallest edge and the largest at which a shorter side of 151 is reduced so far
CROPS = [(8, 3, 3), (8, 9, 9), (4, 10, 8), (4, 18, 18), (2, 19, 16), (2, 37, 24), (1, 38, 24)]


def noise(channels, seed):
    coarse = np.random.RandomState(seed).randint(0, 256, (31, 41, channels)).astype(np.uint8)
    return Image.fromarray(coarse if channels > 1 else coarse[..., 0]).resize((WIDTH, HEIGHT), Image.BICUBIC)


def make_pictures(folder):
    rgb, gray = noise(3, 1), noise(1, 2)
    made = {}

    def save(image, name, orientation=1, **options):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(os.path.join(folder, name), exif=exif, quality=80, **options)
        made[name] = orientation
    save(rgb, "reduced_420.jpg", subsampling=2)
    save(rgb, "reduced_444_progressive.jpg", subsampling=0, progressive=True)
    save(gray, "reduced_gray.jpg")
    save(rgb.convert("CMYK"), "reduced_cmyk.jpg")
    save(rgb, "reduced_exif3.jpg", orientation=3, subsampling=2)
    save(rgb, "reduced_exif6.jpg", orientation=6, subsampling=2)
    return made


def reference(path, orientation, shrink, edge, crop):
    image = Image.open(path)
    image.draft(None, (WIDTH // shrink, HEIGHT // shrink))
    assert image.size == (-(-WIDTH // shrink), -(-HEIGHT // shrink)), image.size
    covered = (WIDTH / shrink, HEIGHT / shrink)
    image = ImageOps.exif_transpose(image).convert("RGB")
    width, height, (w, h) = WIDTH, HEIGHT, covered
    left = top = 0
    if orientation == 3:  # half a turn: what the last column and row lack is at the first ones
        left, top = image.width - w, image.height - h
    if orientation == 6:  # a quarter clockwise: rows, from the last, become columns
        width, height, w, h = height, width, h, w
        left = image.width - w
    size = (edge, int(edge * height / width)) if width < height else (int(edge * width / height), edge)
    pixels = np.array(image.resize(size, Image.BICUBIC, box=(left, top, left + w, top + h)))
    y, x = (size[1] - crop) // 2, (size[0] - crop) // 2
    return pixels[y:y + crop, x:x + crop]


def main():
    folder = sys.argv[1]
    tensors = {}
    for name, orientation in make_pictures(folder).items():
        path = os.path.join(folder, name)
        for shrink, edge, crop in CROPS:
            tensors[f"{name}|{shrink}|{edge}|{crop}"] = reference(path, orientation, shrink, edge, crop)
    write_safetensors(os.path.join(folder, "reduced.safetensors"), tensors, {"pillow": PIL.__version__})


if __name__ == "__main__":
    main()
