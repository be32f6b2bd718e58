"""Step 6: the demo's pictures, from the style that was never trained on, and its ten draws of ID classes.

    python make_demo.py DRAWINGS OUT          (OUT is the repository's demo/)

Each picture is cropped to its drawing's bounding box and put on white, as the model was trained.
"""
import os
import sys

import numpy as np
from PIL import Image

from drawings import TEST_STYLE, on_white, square
from words import concepts

ID = ["hotdog", "taco", "burrito", "hamburger", "pizza", "bread", "fries", "popcorn", "croissant", "bacon",
      "pancakes", "pretzel", "sandwich", "bagel", "cheese wedge", "waffle", "butter", "tamale", "fondue",
      "falafel", "fried egg", "green salad", "stew", "rice ball", "rice", "curry", "ramen", "spaghetti",
      "sushi", "fried shrimp", "dumpling", "fortune cookie", "moon cake", "ice cream", "doughnut", "cookie",
      "chocolate bar", "candy", "lollipop", "custard", "cake", "pie", "cupcake"]
FAR = ["transport-ground", "transport-air", "transport-water", "tool", "place-building", "place-religious"]
NEAR = ["food-fruit", "drink", "dishware", "plant-other", "plant-flower"]
DRAWS, CLASSES = 10, 30


def main():
    drawings, out = sys.argv[1:3]
    table = []
    for row in concepts(drawings):
        group = ("id" if row["label"] in ID else "ood-far" if row["subcategory"] in FAR else
                 "ood-near" if row["subcategory"] in NEAR else None)
        path = os.path.join(drawings, TEST_STYLE, row["id"] + ".png")
        if group and os.path.exists(path):
            folder = os.path.join(out, "pictures", group)
            os.makedirs(folder, exist_ok=True)
            name = row["label"].replace(" ", "-") + ".png"
            picture = (on_white(square(path)[None])[0] * 255 + 0.5).astype(np.uint8)
            Image.fromarray(picture).save(os.path.join(folder, name), optimize=True)
            table.append((f"pictures/{group}/{name}", row["label"], group))
    with open(os.path.join(out, "pictures.tsv"), "w", encoding="utf-8") as file:
        file.write("file\tlabel\tgroup\n" + "".join("\t".join(r) + "\n" for r in sorted(table)))
    rng = np.random.default_rng(2026)
    names = sorted(label for _, label, group in table if group == "id")
    os.makedirs(os.path.join(out, "draws"), exist_ok=True)
    for i in range(DRAWS):
        drawn = sorted(rng.choice(names, CLASSES, replace=False))
        with open(os.path.join(out, "draws", f"{i:02}.txt"), "w", encoding="utf-8") as file:
            file.write("\n".join(drawn) + "\n")


main()
