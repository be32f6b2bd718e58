#!/usr/bin/env python3
"""Writes suites/*.json from the lists of classes in tools/suite_classes and from WordNet.

    tools/make_suites.py [--wordnet FOLDER]

ImageNet's 1,000 labels are WordNet's (Debian's wordnet-base, version 3.0, whose offsets ImageNet's
folders are named by): the first lemma of each synset; where two classes share it, followed by the
first lemma of its hypernym in parentheses. The papers use names cleaned by hand for CLIP instead, 153
of which are other words, so their figures on ImageNet-1K are of other labels. All other labels are those of the papers' public code, up
to upper and lower case, which CLIP's tokenizer does not see.
Published figures are shares; where a paper gives only one of the two, the other is left out.
"""
import argparse
import collections
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCORES = ["mm-ood", "mcm", "max-logit", "energy", "msp"]
MM_OOD = "MM-OOD, arXiv 2601.14052"
MEAN = "mean of four OOD sets, ViT-B/16, class names cleaned by hand: "

IMAGENET_10 = {
    "n04552348": "warplane", "n04285008": "sports car", "n01530575": "brambling bird",
    "n02123597": "Siamese cat", "n02422699": "antelope", "n02107574": "swiss mountain dog",
    "n01641577": "bull frog", "n03417042": "garbage truck", "n02389026": "horse",
    "n03095699": "container ship",
}
IMAGENET_20 = {
    "n04147183": "sailboat", "n02951358": "canoe", "n02782093": "balloon", "n04389033": "tank",
    "n03773504": "missile", "n02917067": "bullet train", "n02317335": "starfish",
    "n01632458": "spotted salamander", "n01630670": "common newt", "n01631663": "eft",
    "n02391049": "zebra", "n01693334": "green lizard", "n01697457": "African crocodile",
    "n02120079": "Arctic fox", "n02114367": "timber wolf", "n02132136": "brown bear",
    "n03785016": "moped", "n04310018": "steam locomotive", "n04266014": "space shuttle",
    "n04252077": "snowmobile",
}


def read_list(name):
    """[(entry, has a star)] of a list of classes."""
    lines = (ROOT / "tools/suite_classes" / name).read_text().splitlines()
    return [(line.lstrip("* "), line.startswith("*")) for line in lines if not line.startswith("#")]


def read_wordnet(folder):
    """offset -> (first lemma, offset of the first hypernym)."""
    nouns = {}
    for line in open(pathlib.Path(folder) / "data.noun", encoding="ascii"):
        if line.startswith("  "):
            continue
        fields = line.split("|")[0].split()
        pointers = 4 + 2 * int(fields[3], 16)
        hypernyms = [fields[i + 1] for i in range(pointers, len(fields)) if fields[i] in ("@", "@i")]
        nouns[fields[0]] = (fields[4].replace("_", " "), hypernyms[0] if hypernyms else None)
    return nouns


def imagenet_classes(wordnet):
    wnids = [wnid for wnid, _ in read_list("imagenet1k.txt")]
    nouns = read_wordnet(wordnet)
    used = collections.Counter(nouns[wnid[1:]][0].lower() for wnid in wnids)
    labels = {}
    for wnid in wnids:
        lemma, hypernym = nouns[wnid[1:]]
        labels[wnid] = lemma if used[lemma.lower()] == 1 else f"{lemma} ({nouns[hypernym][0]})"
    assert len({label.lower() for label in labels.values()}) == len(wnids) == 1000
    return labels


def data_set(name, source, folder, classes=None, **more):
    out = {"name": name, "source": source, "folder": folder, **more}
    if classes is not None:
        out["classes"] = [{"folder": f, "label": classes[f]} for f in sorted(classes)]
    return out


def imagenet(name, classes):
    return data_set(name, "https://image-net.org/challenges/LSVRC/2012/ (the validation pictures, "
                    "sorted into a folder a class)", "ImageNet/val", classes)


def far_sets():
    source = "https://github.com/deeplearning-wisc/large_scale_ood (the subset without ImageNet's classes)"
    return [
        data_set("iNaturalist", source, "ImageNet_OOD_dataset/iNaturalist"),
        data_set("SUN", source, "ImageNet_OOD_dataset/SUN"),
        data_set("Places", source, "ImageNet_OOD_dataset/Places"),
        data_set("Textures", "https://www.robots.ox.ac.uk/~vgg/data/dtd/ (dtd-r1.0.1.tar.gz)",
                 "ImageNet_OOD_dataset/dtd/images"),
    ]


def near_sets():
    source = "https://github.com/Jingkang50/OpenOOD (its download script)"
    return [data_set("SSB-hard", source, "ImageNet_OOD_dataset/ssb_hard"),
            data_set("NINCO", source, "ImageNet_OOD_dataset/ninco")]


def birds(name, entries):
    return data_set(name, "https://www.vision.caltech.edu/datasets/cub_200_2011/ (CUB_200_2011.tgz)",
                    "CUB_200_2011/images",
                    {e: e.split(".")[1].replace("_", " ") for e in entries},
                    split={"list": "CUB_200_2011/images.txt",
                           "flags": "CUB_200_2011/train_test_split.txt", "keep": "0"})


def cars(name, entries):
    return data_set(name, "https://ai.stanford.edu/~jkrause/cars/car_dataset.html (the test pictures, "
                    "sorted into a folder a class by the data set's annotations)",
                    "stanford_cars/test", {e.replace("/", "-"): e for e in entries})


def food(name, entries):
    return data_set(name, "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/ (food-101.tar.gz)",
                    "food-101/images", {e: e.replace("_", " ") for e in entries},
                    split={"list": "food-101/meta/test.txt"})


def pets(name, entries):
    return data_set(name, "https://www.robots.ox.ac.uk/~vgg/data/pets/ (images.tar.gz, annotations.tar.gz)",
                    "oxford-iiit-pet/images", {e: e.replace("_", " ") for e in entries},
                    naming="prefix", split={"list": "oxford-iiit-pet/annotations/test.txt"})


def figure(method, of, fpr95=None, auroc=None, source=MM_OOD):
    out = {"method": method, "set": of}
    if fpr95 is not None:
        out["fpr95"] = fpr95
    if auroc is not None:
        out["auroc"] = auroc
    return {**out, "source": source}


def suite(name, title, outliers, id_set, ood, published=(), scores=SCORES, note=None,
          template="a photo of a {}"):
    out = {"format": "mmood-suite/1", "name": name, "title": title}
    if note:
        out["note"] = note
    return {**out, "templates": [template], "resample": "bilinear", "outliers": outliers,
            "scores": scores, "fpr": "nearest", "id": id_set, "ood": ood,
            "published": list(published)}


def fine(name, title, make, id_name, rest_name, entries):
    return suite(name, title, 500, make(id_name, [e for e, star in entries if star]),
                 [make(rest_name, [e for e, star in entries if not star])])


def all_suites(wordnet):
    ten, twenty = imagenet("ImageNet-10", IMAGENET_10), imagenet("ImageNet-20", IMAGENET_20)
    thousand = imagenet("ImageNet-1K", imagenet_classes(wordnet))
    note = ("The ID labels are WordNet's first lemmas; the papers use names cleaned by hand, of which 153 are "
            "other words, so that their figures are of other labels.")
    lists = {n: read_list(n + ".txt") for n in ("cub200", "cars196", "food101", "pets37")}
    every = {n: [e for e, _ in entries] for n, entries in lists.items()}
    return [
        suite("imagenet10-near", "ImageNet-10 against ImageNet-20 (near)", 30, ten, [twenty],
              [figure("MM-OOD", "ImageNet-20", 0.0384), figure("EOE", "ImageNet-20", 0.0701),
               figure("Energy", "ImageNet-20", 0.1381)]),
        suite("imagenet20-near", "ImageNet-20 against ImageNet-10 (near)", 60, twenty, [ten]),
        suite("imagenet1k-near", "ImageNet-1K against SSB-hard and NINCO (near)", 3000, thousand,
              near_sets(), note=note),
        suite("imagenet1k-far", "ImageNet-1K against iNaturalist, SUN, Places and Textures (far)", 500,
              thousand, far_sets(),
              [figure("MCM", "mean", 0.427, 0.908, MEAN + "MCM, NeurIPS 2022"),
               figure("GL-MCM", "mean", 0.353, 0.915, MEAN + "GL-MCM")],
              SCORES + ["gl-mcm", "neglabel"], note),
        suite("imagenet1k-far-neglabel",
              "ImageNet-1K against iNaturalist, SUN, Places and Textures (far), NegLabel's protocol", 10000,
              thousand, far_sets(),
              [figure("NegLabel", "mean", 0.254, 0.942, MEAN + "NegLabel, ICLR 2024"),
               figure("AdaNeg", "mean", 0.189, 0.967, MEAN + "AdaNeg, NeurIPS 2024, which "
                      "learns from the test pictures"),
               figure("CSP", "mean", 0.175, 0.958, MEAN + "CSP, NeurIPS 2024, with eight texts a "
                      "label"),
               figure("ANTS", "mean", 0.112, 0.978, MEAN + "ANTS")],
              ["neglabel", "csp", "mcm"], note, "the nice {}"),
        suite("cub200-far", "CUB-200 against iNaturalist, SUN, Places and Textures (far)", 500,
              birds("CUB-200", every["cub200"]), far_sets()),
        suite("cars-far", "Stanford Cars against iNaturalist, SUN, Places and Textures (far)", 500,
              cars("Stanford Cars", every["cars196"]), far_sets()),
        suite("food101-far", "Food-101 against iNaturalist, SUN, Places and Textures (far)", 500,
              food("Food-101", every["food101"]), far_sets(),
              [figure("MM-OOD", "mean", 0.0112), figure("EOE", "mean", 0.0222)]),
        suite("pets-far", "Oxford Pets against iNaturalist, SUN, Places and Textures (far)", 500,
              pets("Oxford Pets", every["pets37"]), far_sets()),
        fine("cub100-fine", "CUB-100 against the other 100 birds (fine-grained)", birds, "CUB-100",
             "CUB-100 rest", lists["cub200"]),
        fine("cars98-fine", "Cars-98 against the other 98 cars (fine-grained)", cars, "Cars-98",
             "Cars-98 rest", lists["cars196"]),
        fine("food50-fine", "Food-50 against the other 51 dishes (fine-grained)", food, "Food-50",
             "Food-50 rest", lists["food101"]),
        fine("pet18-fine", "Pet-18 against the other 19 pets (fine-grained)", pets, "Pet-18",
             "Pet-18 rest", lists["pets37"]),
    ]


def text(value, depth=0):
    """JSON with one entry a line; what has no lists or objects inside stays on one line."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if not any(isinstance(v, (dict, list)) for v in inner):
        return json.dumps(value, ensure_ascii=False)
    start = "  " * (depth + 1)
    if isinstance(value, list):
        rows = [start + text(v, depth + 1) for v in value]
        return "[\n" + ",\n".join(rows) + "\n" + "  " * depth + "]"
    rows = [f"{start}{json.dumps(k)}: {text(v, depth + 1)}" for k, v in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + "  " * depth + "}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wordnet", default="/usr/share/wordnet")
    for entry in all_suites(parser.parse_args().wordnet):
        (ROOT / "suites" / (entry["name"] + ".json")).write_text(text(entry) + "\n")


if __name__ == "__main__":
    main()
