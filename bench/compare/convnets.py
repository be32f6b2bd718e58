"""open_clip's convolutional image towers for bench/compare: folders in FOLDER/models as open_clip loads them.

Needs torch, timm and open_clip_torch; what only reads sizes does without.
"""
import json
import os
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = f"{HERE}/../../models/demo"
NAMES = ("lite0", "mci0")
MCI0 = dict(embed_dim=512, custom_text=True,
            vision_cfg=dict(timm_model_name="fastvit_mci0", timm_model_pretrained=False, timm_pool="avg",
                            timm_proj=None, image_size=256))


def settings(directory):
    """Image size, mean and deviation of a model; of one without open_clip's configuration, OpenAI's."""
    path = f"{directory}/open_clip_config.json"
    if not os.path.exists(path):
        return 224, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    mean, std = (config["preprocess_cfg"].get(key) or usual for key, usual in
                 (("mean", (0.48145466, 0.4578275, 0.40821073)), ("std", (0.26862954, 0.26130258, 0.27577711))))
    return config["model_cfg"]["vision_cfg"]["image_size"], mean, std


def model_of(config):
    import open_clip
    config = dict(config)
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    return kind(**config).eval()


def make(name, directory):
    """lite0 is the demo model; mci0 is MobileCLIP-S0's image tower with random weights and a small text tower."""
    if name == "lite0":
        shutil.copytree(DEMO, directory)
        return
    import torch
    from safetensors.torch import save_file
    with open(f"{DEMO}/open_clip_config.json", encoding="utf-8") as file:
        config = dict(MCI0, text_cfg=json.load(file)["model_cfg"]["text_cfg"])
    torch.manual_seed(0)
    model = model_of(config)
    with torch.no_grad():  # so small at first that the blocks would add nothing
        for key, value in model.visual.named_parameters():
            if key.endswith("gamma"):
                value.copy_(0.1 + 0.2 * torch.rand_like(value))
    os.makedirs(directory)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, f"{directory}/open_clip_model.safetensors")
    with open(f"{directory}/open_clip_config.json", "w", encoding="utf-8") as file:
        json.dump({"model_cfg": config, "preprocess_cfg": {}}, file, indent=1)
    shutil.copy(f"{DEMO}/tokenizer.json", directory)


def tower(directory):
    """The image tower in PyTorch, its branches folded into one convolution each where the model can."""
    from safetensors.torch import load_file
    with open(f"{directory}/open_clip_config.json", encoding="utf-8") as file:
        model = model_of(json.load(file)["model_cfg"])
    state = load_file(f"{directory}/open_clip_model.safetensors")
    model.load_state_dict(state, strict=False)
    for module in list(model.visual.modules()):
        if hasattr(module, "reparameterize") and module is not model.visual:
            module.reparameterize()
    return model.visual.eval()


def flops(visual, size):
    """Of the convolutions and dense layers, for one image."""
    import torch
    total = 0

    def count(module, _, out):
        nonlocal total
        total += 2 * out.numel() * module.weight[0].numel()
    hooks = [m.register_forward_hook(count) for m in visual.modules()
             if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    with torch.inference_mode():
        visual(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return total
