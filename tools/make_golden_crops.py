"""Golden crops of open_clip: what its transform for inference makes of pictures in tests/data/image, in each of its
resize modes, before the numbers are scaled.

    python tools/make_golden_crops.py tests/data/image      (open_clip_torch, torchvision, Pillow 9.4 to 12, numpy)

Writes half_20x10.png, whose shorter side is rounded from a half in mode "longest", and crops.safetensors: tensors
"FILE|mode|size|fill|filter" [size, size, 3] U8, which must be equal byte for byte. Pillow 13 resizes
some of these shapes in another order, so the version matters.
"""
import os
import sys

import numpy as np
import open_clip
import PIL
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from make_golden_images import noise, write_safetensors

FILTERS = {"bilinear": 2, "bicubic": 3}
# In mode "shortest" the longer side of all but the square one is over the size by 3 or 7, so that half of that is
# rounded to another offset than Hugging Face's.
SIZES = {"rgb.png": (8, 17), "gray.png": (10, 13), "up_37x91.png": (5, 16), "crop_339x224.png": (6, 14),
         "half_20x10.png": (7, 11), "three_3x3.png": (7, 8)}


def crop(path, **settings):
    image = image_transform_v2(PreprocessCfg(**settings), is_train=False)
    pixels = Image.open(path)
    for step in image.transforms[:-2]:  # without ToTensor and Normalize
        pixels = step(pixels)
    return np.array(pixels)


def main():
    folder = sys.argv[1]
    noise(20, 10, 3, 9).save(os.path.join(folder, "half_20x10.png"))
    tensors, others = {}, 0
    for name, sizes in SIZES.items():
        path = os.path.join(folder, name)
        for (filter, number), size, fill in zip(FILTERS.items(), sizes, (127, 0)):
            for mode in ("shortest", "longest", "squash"):
                tensors[f"{name}|{mode}|{size}|{fill}|{number}"] = crop(
                    path, size=size, resize_mode=mode, fill_color=fill, interpolation=filter)
            short, long = sorted(Image.open(path).size)
            others += (int(size * long / short) - size) % 4 == 3
    assert others == 10, others
    write_safetensors(os.path.join(folder, "crops.safetensors"), tensors,
                      {"open_clip": open_clip.__version__, "pillow": PIL.__version__})


if __name__ == "__main__":
    main()
