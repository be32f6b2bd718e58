#!/usr/bin/env python3
"""What --fast-decode gains and what it changes: the time to decode and crop JPEGs of three sizes, and cosines of
embeddings, scores and verdicts of the demo's photos, as large JPEGs of three kinds.

    bench/fast_decode.py [BUILD [SPEED_MODEL [MODEL]]]      (Pillow, numpy; cmake --build BUILD --target bench_clip)

SPEED_MODEL (BUILD/bench/b32, which bench/run.sh makes) says to what size pictures are cut for the times; MODEL
(models/demo) judges the photos that demo/get_photos.sh has put into BUILD/demo-photos. The kinds: "smooth", photos enlarged by a bicubic filter; "hard", by repeating pixels, so that
edges are as sharp as JPEG has them; "grain", smooth with noise of 12 levels in each pixel.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIZES = ((500, 375), (1280, 960), (4000, 3000))
FACTORS = (4, 6, 9, 16)  # how many times the side that the model resizes to; reduced to 1/2, 1/2, 1/4 and 1/8


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, **options).stdout


def scene(width, height):
    """Detail at all sizes, as a photograph has."""
    random, sum = np.random.RandomState(0), np.zeros((height, width, 3))
    for columns, weight in ((8, 90), (64, 50), (400, 30), (1600, 12)):
        cells = random.randint(0, 256, (max(2, columns * height // width), columns, 3)).astype(np.uint8)
        sum += weight / 255 * np.asarray(Image.fromarray(cells).resize((width, height), Image.BICUBIC), float)
    return Image.fromarray(np.clip(sum, 0, 255).astype(np.uint8))


def speed(build, model, folder):
    paths = []
    for width, height in SIZES:
        picture = scene(width, height)
        for name, options in (("", {}), ("-progressive", {"progressive": True})):
            paths.append(f"{folder}/{width}x{height}{name}.jpg")
            picture.save(paths[-1], quality=90, **options)
    print("\n".join(line.replace(folder + "/", "") for line in
                    run(f"{build}/bench/bench_clip", model, "--threads", "1", "--seconds", "6", *paths).splitlines()
                    if "decode" in line), flush=True)


def enlarge(picture, side, kind, seed):
    large = picture.resize((side, side), Image.NEAREST if kind == "hard" else Image.BICUBIC)
    if kind != "grain":
        return large
    noise = np.random.RandomState(seed).normal(0, 12, (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(large) + noise, 0, 255).round().astype(np.uint8))


def embeddings(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start = file.tell()
        entry = header["embeddings"]
        file.seek(start + entry["data_offsets"][0])
        return np.frombuffer(file.read(entry["data_offsets"][1] - entry["data_offsets"][0]),
                             "<f4").reshape(entry["shape"])


def effect(mmood, model, edge, kind, factor, folder):
    pictures = f"{folder}/{kind}-{factor}"
    for group in ("id", "far", "near"):
        source = f"{os.path.dirname(mmood)}/demo-photos/{group}"
        os.makedirs(f"{pictures}/{group}")
        for i, name in enumerate(sorted(os.listdir(source))):
            enlarge(Image.open(f"{source}/{name}").convert("RGB"), edge * factor, kind, i).save(
                f"{pictures}/{group}/{name[:-4]}.jpg", quality=90)
    ids = "".join(f"{pictures}/id/{name}\n" for name in sorted(os.listdir(f"{pictures}/id")))
    found = []
    for option in ((), ("--fast-decode",)):
        common = ("-m", model, "--quiet", "--precision", "f32", *option)
        run(mmood, "embed", *common, "--images", pictures, "-o", f"{folder}/e")
        run(mmood, "build", "-m", model, "--quiet", "--precision", "f32", "--id", "demo/sold.txt", "--outliers",
            "demo/outliers.txt", "-o", f"{folder}/d")
        run(mmood, "calibrate", f"{folder}/d", *common, "-", "-o", f"{folder}/c", input=ids)
        rows = [[json.loads(line) for line in
                 run(mmood, "score", *common, f"{folder}/{detector}", pictures, "--format", "json").splitlines()]
                for detector in ("d", "c")]
        found.append((embeddings(f"{folder}/e"), rows))
    (a, whole), (b, fast) = found
    cosines = (a.astype(float) * b).sum(1)
    scores = [np.array([row["score"] for row in rows[0]]) for rows in (whole, fast)]
    flips = [sum(x["verdict"] != y["verdict"] for x, y in zip(whole[i], fast[i])) for i in (0, 1)]
    off = np.abs(scores[0] - scores[1])
    print(f"{kind:7} {edge * factor:5} {len(cosines):8} {cosines.min():8.5f} {cosines.mean():8.5f} {off.mean():10.2g} "
          f"{off.max():10.2g} {scores[0].std():10.2g} {flips[0]:8} {flips[1]:10}", flush=True)


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else f"{ROOT}/build")
    speed_model = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else f"{build}/bench/b32"
    model = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else f"{ROOT}/models/demo"
    mmood = f"{build}/mmood"
    edge = json.loads(run(mmood, "inspect", model, "--json"))["preprocess"]["resize"]["shortest_edge"]
    with tempfile.TemporaryDirectory() as folder:
        speed(build, speed_model, folder)
        print(f"\n{'kind':7} {'side':>5} {'pictures':>8} {'cos min':>8} {'cos mean':>8} {'score off':>10} {'at most':>10} "
              f"{'scores sd':>10} {'flips':>8} {'calibrated':>10}")
        for kind in ("smooth", "hard", "grain"):
            for factor in FACTORS:
                effect(mmood, model, edge, kind, factor, folder)


if __name__ == "__main__":
    main()
