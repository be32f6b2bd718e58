"""Scores of random similarities, computed independently of the library: tests/detect/scores.tsv.

    python tools/make_golden_scores.py > tests/detect/scores.tsv

Cosines come from a small generator that test_scores.c repeats: x = x * 1664525 + 1013904223 modulo 2^32
from the case's seed, cosine = top 24 bits / 2^24 * spread + low. Float64 numpy and scipy's logsumexp
written out; the test asks for 1e-9 relative. Columns: name, K, L, patches, seed, low, spread,
temperature (0 = the score's own), value.
"""
import numpy as np

DEFAULT = {"energy": 0.01, "sum": 0.01, "energy-diff": 0.01, "neglabel": 0.01, "csp": 0.01}
MASK = (1 << 64) - 1


def cosines(seed, count, low, spread):
    out, x = np.empty(count), seed
    for i in range(count):
        x = (x * 1664525 + 1013904223) % 2**32
        out[i] = (x >> 8) / 2**24 * spread + low
    return out


def lse(s):
    return s.max() + np.log(np.exp(s - s.max()).sum())


def softmax(s):
    e = np.exp(s - s.max())
    return e / e.sum()


def deal(count, groups, seed):
    """Which group each outlier is in: 0 .. groups - 1, or -1 for the remainder. SplitMix64, Fisher-Yates."""
    size = count // groups
    group = [i // size if i < size * groups else -1 for i in range(count)]
    state = seed
    for i in range(count - 1, 0, -1):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        x = state
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        j = (x ^ (x >> 31)) % (i + 1)
        group[i], group[j] = group[j], group[i]
    return np.array(group)


def score(name, s_id, s_out, patches, t):
    t = t or DEFAULT.get(name, 1)
    p = softmax(np.concatenate([s_id, s_out]) / t)
    k = len(s_id)
    p_id, p_out = p[:k], p[k:]
    mcm = softmax(s_id / t).max()
    if name == "mm-ood":
        return p_id.max() - 0.25 * (p_out.max() if len(p_out) else 0)
    if name == "mcm":
        return mcm
    if name == "max-logit":
        return s_id.max()
    if name == "energy":
        return t * lse(s_id / t)
    if name == "msp":
        return p_id.max()
    if name == "sum":
        return p_id.sum()
    if name == "energy-diff":
        return t * lse(s_id / t) - t * lse(s_out / t)
    if name == "max-logit-diff":
        return s_id.max() - s_out.max()
    if name == "max":
        return 1 / k if len(s_out) and s_out.max() > s_id.max() else mcm
    if name in ("neglabel", "csp"):
        groups = min(100, len(s_out))
        group = deal(len(s_out), groups, 0)
        return np.mean([softmax(np.concatenate([s_id, s_out[group == g]]) / t)[:k].sum() for g in range(groups)])
    if name == "gl-mcm":
        return mcm + 0.5 * max(softmax(row / t).max() for row in patches)
    raise KeyError(name)


def main():
    names = ["mm-ood", "mcm", "max-logit", "energy", "msp", "sum", "energy-diff", "max-logit-diff", "max",
             "neglabel", "gl-mcm", "csp"]
    needs = {"sum", "energy-diff", "max-logit-diff", "neglabel", "csp"}
    print("# made by tools/make_golden_scores.py; tolerance 1e-9 relative")
    shapes = [(1, 0), (1, 1), (3, 2), (2, 37), (10, 250), (101, 1212), (1000, 0), (1000, 10000), (30, 70000)]
    for n, (k, l) in enumerate(shapes):
        for low, spread in ((0.1, 0.25), (-1, 2)):
            seed = 7 * n + 1
            patches = 4 if k < 1000 else 0
            s = cosines(seed, k + l + patches * k, low, spread)
            rows = s[k + l:].reshape(patches, k)
            for name in names:
                if (name in needs and l == 0) or (name == "gl-mcm" and not patches):
                    continue
                for t in (0, 1, 0.01) if l < 70000 else (0,):
                    value = score(name, s[:k], s[k:k + l], rows, t)
                    print(name, k, l, patches, seed, low, spread, t, f"{value:.17g}", sep="\t")


main()
