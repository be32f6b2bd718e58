"""Scoring 10,000 embeddings against 1,000 ID and 10,000 outlier labels: mmood, numpy and PyTorch in turns.

    python bench/compare_scores.py BUILD [THREADS [DIMENSION]]

Prints seconds (best of 3), ratios, peak memory and how far the scores are from float64 numpy. Each peer runs in
a process of its own, does what a script would do (softmax of the cosines at T = 1, the two maxima), in f32, in
slices of 1,000 pictures so that no matrix of all pictures and labels is needed.
"""
import os
import resource
import subprocess
import sys
import tempfile
import time

N, K, L, RUNS = 10000, 1000, 10000, 3


def numpy_scores(np, x, w, kind=None):
    out = []
    for i in range(0, len(x), 1000):
        s = x[i:i + 1000] @ w.T
        e = np.exp(s - s.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        out.append(p[:, :K].max(1) - 0.25 * p[:, K:].max(1))
    return np.concatenate(out)


def torch_scores(torch, x, w):
    out = []
    with torch.inference_mode():
        for part in x.split(1000):
            p = (part @ w.T).softmax(1)
            out.append(p[:, :K].amax(1) - 0.25 * p[:, K:].amax(1))
    return torch.cat(out)


def peer(name, folder, dimension, threads):
    """In a process of its own: prints the best time and the peak memory, writes the scores."""
    import numpy as np
    x = np.fromfile(f"{folder}/x", np.float32).reshape(N, dimension)
    w = np.fromfile(f"{folder}/w", np.float32).reshape(K + L, dimension)
    if name == "torch":
        import torch
        torch.set_num_threads(threads)
        x, w = torch.from_numpy(x), torch.from_numpy(w)
    best = 1e9
    for _ in range(RUNS):
        start = time.perf_counter()
        out = torch_scores(torch, x, w).numpy() if name == "torch" else numpy_scores(np, x, w)
        best = min(best, time.perf_counter() - start)
    out.astype(np.float64).tofile(f"{folder}/{name}")
    print(f"mm-ood {best:.4f}\npeak_mb {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}")


def main():
    import numpy as np
    build, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else len(os.sched_getaffinity(0))
    dimension = int(sys.argv[3]) if len(sys.argv) > 3 else 512
    environment = dict(os.environ, **{v: str(threads) for v in
                                      ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        common = rng.normal(size=dimension) * 2  # so that cosines are about 0.2, as CLIP's are
        for name, count in (("x", N), ("w", K + L)):
            v = rng.normal(size=(count, dimension)) * 2 + common * 0.5
            (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32).tofile(f"{folder}/{name}")
        commands = {
            "mmood": [f"{build}/bench/bench_scores", f"{folder}/x", f"{folder}/w", str(N), str(K), str(L),
                      str(dimension), str(threads), str(RUNS), f"{folder}/mmood"],
            "numpy": [sys.executable, __file__, "--peer", "numpy", folder, str(dimension), str(threads)],
            "torch": [sys.executable, __file__, "--peer", "torch", folder, str(dimension), str(threads)]}
        results = {}
        for _ in range(2):  # in turns; the better of two
            for name, command in commands.items():
                text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
                for line in text.splitlines():
                    key, value = line.split()
                    results[name, key] = min(results.get((name, key), 1e9), float(value))
        x = np.fromfile(f"{folder}/x", np.float32).reshape(N, dimension).astype(np.float64)
        w = np.fromfile(f"{folder}/w", np.float32).reshape(K + L, dimension).astype(np.float64)
        exact = numpy_scores(np, x, w)
        print(f"{N} embeddings of {dimension} numbers, {K} + {L} labels, {threads} threads, mm-ood")
        print(f"{'':8} {'seconds':>9} {'x mmood':>9} {'peak MB':>9} {'largest relative error':>24}")
        for name in commands:
            got = np.fromfile(f"{folder}/{name}", np.float64)
            error = np.max(np.abs(got - exact) / np.abs(exact))
            seconds = results[name, "mm-ood"]
            print(f"{name:8} {seconds:9.3f} {seconds / results['mmood', 'mm-ood']:9.2f} {results[name, 'peak_mb']:9.0f} "
                  f"{error:24.1e}")
        print(f"mmood, all 11 scores that need no patches: {results['mmood', 'all']:.3f} s")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--peer":
        peer(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
