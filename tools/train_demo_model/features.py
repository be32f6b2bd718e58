"""Step 1: the frozen trunk's pooled features of all photos below some folders.

    python features.py OUT.npz FOLDER... [--each FIRST:LAST]

OUT.npz holds `paths` (below their FOLDER), `features` [n, 1280] and, for distillation, `logits` [n, 1000].
--each takes photos FIRST to LAST - 1 of each folder, by the numbers in their names.
"""
import argparse
import os
import re

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from trunk import load_trunk, preprocess


class Photos(Dataset):
    def __init__(self, paths):
        self.paths, self.transform = paths, preprocess()

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as image:
            return self.transform(image.convert("RGB"))


def number(name):
    return [int(x) for x in re.findall(r"\d+", name)] + [name]


def find_photos(folder, first, last):
    for place, folders, names in os.walk(folder):
        folders.sort()
        names = [n for n in names if n.lower().endswith((".jpg", ".jpeg", ".png"))]
        for name in sorted(names, key=number)[first:last]:
            yield os.path.join(place, name)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("folders", nargs="+")
    p.add_argument("--each", default="0:1000000")
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    first, last = map(int, a.each.split(":"))
    found = [(path, os.path.relpath(path, folder)) for folder in a.folders
             for path in find_photos(folder, first, last)]
    model = load_trunk().to(memory_format=torch.channels_last)
    features, logits = [], []
    with torch.inference_mode():
        for batch in DataLoader(Photos([path for path, _ in found]), batch_size=16, num_workers=1):
            x = model.forward_features(batch.contiguous(memory_format=torch.channels_last))
            features.append(model.forward_head(x, pre_logits=True))
            logits.append(model.classifier(features[-1]).half())
    np.savez(a.out, paths=np.array([path for _, path in found]), features=torch.cat(features).half().numpy(),
             logits=torch.cat(logits).numpy())
    print(a.out, len(found), "photos", flush=True)


if __name__ == "__main__":
    main()
