"""What the text tower is taught: ImageNet's names, WordNet's words and glosses, phrases, prompt templates."""
import os

import numpy as np
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

TEMPLATES = ["{}", "a photo of a {}", "a photo of a {}", "a photo of a {}", "a photo of the {}", "the nice {}",
             "the nice {}", "This is a {} photo", "a picture of a {}", "an image of {}", "a photo of an {}",
             "a good photo of a {}", "a {} photo", "itap of a {}", "a close-up photo of a {}", "a bad photo of a {}",
             "a photo of many {}", "a photo of {}", "a photo of one {}", "A photo of a {}.", "a {}", "the {}"]
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
# lexicographer files of WordNet whose nouns can be photographed: animal, artifact, body, food, object, person,
# plant, substance
CONCRETE = {"05", "06", "08", "13", "17", "18", "20", "27"}
CONTAINERS = ["bottle", "carton", "jar", "can", "box", "bag", "packet", "tube", "tin", "bowl", "basket", "glass", "cup",
              "plate", "pile", "bunch", "slice", "piece", "pack", "crate"]
CONTENTS = """milk juice yoghurt cream butter cheese water beer wine oil vinegar honey jam ketchup mustard soup sauce
rice pasta flour sugar salt pepper coffee tea cereal oats crisps chips biscuits cookies chocolate sweets nuts bread
beans peas corn tuna meat fish eggs shampoo soap detergent toothpaste lotion perfume paint glue ink medicine pills
apples oranges bananas grapes tomatoes potatoes carrots onions flowers toys clothes shoes books letters tools screws
batteries yogurt soy milk|oat milk|sour cream|sour milk|apple juice|orange juice|olive oil|dog food|cat food|ice cream
peanut butter|dish soap|laundry detergent|baby food|frozen vegetables|salad|strawberries|cherries|lemons|mushrooms"""
LOOKS = """red green blue yellow white black brown orange purple pink grey golden silver small large old new broken wooden
metal plastic glass paper leather cotton woollen rubber stone ceramic fresh ripe rotten dried frozen cooked raw sliced
striped spotted furry round square long short empty folded wet dirty shiny transparent wild young baby electric toy
garden kitchen office""".split()


def kind_of(path):
    """fruit and vegetables: Fruit/Apple/Golden-Delicious/x.jpg -> apple"""
    return path.split("/")[1].lower().replace("-", " ")


def wordnet(folder="/usr/share/wordnet"):
    """(concrete nouns, other words, [(word, gloss)]) of Debian's wordnet-base, in file order; concrete is a noun with
    any concrete sense."""
    concrete, other, glosses = {}, {}, []
    for part in ("noun", "adj", "verb"):
        with open(os.path.join(folder, "data." + part), encoding="latin-1") as file:
            for line in file:
                if line.startswith("  "):
                    continue
                data, _, gloss = line.partition("|")
                fields = data.split()
                words = [fields[4 + 2 * i].replace("_", " ").split("(")[0] for i in range(int(fields[3], 16))]
                into = concrete if part == "noun" and fields[1] in CONCRETE and words[0][0].islower() else other
                for word in words:
                    into.setdefault(word, None)
                gloss = gloss.split(";")[0].split('"')[0].strip()
                glosses.append((words[0], gloss))
    return list(concrete), [w for w in other if w not in concrete], glosses


def phrases(nouns, count, seed=0):
    """Containers of things, and things that look like something."""
    rng = np.random.default_rng(seed)
    contents = [w for line in CONTENTS.split("\n") for part in line.split("|")
                for w in ([part] if "|" in line else part.split())]
    out = [f"{c} of {w}" for c in CONTAINERS for w in contents] + [f"{w} {c}" for c in CONTAINERS for w in contents]
    short = [w for w in nouns if len(w) < 14]
    out += [f"{LOOKS[rng.integers(len(LOOKS))]} {short[rng.integers(len(short))]}" for _ in range(count)]
    return list(dict.fromkeys(out))


def all_texts(tokenizer, share=1.0):
    """{kind: texts}; no text in two kinds. `names` are ImageNet's, in its order, as far as they differ. Of WordNet's
    words the common ones come first, those that CLIP's tokenizer leaves whole; `share` keeps so many of each kind."""
    concrete, other, glosses = wordnet()
    kinds = {"names": list(IMAGENET_CLASSNAMES), "common": CIFAR, "concrete": concrete, "other": other,
             "phrases": phrases(concrete, 15000), "glosses": [f"{w}: {g}" for w, g in glosses]}
    most = {"concrete": 50000, "other": 30000, "phrases": 20000, "glosses": 20000}
    seen, out = set(), {}
    for kind, texts in kinds.items():
        texts = [t for t in dict.fromkeys(texts) if t not in seen]
        if kind in most:
            pieces = [len(e.ids) for e in tokenizer.encode_batch(texts)]
            order = np.argsort(pieces, kind="stable") if kind in ("concrete", "other") else \
                np.random.default_rng(0).permutation(len(texts))
            texts = [texts[i] for i in order[:round(most[kind] * share)]]
        out[kind] = texts
        seen.update(texts)
    return out
