"""The service that one writes in an afternoon: FastAPI, a CLIP picture tower in onnxruntime or in PyTorch with
transformers, label embeddings kept from a file. bench/compare_serve.py starts it.

    python peer_serve.py onnxruntime|transformers|transformers-bf16 MODEL DETECTOR.safetensors PORT THREADS

POST a picture to /v1/detect; the answer has its score and the three most similar labels.
"""
import io
import json
import os
import sys

kind, model_path, detector_path, port, threads = sys.argv[1:6]
threads = int(threads)
os.environ["OMP_NUM_THREADS"] = str(threads)

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from PIL import Image
from safetensors import safe_open

with safe_open(detector_path, "np") as file:
    words = file.get_tensor("embeddings")
    about = json.loads(file.metadata()["mmood"])
labels = about["labels"]
is_id = np.array([label["kind"] == "id" for label in labels])
with open(os.path.join(model_path, "preprocessor_config.json")) as file:
    preprocessing = json.load(file)
mean = np.array(preprocessing["image_mean"], np.float32)
std = np.array(preprocessing["image_std"], np.float32)
with open(os.path.join(model_path, "config.json")) as file:
    config = json.load(file)
size = config["vision_config"]["image_size"]

if kind == "onnxruntime":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(os.path.join(model_path, "vision.onnx"), options, ["CPUExecutionProvider"])

    def encode(pixels):
        return session.run(None, {"pixels": pixels})[0]
else:
    import torch
    from transformers import CLIPVisionModelWithProjection

    torch.set_num_threads(threads)
    tower = CLIPVisionModelWithProjection.from_pretrained(model_path, projection_dim=config["projection_dim"]).eval()
    if kind == "transformers-bf16":
        tower = tower.bfloat16()

    def encode(pixels):
        with torch.inference_mode():
            return tower(pixel_values=torch.from_numpy(pixels).to(tower.dtype)).image_embeds.float().numpy()


def prepare(data):
    """As CLIPImageProcessor does it, without its overhead."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    scale = size / min(image.size)
    image = image.resize([max(size, int(side * scale)) for side in image.size], Image.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
    return ((pixels - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)


def judge(data):
    embedding = encode(prepare(data))[0]
    cosines = words @ (embedding / np.linalg.norm(embedding))
    p = np.exp(cosines - cosines.max())
    p /= p.sum()
    best = np.argsort(-cosines)[:3]
    return {"score": float(p[is_id].max() - 0.25 * p[~is_id].max()),
            "top": [{"label": labels[i]["label"], "cosine": float(cosines[i])} for i in best]}


app = FastAPI()


@app.get("/healthz")
def health():
    return "ok"


@app.post("/v1/detect")
async def detect(request: Request):
    return await run_in_threadpool(judge, await request.body())


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
