"""Golden embeddings of the demo model by open_clip: generated pictures and a few texts, in float32.

    python tools/make_golden_demo.py models/demo tests/golden/demo

OUT gets images/*.png, texts.json and expected.safetensors (`image_embeddings`, `text_embeddings`, of unit length, in
the order of the sorted file names and of texts.json). A float32 implementation should agree to 1e-3 in each number
and to 0.9999 in cosine: Pillow's resizing rounds to whole grey levels.
"""
import json
import os
import sys

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer

TEXTS = ["a photo of a cat", "a photo of a dog", "a photo of a car", "a photo of an automobile", "a photo of a banana",
         "a photo of a red beet", "a photo of a passion fruit", "the nice teapot", "This is a striped photo",
         "a photo of a carton of oat milk", "T-shirt", "a photo of a Granny Smith apple.", "don't", "3 lemons", "",
         "a photo of a 1967 Ford Mustang", "café au lait", "a photo of a screwdriver and a hammer on a wooden table",
         "a very long text that goes on and on and on about many things which nobody would ever put into a label of a "
         "photo because it is far longer than the context of this small text tower", "an image of the sea"]


def pictures():
    """Names and uint8 pictures [height, width, 3]."""
    rng = np.random.default_rng(2026)
    y, x = np.mgrid[0:256, 0:320].astype(np.float64)
    yield "noise", rng.integers(0, 256, (64, 64, 3))
    yield "gradient", np.stack([x / 319 * 255, y / 255 * 255, 255 - x / 319 * 255], 2)
    yield "disc", np.where(((x - 160) ** 2 + (y - 128) ** 2 < 90 ** 2)[..., None], [220, 40, 30], [245, 245, 240])
    yield "stripes", np.where((x // 16 % 2 == 0)[..., None], [20, 20, 20], [240, 200, 40])
    yield "waves", 127.5 + 127.5 * np.stack([np.sin(x / 9), np.sin(y / 13), np.sin((x + y) / 21)], 2)
    yield "blocks", np.kron(rng.integers(0, 256, (7, 7, 3)), np.ones((32, 32, 1)))
    yield "tall", 255 * np.linspace(0, 1, 300 * 60 * 3).reshape(300, 60, 3) ** 2
    yield "grey", np.full((224, 224, 3), 128)


def main():
    folder, out = sys.argv[1:3]
    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms("local-dir:" + folder)
    model.eval()
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    os.makedirs(os.path.join(out, "images"), exist_ok=True)
    for name, pixels in pictures():
        Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)).save(
            os.path.join(out, "images", name + ".png"), optimize=True)
    names = sorted(os.listdir(os.path.join(out, "images")))
    images = torch.stack([transform(Image.open(os.path.join(out, "images", n)).convert("RGB")) for n in names])
    ids = torch.zeros(len(TEXTS), model.context_length, dtype=torch.long)
    for i, text in enumerate(TEXTS):
        row = tokenizer.encode(text).ids
        if len(row) > model.context_length:
            row = row[:model.context_length - 1] + row[-1:]
        ids[i, :len(row)] = torch.tensor(row)
    with torch.inference_mode():
        save_file({"image_embeddings": model.encode_image(images, normalize=True),
                   "text_embeddings": model.encode_text(ids, normalize=True)},
                  os.path.join(out, "expected.safetensors"))
    with open(os.path.join(out, "texts.json"), "w", encoding="utf-8") as file:
        json.dump(TEXTS, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
