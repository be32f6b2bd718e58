"""What the text tower is taught: WordNet's words and glosses, the drawings' names, prompt templates."""
import csv
import os

TEMPLATES = ["{}", "a photo of a {}", "a photo of the {}", "a picture of a {}", "a drawing of a {}",
             "an image of {}", "a good photo of a {}", "the nice {}", "a {} photo", "itap of a {}",
             "a rendering of a {}", "a close-up photo of a {}", "a photo of many {}", "an icon of a {}",
             "a photo of an {}", "art of the {}", "This is a {} photo", "a photo of a {}, a type of food",
             "A photo of a {}."]


def wordnet(folder="/usr/share/wordnet"):
    """(lemmas, [(lemma, gloss)]) of Debian's wordnet-base, in file order."""
    lemmas, glosses = {}, []
    for part in ("noun", "adj", "verb", "adv"):
        with open(os.path.join(folder, "data." + part), encoding="latin-1") as file:
            for line in file:
                if line.startswith("  "):
                    continue
                data, _, gloss = line.partition("|")
                fields = data.split()
                count = int(fields[3], 16)
                words = [fields[4 + 2 * i].replace("_", " ") for i in range(count)]
                words = [w.split("(")[0] for w in words]
                for word in words:
                    lemmas.setdefault(word, None)
                glosses.append((words[0], gloss.split(";")[0].split('"')[0].strip()))
    return list(lemmas), glosses


def concepts(drawings):
    """Rows of index.tsv as dictionaries; `label` is the concept's name."""
    with open(os.path.join(drawings, "index.tsv"), encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def is_held_out(row, rows_of_category):
    """One concept in five of every category, by position in the index: never in image training."""
    return rows_of_category.index(row["id"]) % 5 == 2
