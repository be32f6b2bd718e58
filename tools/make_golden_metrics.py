"""Writes tests/eval/metrics.tsv: AUROC, AUPR and FPR95 of small score lists by scikit-learn.

Each line: name, ID scores, OOD scores, auroc, aupr_in, aupr_out, fpr95 by three definitions.
`nearest` restates with numpy what the evaluation code of MCM (github.com/deeplearning-wisc/MCM) computes.
Needs scikit-learn and numpy.   python tools/make_golden_metrics.py > tests/eval/metrics.tsv
"""
import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve


def nearest(id_scores, ood_scores):
    scores = np.concatenate([id_scores, ood_scores])
    thresholds = np.unique(scores)[::-1]
    recall = np.array([(id_scores >= t).sum() for t in thresholds]) / len(id_scores)
    full = int(np.argmax(recall == 1))
    scanned = np.arange(full, -1, -1)
    best = scanned[int(np.argmin(np.abs(recall[scanned] - 0.95)))]
    return (ood_scores >= thresholds[best]).mean()


def first(positive, negative):
    labels = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    fpr, tpr, _ = roc_curve(labels, np.r_[positive, negative], drop_intermediate=False)
    return fpr[np.argmax(tpr >= 0.95)]


def cases():
    rng = np.random.default_rng(20260124)
    yield "vector-a", [.90, .88, .86, .84, .82, .80, .78, .76, .74, .72, .70, .68, .66, .64, .62, .60,
                       .58, .50, .40, .30], [.70, .55, .50, .45, .40, .35, .30, .20, .15, .10]
    yield "vector-b", [.9, .8, .7, .6, .5, .4, .3, .3, .3, .2], [.70, .55, .50, .45, .40, .35, .30, .20, .15, .10]
    yield "constant", [.5] * 20, [.5] * 10
    yield "orientation", [.9, .8, .6, .4], [.7, .5, .3, .1]
    yield "prevalence", [.9, .8, .6, .4], [.7, .5, .3, .1] * 5
    yield "one-each-right", [1.0], [0.0]
    yield "one-each-wrong", [0.0], [1.0]
    yield "one-each-tied", [0.25], [0.25]
    yield "one-against-many", [0.5], list(rng.normal(size=23))
    yield "many-against-one", list(rng.normal(size=23)), [0.1]
    yield "perfect", list(rng.uniform(2, 3, 30)), list(rng.uniform(0, 1, 17))
    yield "inverted", list(rng.uniform(0, 1, 30)), list(rng.uniform(2, 3, 17))
    yield "extremes", [1e308, 1.0, 5e-324, -1e308], [1e308, 0.0, -5e-324, -1e308]
    for n, m, levels in [(10, 10, 4), (19, 40, 6), (20, 7, 12), (21, 21, 3), (39, 13, 9), (101, 57, 20),
                         (40, 60, 1000), (200, 100, 30)]:
        yield f"ties-{n}-{m}-{levels}", list(rng.integers(1, levels + 2, n) / 8), list(rng.integers(0, levels, m) / 8)
    for n, m in [(37, 53), (60, 60)]:
        yield f"normal-{n}-{m}", list(rng.normal(0.5, 1, n)), list(rng.normal(0, 1, m))


def main():
    for name, id_scores, ood_scores in cases():
        i, o = np.array(id_scores, dtype=np.float64), np.array(ood_scores, dtype=np.float64)
        labels, scores = np.r_[np.ones(len(i)), np.zeros(len(o))], np.r_[i, o]
        values = [roc_auc_score(labels, scores), average_precision_score(labels, scores),
                  average_precision_score(1 - labels, -scores), nearest(i, o), first(i, o), first(-o, -i)]
        print(name, " ".join(map(repr, i.tolist())), " ".join(map(repr, o.tolist())),
              *(repr(float(v)) for v in values), sep="\t")


main()
