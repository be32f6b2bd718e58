"""The three scores of the demo, AUROC and FPR95 (the definition `nearest`), in NumPy and double precision."""
import numpy as np
from sklearn.metrics import roc_auc_score


def log_sum_exp(s):
    top = s.max(1, keepdims=True)
    return top[:, 0] + np.log(np.exp(s - top).sum(1))


def softmax(s):
    return np.exp(s - log_sum_exp(s)[:, None])


def mcm(s_id, s_out):
    return softmax(s_id).max(1)


def energy(s_id, s_out):
    return 0.01 * log_sum_exp(s_id / 0.01)


def mm_ood(s_id, s_out):
    p, k = softmax(np.concatenate([s_id, s_out], 1)), s_id.shape[1]
    return p[:, :k].max(1) - 0.25 * p[:, k:].max(1)


SCORES = {"mcm": mcm, "energy": energy, "mm-ood": mm_ood}


def fpr95(id_scores, ood_scores):
    """The threshold is the distinct score, of either kind, whose recall is nearest to 0.95; of equals the lowest."""
    levels = np.unique(np.concatenate([id_scores, ood_scores]))
    recall = 1 - np.searchsorted(np.sort(id_scores), levels) / len(id_scores)
    lowest = np.sum(recall == 1) - 1
    level = levels[lowest:][np.argmin(np.abs(recall[lowest:] - 0.95))]
    return (ood_scores >= level).mean()


def separate(id_photos, ood_photos, id_texts, outlier_texts):
    """{score: (AUROC, FPR95)} in per cent; embeddings of unit length."""
    out = {}
    for name, score in SCORES.items():
        a, b = (score(x @ id_texts.T, x @ outlier_texts.T) for x in (id_photos, ood_photos))
        truth = np.concatenate([np.ones(len(a)), np.zeros(len(b))])
        out[name] = (100 * roc_auc_score(truth, np.concatenate([a, b])), 100 * fpr95(a, b))
    return out
