"""Step 5: both towers into one open_clip model folder, in F16.

    python export.py TEXT.pt PROJECTION.pt OUT_DIRECTORY
"""
import json
import math
import os
import sys

import torch
from open_clip.model import CLIP
from safetensors.torch import save_file

from train_text import DIMENSION, SETTINGS
from trunk import NAME, PREPROCESS, SIZE, load_trunk

LOGIT_SCALE = 16.0  # the sharpness of train_projection.py


def main():
    text, projection = (torch.load(p, weights_only=True) for p in sys.argv[1:3])
    out = sys.argv[3]
    config = {"embed_dim": DIMENSION, "quick_gelu": True,
              "vision_cfg": {"timm_model_name": NAME, "timm_model_pretrained": False, "timm_pool": "avg",
                             "timm_proj": projection["kind"], "image_size": SIZE}, "text_cfg": SETTINGS}
    head = {"linear": "proj", "mlp": "mlp"}[projection["kind"]]
    state = dict(text["state"], logit_scale=torch.tensor(math.log(LOGIT_SCALE)))
    state.update({"visual.trunk." + k: v for k, v in load_trunk().state_dict().items()
                  if not k.startswith("classifier.")})
    state.update({f"visual.head.{head}.{k}": v for k, v in projection["state"].items()})
    CLIP(**config).load_state_dict(state, strict=True)
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    assert all(v.isfinite().all() for v in halves.values())
    save_file({k: v.contiguous() for k, v in halves.items()}, os.path.join(out, "open_clip_model.safetensors"),
              metadata={"format": "pt"})
    with open(os.path.join(out, "open_clip_config.json"), "w", encoding="utf-8") as file:
        json.dump({"model_cfg": config, "preprocess_cfg": PREPROCESS}, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
