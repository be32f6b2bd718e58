"""Step 7: what the model in models/demo can do, on the style it never saw, beside matching thumbnails.

    python evaluate.py DRAWINGS MODEL_DIRECTORY

Run once a model is chosen; recipes are chosen with train_image.py --validate.
"""
import json
import os
import sys

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import CLIPModel

from drawings import TEST_STYLE, TRAIN_STYLES, load, on_white


def features(out):
    out = out if torch.is_tensor(out) else out.pooler_output
    return torch.nn.functional.normalize(out.float(), dim=1)


def embed_texts(model, tokenizer, texts):
    with torch.no_grad():
        return torch.cat([features(model.get_text_features(input_ids=torch.tensor([tokenizer.encode(t).ids])))
                          for t in texts])


def embed_pictures(model, pictures):
    x = (torch.from_numpy(on_white(pictures)).permute(0, 3, 1, 2) - 0.5) / 0.5
    with torch.no_grad():
        return torch.cat([features(model.get_image_features(pixel_values=b)) for b in x.split(256)])


def rank(similarity, index):
    truth = similarity[np.arange(len(index)), index]
    return (similarity > truth[:, None]).sum(1)


def line(name, ranks, held_out):
    seen, unseen = ranks[~held_out], ranks[held_out]
    print(f"{name:44} seen top-1 {100 * np.mean(seen < 1):5.1f} top-5 {100 * np.mean(seen < 5):5.1f}   "
          f"unseen top-1 {100 * np.mean(unseen < 1):5.1f} top-5 {100 * np.mean(unseen < 5):5.1f}")


def thumbnails(pictures, size):
    n = len(pictures)
    small = on_white(pictures).reshape(n, size, 64 // size, size, 64 // size, 3).mean((2, 4)).reshape(n, -1)
    small -= small.mean(1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


def main():
    drawings, folder = sys.argv[1:3]
    model = CLIPModel.from_pretrained(folder).eval().float()
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    pictures, index, style, rows, held_out = load(drawings, TRAIN_STYLES + [TEST_STYLE])
    test = style == TEST_STYLE
    names = embed_texts(model, tokenizer, ["a photo of a " + r["label"] for r in rows])
    common = ~np.isin([r["category"] for r in rows], ["Flags", "People & Body", "Symbols"])
    similarity = (embed_pictures(model, pictures[test]) @ names.T).numpy()
    ranks = rank(similarity, index[test])
    print(f"{test.sum()} {TEST_STYLE} drawings against {len(rows)} names")
    line("this model", ranks, held_out[index[test]])
    mask = common[index[test]]
    line("  without flags, people, symbols", ranks[mask], held_out[index[test]][mask])
    for size in (8, 16):
        t = thumbnails(pictures, size)
        best = np.full((test.sum(), len(rows)), -2.0, np.float32)
        for s in TRAIN_STYLES:  # the most similar drawing of each name
            part = (style == s) & ~held_out[index]
            best[:, index[part]] = np.maximum(best[:, index[part]], t[test] @ t[part].T)
        line(f"nearest {size} x {size} thumbnail of a trained drawing", rank(best, index[test]), held_out[index[test]])
    synonyms = [("car", "automobile"), ("doughnut", "donut"), ("sofa", "couch"), ("airplane", "aeroplane"),
                ("rabbit", "bunny"), ("boat", "ship"), ("bike", "bicycle"), ("taxi", "cab"), ("truck", "lorry"),
                ("mushroom", "fungus"), ("eyeglasses", "spectacles"), ("shoe", "sneaker"), ("cat", "kitten"),
                ("dog", "puppy"), ("bus", "coach"), ("stone", "rock"), ("autumn", "fall"), ("phone", "telephone")]
    words = [w for pair in synonyms for w in pair]
    e = embed_texts(model, tokenizer, ["a photo of a " + w for w in words]).numpy()
    similarity = e @ e.T - 2 * np.eye(len(words))
    partner = np.arange(len(words)) ^ 1
    print(f"text tower: {np.mean(similarity.argmax(1) == partner) * 100:.0f} % of {len(words)} words have their "
          f"synonym as the nearest of the others")
    size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    print(f"{size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
