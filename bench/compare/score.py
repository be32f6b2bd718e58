"""From picture files to scores with a peer, as one writes it in Python; the counterpart of "mmood score".

    python score.py RUNTIME PRECISION FOLDER MODEL THREADS DETECTOR PICTURE...

Labels are encoded already: DETECTOR is the file that mmood built, whose tensors any safetensors reader gives. One
JSON line a picture, with the mm-ood score. torch takes transformers' own preprocessing; onnxruntime and openvino need
nothing but Pillow and NumPy, which start much faster.
"""
import json
import os
import sys

import numpy as np
from PIL import Image
from peers import open_peer

BATCH = 16


def read_labels(path):
    """Embeddings of the labels, and how many of them are ID, from a safetensors file: a length, JSON, the numbers."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    begin, end = header["embeddings"]["data_offsets"]
    labels = json.loads(header["__metadata__"]["mmood"])["labels"]
    embeddings = np.frombuffer(data[begin:end], np.float32).reshape(header["embeddings"]["shape"])
    return embeddings, sum(label["kind"] == "id" for label in labels)


def preprocess(paths):
    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
    std = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
    crops = []
    for path in paths:
        picture = Image.open(path).convert("RGB")
        short = min(picture.size)
        picture = picture.resize([224 * side // short for side in picture.size], Image.Resampling.BICUBIC)
        left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
        crops.append(np.asarray(picture.crop((left, top, left + 224, top + 224))))
    return np.ascontiguousarray(((np.stack(crops) / np.float32(255) - mean) / std).transpose(0, 3, 1, 2))


def main():
    runtime, precision, folder, model, threads, detector, *paths = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cache = f"{folder}/peers/{model}/openvino-cache" if runtime == "openvino" else None
    peer = open_peer(runtime, precision, "vision", folder, model, int(threads), cache)
    to_pixels = preprocess
    if runtime == "torch":
        from transformers import CLIPImageProcessor
        processor = CLIPImageProcessor.from_pretrained(f"{folder}/models/{model}")

        def to_pixels(batch):
            return processor([Image.open(path) for path in batch], return_tensors="np")["pixel_values"]
    labels, expected = read_labels(detector)
    for i in range(0, len(paths), BATCH):
        part = paths[i:i + BATCH]
        embeds = peer(to_pixels(part))
        embeds = embeds / np.linalg.norm(embeds, axis=1, keepdims=True)
        p = np.exp(embeds @ labels.T)
        p /= p.sum(1, keepdims=True)
        scores = p[:, :expected].max(1) - 0.25 * p[:, expected:].max(1)
        for path, score in zip(part, scores):
            print(json.dumps({"path": path, "score": float(score)}), file=out)
        out.flush()
    os._exit(0)  # the interpreter's own end is not part of the work


if __name__ == "__main__":
    main()
