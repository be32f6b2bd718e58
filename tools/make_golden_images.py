"""Golden crops: what Pillow makes of the pictures in tests/data/image, in Hugging Face's order (convert to
RGB, resize the shorter side, cut the centre).

    python3 tools/make_golden_images.py tests/data/image CASES_FOLDER      (Pillow 9.4, numpy, safetensors)

CASES_FOLDER holds pictures to copy. Writes further pictures, and golden.safetensors: tensor "FILE|edge|crop|
filter" [crop, crop, 3] U8, "FILE|squash|width|height|filter" [height, width, 3], and "FILE|upright" [height, width, 3], the whole picture turned by its EXIF
orientation. PNG, GIF and WebP must be equal byte for byte, JPEG within 1. Later versions of
Pillow resize some extreme shapes in another order, so the version matters.
"""
import json
import math
import os
import shutil
import struct
import sys

import numpy as np
import PIL
from PIL import Image, ImageOps

COPY = ["anim.gif", "anim.webp", "bilevel_1bit.png", "cmyk_adobe.jpg", "crop_339x224.png", "exif6.jpg",
        "exif9_invalid.jpg", "la_alpha0.png", "ok.jpg", "one_1x1.png", "pal_trns.png", "progressive.jpg",
        "rgba_hidden.png", "still.webp", "syn_640x427.png", "three_3x3.png", "trunc_300x199.png", "up_37x91.png",
        "checker_896.png"]
SQUASHED = ["rgb.png", "strip_1x77.png", "strip_90x1.png", "tall.png", "one_1x1.png", "trunc_300x199.png"]
BAD = ["bomb_60000x60000.png", "empty.png", "html_as.jpg", "lie_ihdr.png", "trunc.jpg", "trunc.png"]


def reference(path, edge, crop, filter):
    image = Image.open(path).convert("RGB")
    w, h = image.size
    short, long = min(w, h), max(w, h)
    other = int(edge * long / short)
    w, h = (edge, other) if w <= h else (other, edge)
    pixels = np.array(image.resize((w, h), filter))
    full_w, full_h = max(w, crop), max(h, crop)
    canvas = np.zeros((full_h, full_w, 3), np.uint8)
    top, left = math.ceil((full_h - h) / 2), math.ceil((full_w - w) / 2)
    canvas[top:top + h, left:left + w] = pixels
    top, left = (full_h - crop) // 2, (full_w - crop) // 2
    return canvas[top:top + crop, left:left + crop].copy()


def noise(width, height, channels, seed):
    smooth = Image.fromarray(np.random.RandomState(seed).randint(0, 256, (7, 9, channels)).astype(np.uint8)
                             if channels > 1 else
                             np.random.RandomState(seed).randint(0, 256, (7, 9)).astype(np.uint8))
    return smooth.resize((width, height), Image.BICUBIC)


def make_pictures(folder):
    made = []

    def save(image, name, **options):
        image.save(os.path.join(folder, name), **options)
        made.append(name)
    rgb, rgba, gray = noise(61, 43, 3, 1), noise(45, 33, 4, 2), noise(40, 52, 1, 3)
    save(rgb, "rgb.png")
    save(rgba, "rgba.png")
    save(gray, "gray.png")
    save(rgba.convert("LA"), "gray_alpha.png")
    save(rgb.convert("P", palette=Image.ADAPTIVE), "palette.png")
    save(rgb.quantize(3), "palette_2bit.png", bits=2)
    save(rgb.quantize(13), "palette_4bit.png", bits=4)
    save(noise(1, 77, 3, 4), "strip_1x77.png")
    save(noise(90, 1, 3, 5), "strip_90x1.png")
    save(noise(5, 200, 3, 6), "tall.png")
    save(rgb, "rgb_444.jpg", quality=90, subsampling=0)
    save(rgb, "rgb_420.jpg", quality=75, subsampling=2)
    save(gray, "gray.jpg")
    save(rgb.convert("CMYK"), "cmyk.jpg")
    save(rgb, "progressive_small.jpg", progressive=True)
    save(rgb, "lossless.webp", lossless=True)
    save(rgba, "alpha.webp", lossless=True)
    save(rgb, "lossy.webp", quality=80)
    save(rgb, "plain.gif")
    save(rgb.quantize(7), "small.gif", interlace=1)
    save(rgba.convert("P", palette=Image.ADAPTIVE), "transparent.gif", transparency=3)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(noise(24, 16, 3, 8), f"exif_{orientation}.png", exif=exif)
    for kind in ("jpg", "webp"):
        exif = Image.Exif()
        exif[0x0112] = 6
        save(noise(24, 16, 3, 8), f"exif_6.{kind}", exif=exif)
    return made


def write_safetensors(path, tensors, metadata):
    header, at = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": "U8", "shape": list(array.shape), "data_offsets": [at, at + array.size]}
        at += array.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in tensors.values()))


def main():
    folder, cases = sys.argv[1:3]
    os.makedirs(folder, exist_ok=True)
    for name in COPY + BAD:
        shutil.copy(os.path.join(cases, name), folder)
    tensors = {}
    for name in COPY + make_pictures(folder):
        if name.startswith("exif_"):
            upright = ImageOps.exif_transpose(Image.open(os.path.join(folder, name)))
            tensors[f"{name}|upright"] = np.array(upright.convert("RGB"))
        sizes = [(224, 32, 3)] if name in COPY else []
        for edge, crop, filter in sizes + [(24, 24, 3), (24, 24, 2), (37, 20, 3), (9, 16, 3), (60, 33, 2)]:
            if name.startswith("exif_") and not (edge == 24 and filter == 3):
                continue
            if (name in COPY and edge not in (224, 24)) or (name == "checker_896.png" and edge != 224):
                continue
            tensors[f"{name}|{edge}|{crop}|{filter}"] = reference(os.path.join(folder, name), edge, crop, filter)
    for name in SQUASHED:
        for width, height, filter in [(24, 24, 3), (24, 24, 2), (31, 9, 3), (100, 3, 2)]:
            image = Image.open(os.path.join(folder, name)).convert("RGB")
            tensors[f"{name}|squash|{width}|{height}|{filter}"] = np.array(image.resize((width, height), filter))
    write_safetensors(os.path.join(folder, "golden.safetensors"), tensors, {"pillow": PIL.__version__})


if __name__ == "__main__":
    main()
