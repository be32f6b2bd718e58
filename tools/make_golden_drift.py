#!/usr/bin/env python3
"""Makes tests/serve/drift.tsv: samples with their Kolmogorov-Smirnov statistic, its asymptotic p-value and the
population stability index, from scipy and numpy. Needs both; run in the repository's root."""
import numpy as np
from scipy import special, stats


def psi(reference, recent, bins=10):
    edges = [reference[-(-len(reference) * b // bins) - 1] for b in range(1, bins)]
    p = np.bincount(np.searchsorted(edges, reference, side="left"), minlength=bins) + 0.5
    q = np.bincount(np.searchsorted(edges, recent, side="left"), minlength=bins) + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


rng = np.random.default_rng(5)
cases = [
    ("same", rng.normal(0, 1, 60), rng.normal(0, 1, 45)),
    ("moved", rng.normal(0, 1, 60), rng.normal(1, 1, 45)),
    ("wider", rng.normal(0, 1, 80), rng.normal(0, 3, 30)),
    ("apart", rng.normal(0, 1, 30), rng.normal(9, 1, 30)),
    ("ties", rng.integers(0, 6, 50), rng.integers(1, 7, 40)),
    ("single", rng.normal(0, 1, 20), np.array([0.1])),
    ("equal", np.full(12, 0.5), np.full(9, 0.5)),
]
with open("tests/serve/drift.tsv", "w") as out:
    for name, a, b in cases:
        a, b = np.round(np.sort(a), 3), np.round(np.sort(b), 3)
        d = stats.ks_2samp(a, b).statistic
        p = special.kolmogorov(np.sqrt(len(a) * len(b) / (len(a) + len(b))) * d)
        lists = [" ".join(f"{x:g}" for x in values) for values in (a, b)]
        print(name, f"{d:.15g}", f"{p:.15g}", f"{psi(a, b):.15g}", *lists, sep="\t", file=out)
