"""One peer as a process that waits for its turn; the talk with run.py is described in worker.h.

    python worker.py RUNTIME PRECISION FOLDER MODEL THREADS images|longest|77 FILE

images: FILE has the crops as bytes. longest, 77: FILE has token ids, one text a line; they go through in batches of 32,
padded to the longest of the batch or to 77. What is made ready beforehand and so costs the peer nothing: crops are
floats, normalised; texts are token ids. Exits with 3 if there is no such peer.
"""
import os
import sys
import time

STARTED = time.perf_counter()
BATCH = 32


def peak_kib():
    """The most memory this process has had. Not ru_maxrss, which begins with the parent's."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def normalised(np, crops, mean, std):
    mean, std = np.array(mean, np.float32), np.array(std, np.float32)
    return np.ascontiguousarray(((crops / np.float32(255) - mean) / std).transpose(0, 3, 1, 2))


def padded(np, texts, length):
    end = texts[0][-1]  # CLIP pads with the token that ends a text
    return np.array([ids + [end] * (length - len(ids)) for ids in texts], np.int64)


def main():
    runtime, precision, folder, model, threads, task, path = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    import numpy as np
    from convnets import settings
    from peers import Absent, open_peer
    try:
        peer = open_peer(runtime, precision, "vision" if task == "images" else "text", folder, model, int(threads))
    except Absent as reason:
        print(reason, file=sys.stderr)
        sys.exit(3)
    if task == "images":
        size, mean, std = settings(f"{folder}/models/{model}")
        items = normalised(np, np.fromfile(path, np.uint8).reshape(-1, size, size, 3), mean, std)
        batches = {}

        def make(n):
            return [items[:n]]
    else:
        with open(path, encoding="ascii") as file:
            items = [[int(x) for x in line.split()] for line in file]
        batches = {}

        def make(n):
            parts = [items[i:min(i + BATCH, n)] for i in range(0, n, BATCH)]
            return [padded(np, part, 77 if task == "77" else max(map(len, part))) for part in parts]

    def answer(*fields):
        print(*fields, peak_kib(), file=out, flush=True)

    answer("ready", f"{time.perf_counter() - STARTED:.3f}")
    for line in sys.stdin:
        verb, count, rest = line.rstrip("\n").split(" ", 2)
        n = int(count)
        if n not in batches:
            batches[n] = make(n)
            for batch in batches[n] if n <= 1000 else make(1000):
                peer(batch)
        if verb == "run":
            begin, done, elapsed = time.perf_counter(), 0, 0.0
            while done == 0 or elapsed < float(rest):
                for batch in batches[n]:
                    peer(batch)
                done += n
                elapsed = time.perf_counter() - begin
            answer(done, f"{elapsed:.6f}")
        else:
            embeds = np.concatenate([np.array(peer(batch), np.float32) for batch in batches[n]])
            embeds /= np.linalg.norm(embeds, axis=1, keepdims=True)
            embeds.tofile(rest)
            answer("ok", embeds.shape[1])


if __name__ == "__main__":
    main()
