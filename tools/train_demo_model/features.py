"""Step 1: the frozen trunk's pooled features of all photos below some folders.

    python features.py OUT.npz FOLDER... [--each FIRST:LAST] [--crops N]

OUT.npz holds `paths` (below their FOLDER) and `features` [n, 1280] in F16.
--each takes photos FIRST to LAST - 1 of each folder, by the numbers in their names. --crops makes N random crops of each
photo, half of them mirrored, in place of the photo itself.
"""
import argparse
import os
import re

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from trunk import load_trunk, preprocess, random_crop


class Photos(Dataset):
    def __init__(self, paths, crops=0):
        self.paths = [path for path in paths for _ in range(max(1, crops))]
        self.transform = random_crop() if crops else preprocess()

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
    p.add_argument("--crops", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    first, last = map(int, a.each.split(":"))
    torch.manual_seed(0)
    found = [(path, os.path.relpath(path, folder)) for folder in a.folders
             for path in find_photos(folder, first, last)]
    model = load_trunk().to(memory_format=torch.channels_last)
    features = []
    with torch.inference_mode():
        for batch in DataLoader(Photos([path for path, _ in found], a.crops), batch_size=16, num_workers=1):
            x = model.forward_features(batch.contiguous(memory_format=torch.channels_last))
            features.append(model.forward_head(x, pre_logits=True))
    np.savez(a.out, paths=np.repeat([path for _, path in found], max(1, a.crops)),
             features=torch.cat(features).half().numpy())
    print(a.out, len(found), "photos", flush=True)


if __name__ == "__main__":
    main()
