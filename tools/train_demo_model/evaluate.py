"""Step 6: what a model can do on photos that nobody trained on.

    python evaluate.py MODEL GROCERY CLOTHES CIFAR

GROCERY: GroceryStoreDataset's `dataset`; CLOTHES: clothing-dataset-small; CIFAR: CIFAR-10-images. Only their test (and
CLOTHES' validation) photos are looked at.
"""
import argparse
import os

import numpy as np
import open_clip
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader

from features import Photos, find_photos
from scores import separate
from words import CIFAR, IMAGENET_CLASSNAMES, kind_of

PRODUCE = ["corn", "corn cob", "broccoli", "cauliflower", "zucchini", "cabbage", "spaghetti squash", "acorn squash",
           "butternut squash", "cucumber", "artichoke", "bell pepper", "cardoon", "mushroom", "Granny Smith apple",
           "strawberry", "orange", "lemon", "fig", "pineapple", "banana", "jackfruit", "cherimoya (custard apple)",
           "pomegranate"]
BY_HAND = ["carton", "bottle", "can", "jar", "box", "bag of chips", "loaf of bread", "cup", "bowl", "plate", "person",
           "hand", "shelf", "shopping cart", "basket", "table", "chair", "phone", "book", "toy", "flower", "dog", "cat",
           "car", "house", "street", "tool", "ball", "pen", "clock", "shirt", "dress", "trousers", "hat", "shoe",
           "jacket"]
CLOTHES_WORDS = BY_HAND[-6:]
KNOWN = {"apple": "apple", "banana": "banana", "cabbage": "cabbage", "cucumber": "cucumber", "lemon": "lemon",
         "mushroom": "mushroom", "orange": "orange", "pepper": "bell pepper", "pineapple": "pineapple",
         "pomegranate": "pomegranate", "zucchini": "zucchini"}  # the kinds that ImageNet has, and their label
SYNONYMS = [("car", "automobile"), ("doughnut", "donut"), ("sofa", "couch"), ("airplane", "aeroplane"),
            ("rabbit", "bunny"), ("boat", "ship"), ("bike", "bicycle"), ("taxi", "cab"), ("truck", "lorry"),
            ("mushroom", "fungus"), ("eyeglasses", "spectacles"), ("shoe", "sneaker"), ("cat", "kitten"),
            ("dog", "puppy"), ("bus", "coach"), ("stone", "rock"), ("autumn", "fall"), ("phone", "telephone")]


class Texts:
    """A function from words to embeddings of "a photo of a {word}", in double precision."""

    def __init__(self, embed):
        self.embed = embed

    def __call__(self, words, template="a photo of a {}"):
        return self.embed([template.format(w) for w in words]).double().numpy()


def synonyms(texts):
    e = texts([w for pair in SYNONYMS for w in pair])
    nearest = (e @ e.T - 2 * np.eye(len(e))).argmax(1)
    return 100 * np.mean(nearest == np.arange(len(e)) ^ 1)


def accuracy(photos, truth, texts):
    return 100 * np.mean((photos @ texts.T).argmax(1) == truth)


def table(title, rows):
    print(f"\n{title}: AUROC / FPR95, %")
    for name, values in rows.items():
        print(f"  {name:34}" + "".join(f"  {score} {auroc:5.1f} / {fpr:4.1f}"
                                       for score, (auroc, fpr) in values.items()))


def judge(texts, grocery, clothes, cifar):
    """Each of the three: (paths, embeddings of unit length)."""
    paths, photos = grocery
    package = np.array([p.startswith("Packages") for p in paths])
    kinds = np.array(["" if p.startswith("Packages") else kind_of(p) for p in paths])
    labels = sorted(set(kinds) - {""})
    index = np.array([labels.index(k) if k else -1 for k in kinds])
    print(f"{len(labels)} kinds of fruit and vegetables, {(index >= 0).sum()} photos; {package.sum()} packages; "
          f"{len(clothes[0])} clothes")
    print(f"top-1 among {len(labels)} kinds: {accuracy(photos[~package], index[~package], texts(labels)):.1f} %")
    known = np.isin(kinds, list(KNOWN))
    truth = np.array([list(KNOWN).index(k) if k in KNOWN else -1 for k in kinds])
    print(f"top-1 among the {len(KNOWN)} that ImageNet has ({known.sum()} photos): "
          f"{accuracy(photos[known], truth[known], texts(KNOWN.values())):.1f} %")
    print(f"CIFAR-10, zero-shot ({len(cifar[0])} test photos): "
          f"{accuracy(cifar[1], [CIFAR.index(os.path.dirname(p)) for p in cifar[0]], texts(CIFAR)):.1f} %")
    print(f"synonyms: {synonyms(texts):.0f} % of {2 * len(SYNONYMS)} words have theirs as the nearest of the others")
    names = [n for n in dict.fromkeys(IMAGENET_CLASSNAMES) if n not in PRODUCE]
    rows = {}
    for title, outliers in ((f"{len(names)} ImageNet names", names), (f"{len(BY_HAND)} words by hand", BY_HAND),
                            ("these without clothes", [w for w in BY_HAND if w not in CLOTHES_WORDS])):
        for kind, ood in (("packages", photos[package]), ("clothes", clothes[1])):
            rows[f"{kind}; {title}"] = separate(photos[~package], ood, texts(labels), texts(outliers))
    table(f"A. ID: all {len(labels)} kinds", rows)
    rows, others = {}, [k for k in labels if k not in KNOWN]
    for title, outliers in ((f"{len(names)} ImageNet names", names), ("names of other produce", others),
                            ("these and by hand", others + BY_HAND)):
        for kind, ood in (("other produce", photos[~package & ~known]), ("packages", photos[package]),
                          ("clothes", clothes[1])):
            rows[f"{kind}; {title}"] = separate(photos[known], ood, texts(KNOWN.values()), texts(outliers))
    table(f"B. ID: the {len(KNOWN)} kinds that ImageNet has", rows)


@torch.inference_mode()
def embed_photos(model, folders, last):
    found = [(path, os.path.relpath(path, folder)) for folder in folders for path in find_photos(folder, 0, last)]
    batches = DataLoader(Photos([path for path, _ in found]), batch_size=16, num_workers=1)
    rows = torch.cat([model.encode_image(batch, normalize=True) for batch in batches])
    return [path for _, path in found], rows.double().numpy()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("grocery")
    p.add_argument("clothes")
    p.add_argument("cifar")
    a = p.parse_args()
    torch.set_num_threads(2)
    model = open_clip.create_model("local-dir:" + a.model).eval()
    tokenizer = Tokenizer.from_file(os.path.join(a.model, "tokenizer.json"))

    @torch.inference_mode()
    def embed(texts):
        ids = torch.zeros(len(texts), model.context_length, dtype=torch.long)
        for i, row in enumerate(tokenizer.encode_batch(texts)):
            ids[i, :len(row.ids)] = torch.tensor(row.ids)
        return model.encode_text(ids, normalize=True)
    judge(Texts(embed), embed_photos(model, [os.path.join(a.grocery, "test")], 10 ** 6),
          embed_photos(model, [os.path.join(a.clothes, part) for part in ("test", "validation")], 10 ** 6),
          embed_photos(model, [os.path.join(a.cifar, "test")], 200))


if __name__ == "__main__":
    main()
