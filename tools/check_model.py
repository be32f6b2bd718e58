"""Compares mmood with transformers at full size: random ViT-B/16 and L/14, 100 pictures, 1,000 labels.

    python tools/check_model.py BUILD [b16|l14]...     (torch, transformers, safetensors, pillow, numpy)

Pictures go through Pillow and Hugging Face's order of steps on the other side. Exit code 1 if a cosine is below
0.999999 in f32 or 0.999 in bf16.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import CLIPConfig, CLIPModel

HERE = os.path.dirname(os.path.abspath(__file__))
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
SIZES = {"b16": (768, 12, 16, 512, 12, 512), "b32": (768, 12, 32, 512, 12, 512), "l14": (1024, 24, 14, 768, 12, 768)}
LEAST = {"f32": 0.999999, "bf16": 0.999}


def make_model(folder, size):
    width, layers, patch, text, text_layers, dimension = SIZES[size]
    config = CLIPConfig(
        projection_dim=dimension,
        text_config=dict(hidden_size=text, intermediate_size=4 * text, num_hidden_layers=text_layers,
                         num_attention_heads=text // 64, eos_token_id=49407, bos_token_id=49406, pad_token_id=49407),
        vision_config=dict(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
                           num_attention_heads=width // 64, patch_size=patch))
    torch.manual_seed(1)
    model = CLIPModel(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1 and "norm" not in name and "class" not in name:
                p.normal_(0, 0.1)
    model.save_pretrained(folder)
    shutil.copy(os.path.join(HERE, "..", "models", "demo", "tokenizer.json"), folder)
    with open(os.path.join(folder, "preprocessor_config.json"), "w") as file:
        json.dump({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}, "crop_size": 224,
                   "resample": 3, "image_mean": MEAN, "image_std": STD}, file)
    return model


def make_pictures(folder, count):
    rng = np.random.RandomState(3)
    paths = []
    for i in range(count):
        w, h = rng.randint(40, 700, 2)
        small = Image.fromarray(rng.randint(0, 256, (rng.randint(3, 40), rng.randint(3, 40), 3)).astype(np.uint8))
        paths.append(os.path.join(folder, f"{i:03}.png"))
        small.resize((w, h), Image.BICUBIC).save(paths[-1])
    return paths


def pixels(path):
    image = Image.open(path).convert("RGB")
    w, h = image.size
    other = int(224 * max(w, h) / min(w, h))
    image = image.resize((224, other) if w <= h else (other, 224), Image.BICUBIC)
    w, h = image.size
    left, top = (w - 224) // 2, (h - 224) // 2
    crop = np.array(image)[top:top + 224, left:left + 224]
    x = (torch.from_numpy(crop).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    return x.permute(2, 0, 1)


def labels(count):
    with open("/usr/share/wordnet/index.noun", encoding="latin-1") as file:
        words = [line.split()[0].replace("_", " ") for line in file if not line.startswith("  ")]
    return ["a photo of a " + w for w in words[::len(words) // count][:count]]


def features(out):
    out = out if torch.is_tensor(out) else out.pooler_output
    return torch.nn.functional.normalize(out.float(), dim=1).numpy()


def reference(model, folder, paths, texts):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.enable_truncation(77)
    rows = []
    with torch.no_grad():
        images = np.concatenate([features(model.get_image_features(pixel_values=torch.stack(
            [pixels(p) for p in paths[i:i + 10]]))) for i in range(0, len(paths), 10)])
        for text in texts:
            rows.append(features(model.get_text_features(input_ids=torch.tensor([tokenizer.encode(text).ids]))))
    return images, np.concatenate(rows)


def embed(program, folder, work, precision, arguments):
    out = os.path.join(work, "out.safetensors")
    subprocess.run([program, "embed", "-m", folder, "--precision", precision, "-o", out, *arguments], check=True)
    with safe_open(out, "np") as file:
        return file.get_tensor("embeddings")


def main():
    program, failed = os.path.join(sys.argv[1], "mmood"), False
    for size in sys.argv[2:] or ["b16", "l14"]:
        with tempfile.TemporaryDirectory() as work:
            folder = os.path.join(work, size)
            model = make_model(folder, size)
            paths, texts = make_pictures(work, 100), labels(1000)
            with open(os.path.join(work, "texts.txt"), "w") as file:
                file.write("\n".join(texts) + "\n")
            expected = reference(model, folder, paths, texts)
            del model
            for precision in ("f32", "bf16"):
                if precision == "bf16" and "avx512_bf16" not in open("/proc/cpuinfo").read():
                    print("bf16: not on this CPU")
                    continue
                found = (embed(program, folder, work, precision, ["--images", *paths]),
                         embed(program, folder, work, precision, ["--texts", os.path.join(work, "texts.txt")]))
                for what, a, b in zip(("pictures", "labels"), found, expected):
                    cosines = (a.astype(np.float64) * b).sum(1) / np.linalg.norm(b.astype(np.float64), axis=1)
                    print(f"{size} {precision} {len(a)} {what}: cosine min {cosines.min():.8f} mean {cosines.mean():.8f}",
                          flush=True)
                    failed = failed or cosines.min() < LEAST[precision]
    sys.exit(bool(failed))


main()
