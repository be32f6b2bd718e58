"""Chooses the demo's photos: a fixed random sample of two public data sets, written to demo/photos.tsv.

    python tools/choose_demo_photos.py GROCERY CLOTHING demo/photos.tsv

GROCERY is a checkout of github.com/marcusklasson/GroceryStoreDataset (MIT), CLOTHING one of
github.com/alexeygrigorev/clothing-dataset-small (CC0). Only their test splits are used.
Columns: set, label, file name here, data set, path there, SHA-256.
"""
import hashlib
import os
import random
import sys

# What the shop sells. Capsicums are "Pepper" in the data set, "bell pepper" to CLIP.
SOLD = {"Apple": "apple", "Banana": "banana", "Cabbage": "cabbage", "Cucumber": "cucumber", "Lemon": "lemon",
        "Mushroom": "mushroom", "Orange": "orange", "Pepper": "bell pepper", "Pineapple": "pineapple",
        "Pomegranate": "pomegranate", "Zucchini": "zucchini"}
SOLD_EACH, PACKAGES, CLOTHES, UNSOLD = 24, 250, 250, 100


def files(root, folder):
    found = []
    for path, _, names in os.walk(os.path.join(root, folder)):
        found += [os.path.relpath(os.path.join(path, n), root) for n in names if n.lower().endswith((".jpg", ".jpeg"))]
    return sorted(found)


def main():
    grocery, clothing, out = sys.argv[1:]
    chance = random.Random(2026)
    rows = []

    def take(kind, source, root, paths, count, label):
        for path in sorted(chance.sample(paths, min(count, len(paths)))):
            with open(os.path.join(root, path), "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            name = label(path)
            number = sum(r[0] == kind and r[1] == name for r in rows) + 1
            rows.append((kind, name, f"{name.replace(' ', '-')}-{number:02}.jpg", source, path, digest))

    produce = files(grocery, "dataset/test/Fruit") + files(grocery, "dataset/test/Vegetables")
    for kind, label in SOLD.items():
        take("id", "grocery", grocery, [p for p in produce if p.split("/")[3] == kind], SOLD_EACH, lambda _: label)
    take("near", "grocery", grocery, files(grocery, "dataset/test/Packages"), PACKAGES,
         lambda p: p.split("/")[3].lower().replace("-", " "))
    take("far", "clothing", clothing, files(clothing, "test"), CLOTHES, lambda p: p.split("/")[1])
    take("unsold", "grocery", grocery, [p for p in produce if p.split("/")[3] not in SOLD], UNSOLD,
         lambda p: p.split("/")[3].lower().replace("-", " "))
    with open(out, "w") as file:
        for row in rows:
            file.write("\t".join(row) + "\n")


if __name__ == "__main__":
    main()
