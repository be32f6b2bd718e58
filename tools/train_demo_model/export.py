"""Step 5: both towers into one Hugging Face CLIP directory, in F16.

    python export.py TEXT.pt IMAGE.pt OUT_DIRECTORY
"""
import json
import math
import os
import sys

import torch
from safetensors.torch import save_file

from vision import Vision


@torch.no_grad()
def fit_f16(vision, limit=30000.0):
    """Scales what writes to the residual stream so that every weight fits F16 (at most 65,504). The layer
    norms that read the stream undo the scale, so embeddings stay the same but for the norms' epsilon."""
    writers = [vision.before] + [layer for block in vision.blocks for layer in (block.out, block.down)]
    scale = min(1.0, limit / max(layer.weight.abs().max().item() for layer in writers))
    for layer in writers:
        layer.weight.mul_(scale)
        layer.bias.mul_(scale)


def main():
    text, image = (torch.load(p, weights_only=True) for p in sys.argv[1:3])
    out = sys.argv[3]
    vision = Vision(**image["settings"])
    vision.load_state_dict(image["state"])
    state = {k: v for k, v in text["state"].items() if "position_ids" not in k}
    fit_f16(vision)
    state.update(vision.hugging_face())
    state["logit_scale"] = torch.tensor(math.log(30.0))
    save_file({k: v.detach().half().contiguous() for k, v in state.items()},
              os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    s, t = image["settings"], text["config"]
    keys = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "max_position_embeddings", "hidden_act", "layer_norm_eps", "bos_token_id", "eos_token_id",
            "pad_token_id"]
    config = {
        "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": s["dimension"],
        "logit_scale_init_value": math.log(30.0),
        "text_config": {"model_type": "clip_text_model", **{k: t[k] for k in keys}},
        "vision_config": {"model_type": "clip_vision_model", "hidden_size": s["width"],
                          "intermediate_size": vision.settings["mlp"], "num_hidden_layers": s["layers"],
                          "num_attention_heads": s["heads"], "image_size": s["size"],
                          "patch_size": s["patch"], "hidden_act": "quick_gelu",
                          "layer_norm_eps": vision.settings["epsilon"]},
    }
    preprocess = {"image_processor_type": "CLIPImageProcessor", "do_resize": True,
                  "size": {"shortest_edge": s["size"]}, "resample": 3, "do_center_crop": True,
                  "crop_size": {"height": s["size"], "width": s["size"]}, "do_rescale": True,
                  "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3,
                  "image_std": [0.5] * 3}
    for name, value in (("config", config), ("preprocessor_config", preprocess)):
        with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)
            file.write("\n")


main()
