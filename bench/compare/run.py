"""Runs mmood and the other CLIP runtimes in turns on the same cores and writes down what each took.

    python run.py BUILD FOLDER [--threads N] [--rounds N] [--seconds S] [--models b32,b16,l14,lite0,mci0] [--parts images,...] [--quick]

bench/compare.sh calls it, after having made what it needs. Standard library only, so that it weighs little. All peers of one
cell are processes that have their model loaded; each runs for some seconds, then the next, round after round, and the
best round counts: other programs on the machine can only slow a round down. Results go to FOLDER/results.json after every
cell; a later run of other parts or models adds to it; report.py makes the tables.
"""
import argparse
import array
import json
import math
import os
import platform
import subprocess
import sys
import time

import report
from convnets import NAMES, settings

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = 200  # texts that stand for all where each takes as long whatever its neighbours are
PAUSE = 0.3  # seconds between turns, in which waiting threads of the peer before stop spinning
BATCHES = (1, 8, 32)
# What counts as the same precision: weights in 32, 16 or 8 bits.
PEERS = {
    "f32": (("mmood", "f32"), ("torch", "f32"), ("torch-compile", "f32"), ("onnxruntime", "f32"), ("openvino", "f32"),
            ("clip.cpp", "f32")),
    "bf16": (("mmood", "bf16"), ("torch", "bf16"), ("torch-compile", "bf16"), ("openvino", "bf16"), ("clip.cpp", "f16")),
    "int8": (("mmood", "int8"), ("torch", "int8"), ("onnxruntime", "int8"), ("openvino", "int8"),
             ("openvino", "int8-calibrated"), ("clip.cpp", "q8_0"))}


class Stopped(Exception):
    """A peer ended before its work was done."""


class Worker:
    """A peer's process, and the one-line answers it gives."""

    def __init__(self, command, environment, log):
        self.log = open(log, "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=environment, text=True)
        self.ready = None

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            lines = self.log.read().strip().splitlines()
            raise Stopped(f"exit code {self.process.returncode}: {lines[-1] if lines else 'it said nothing'}")
        return line.split()

    def ask(self, question):
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer()

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(timeout=20)
        except (subprocess.TimeoutExpired, OSError):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Comparison:
    def __init__(self, options):
        self.options = options
        self.folder = os.path.abspath(options.folder)
        self.build = os.path.abspath(options.build)
        self.path = f"{self.folder}/results.json"
        self.cache = f"{self.folder}/out/cache"  # what mmood keeps, as the others' converted models are kept
        self.environment = dict(os.environ, **{name: str(options.threads) for name in
                                               ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")},
                                TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
        self.results = {"cells": {}}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.results = json.load(file)
        os.makedirs(f"{self.folder}/logs", exist_ok=True)
        os.makedirs(f"{self.folder}/out", exist_ok=True)

    def store(self):
        with open(self.path + ".part", "w", encoding="utf-8") as file:
            json.dump(self.results, file, indent=1)
        os.replace(self.path + ".part", self.path)

    def save(self, cell, peer, **values):
        """A cell is one piece of work: (part, model, precision, detail)."""
        about = self.results["about"]
        values["run"] = f"commit {about['commit']}, {about['date']}{', quick' if about['quick'] else ''}"
        self.results["cells"].setdefault("/".join(cell), {}).setdefault(peer, {}).update(values)
        self.store()
        if "rate" in values:
            print(f"    {peer:28} {values['rate']:10.2f} /s", flush=True)

    def begin(self, *cells):
        """Forgets what an earlier run measured of the same work, so that ratios are within one run."""
        for cell in cells:
            self.results["cells"].pop("/".join(cell), None)
            self.forget("/".join(cell))

    def forget(self, work):
        """Forgets who was left out of it."""
        absent = self.results.get("absent", {})
        self.results["absent"] = {key: why for key, why in absent.items() if not key.endswith(work)}

    def command(self, runtime, precision, model, task, path):
        threads = str(self.options.threads)
        if runtime == "mmood":
            return [f"{self.build}/bench/bench_worker", f"{self.folder}/models/{model}", precision, threads,
                    "images" if task == "images" else "texts", path, self.cache]
        ids = path if task == "images" else path.replace(".txt", ".ids")
        if runtime == "clip.cpp":
            kind = "vision" if task == "images" else "text"
            return [f"{self.folder}/clip_cpp/worker", f"{self.folder}/peers/{model}/{kind}-{precision}.gguf", threads,
                    "images" if task == "images" else "texts", ids]
        return [sys.executable, f"{HERE}/worker.py", runtime, precision, self.folder, model, threads, task, ids]

    def start(self, peers, model, task, path):
        """Workers of the peers that there are: {name: worker}. Why one is missing goes into the results."""
        workers = {}
        for runtime, precision in peers:
            name = f"{runtime} {precision}"
            if task != "images" and runtime == "torch-compile":
                continue  # it would compile for every length
            command = self.command(runtime, precision, model, task, path)
            self.forget(f"{name}, {task} {model}")
            try:
                for needed in command[:1] + ([command[1]] if runtime == "clip.cpp" else []):
                    if not os.path.exists(needed):
                        raise Stopped(f"{os.path.relpath(needed, self.folder)} was not made")
                if runtime == "mmood":  # once, to its end, so that packed weights are there
                    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=self.environment)
                worker = Worker(command, self.environment, f"{self.folder}/logs/{name}.log".replace(" ", "-"))
                workers[name] = worker
                worker.ready = worker.answer()
            except Stopped as reason:
                self.leave_out(workers, name, f"{task} {model}", reason)
        return workers

    def leave_out(self, workers, name, work, reason):
        print(f"    {name:28} left out: {reason}", flush=True)
        self.results.setdefault("absent", {})[f"{name}, {work}"] = str(reason).replace(self.folder + "/", "")
        if name in workers:
            workers.pop(name).close()

    def turns(self, workers, cell, count, seconds, rounds, sampled=()):
        """Each peer in its turn, `rounds` times; the best rate of each is kept. Those `sampled` take fewer items."""
        self.begin(cell)
        best = {}
        for _ in range(rounds):
            for name in list(workers):
                time.sleep(PAUSE)
                try:
                    n = min(count, SAMPLE) if name in sampled else count
                    items, elapsed, peak = workers[name].ask(f"run {n} {seconds}")
                except Stopped as reason:
                    self.leave_out(workers, name, "/".join(cell), reason)
                    continue
                rate = int(items) / float(elapsed)
                best[name] = (max(rate, best.get(name, (0, 0))[0]), int(peak))
        for name, (rate, peak) in best.items():
            self.save(cell, name, rate=rate, peak_kib=peak)

    def agree(self, workers, model, data, cell, count):
        """The least cosine of a peer's embeddings with those of PyTorch in f32."""
        reference = array.array("f")
        with open(f"{self.folder}/peers/{model}/reference-{data}.f32", "rb") as file:
            reference.frombytes(file.read())
        for name in list(workers):
            path = f"{self.folder}/out/embeddings.f32"
            try:
                dimension = int(workers[name].ask(f"write {count} {path}")[1])
            except Stopped as reason:
                self.leave_out(workers, name, "/".join(cell), reason)
                continue
            got = array.array("f")
            with open(path, "rb") as file:
                got.frombytes(file.read())
            cosines = []
            for i in range(0, min(len(got), len(reference)), dimension):
                a, b = got[i:i + dimension], reference[i:i + dimension]
                cosines.append(sum(map(float.__mul__, a, b)) / math.sqrt(sum(x * x for x in a) * sum(x * x for x in b)))
            self.save(cell, name, cosine=min(cosines))

    def images(self, model):
        crops = f"{self.folder}/crops-{settings(f'{self.folder}/models/{model}')[0]}.u8"
        for precision, peers in PEERS.items():
            if model in NAMES and precision == "int8":
                continue  # nobody multiplies convolutions in int8 without calibration
            print(f"images {model} {precision}", flush=True)
            workers = self.start([peer for peer in peers if model not in NAMES or peer[0] != "clip.cpp"], model, "images",
                                 crops)
            single = {name: workers[name] for name in workers if name.startswith("clip.cpp")}  # one by one anyway
            for batch in BATCHES:
                print(f"  batch {batch}", flush=True)
                cell = ("images", model, precision, str(batch))
                if batch > 8:
                    workers = {name: worker for name, worker in workers.items() if name not in single}
                self.turns(workers, cell, batch, self.options.seconds, self.options.rounds)
                if batch >= 8:
                    self.agree(workers if batch > 8 else single, model, "crops", cell, batch)
            for worker in {**workers, **single}.values():
                worker.close()

    def texts(self, model):
        counts = {"imagenet": 200, "wordnet": 500} if self.options.quick else {"imagenet": 1000, "wordnet": 10000}
        for precision, peers in PEERS.items():
            for data, count in counts.items():
                print(f"texts {model} {precision}: {count} of {data}", flush=True)
                path = f"{self.folder}/labels/{data}.txt"
                cell = ("texts", model, precision, data)
                workers = self.start(peers, model, "longest", path)
                for name, worker in self.start([p for p in peers if p[0] == "torch"], model, "77", path).items():
                    workers[f"{name} padded to 77"] = worker
                # Of 77 tokens every text takes as long as the next; clip.cpp takes them one by one.
                sampled = [name for name in workers if "padded" in name or name.startswith("clip.cpp")]
                self.turns(workers, cell, count, 0, self.options.rounds if count <= 1000 else 2, sampled)
                self.agree(workers, model, data, cell, SAMPLE)
                for worker in workers.values():
                    worker.close()

    # ---- Whole programs

    def scoring(self, runtime, precision, model, detector, pictures):
        threads = str(self.options.threads)
        if runtime == "mmood":
            return [f"{self.build}/mmood", "score", detector, *pictures, "-m", f"{self.folder}/models/{model}", "--threads",
                    threads, "--precision", precision, "--format", "json", "--quiet", "--cache", self.cache]
        return [sys.executable, f"{HERE}/score.py", runtime, precision, self.folder, model, threads, detector, *pictures]

    def whole(self, command):
        """Runs a program to its end: seconds to the first line of its output, to its end, peak memory, lines."""
        with open(f"{self.folder}/logs/whole.log", "w+", encoding="utf-8", errors="replace") as log:
            begin = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=self.environment, text=True)
            lines = [process.stdout.readline()]
            first = time.perf_counter() - begin
            lines += process.stdout.readlines()
            _, status, usage = os.wait4(process.pid, 0)
            end = time.perf_counter() - begin
            process.stdout.close()
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                log.seek(0)
                said = log.read().strip().splitlines()
                raise Stopped(f"exit code {process.returncode}: {said[-1] if said else 'it said nothing'}")
        return first, end, usage.ru_maxrss, [json.loads(line) for line in lines]

    def pictures(self, name, count):
        folder = f"{self.folder}/pictures/{name}"
        return [f"{folder}/{file}" for file in sorted(os.listdir(folder))[:count]]

    def detector(self, model):
        path = f"{self.folder}/out/{model}.mmood"
        outliers = f"{self.folder}/out/outliers.labels"
        with open(f"{self.folder}/labels/imagenet.labels", encoding="utf-8") as file:
            expected = set(file)
        with open(f"{self.folder}/labels/wordnet.labels", encoding="utf-8") as file, \
                open(outliers, "w", encoding="utf-8") as out:
            out.writelines([line for line in file if line not in expected][:1000])
        subprocess.run([f"{self.build}/mmood", "build", "-m", f"{self.folder}/models/{model}", "--id",
                        f"{self.folder}/labels/imagenet.labels", "--outliers", outliers, "-o", path, "--quiet", "--cache",
                        self.cache], check=True)
        return path

    def scorers(self):
        """All peers that there are, and mmood: whole programs are compared across precisions too."""
        out = [(precision, peer) for precision, peers in PEERS.items() for peer in peers
               if peer[0] in ("mmood", "torch", "onnxruntime", "openvino")]
        return [(precision, peer) for precision, peer in out if peer != ("onnxruntime", "bf16")]

    def end_to_end(self, model):
        """Files to scores. The rate leaves starting out: pictures after the first, over the time after it."""
        detector = self.detector(model)
        self.forget(f"end to end {model}")
        counts = {"small": 32, "large": 4} if self.options.quick else {"small": 128, "large": 12}
        best, scores = {}, {}
        for turn in range(min(self.options.rounds, 2)):
            for precision, (runtime, exact) in self.scorers():
                name = f"{runtime} {exact}"
                for size, count in counts.items():
                    cell = ("end-to-end", model, precision, size)
                    try:
                        one = self.whole(self.scoring(runtime, exact, model, detector, self.pictures(size, 1)))
                        many = self.whole(self.scoring(runtime, exact, model, detector, self.pictures(size, count)))
                    except Stopped as reason:
                        self.leave_out({}, name, f"end to end {model}", reason)
                        break
                    scores.setdefault(size, {})[name] = [line["score"] for line in many[3]]
                    old = best.get((cell, name), (math.inf, math.inf, 0))
                    best[cell, name] = (min(old[0], one[1]), min(old[1], many[1]), max(old[2], many[2]), count)
        self.begin(*{cell for cell, _ in best})
        for (cell, name), (one, many, peak, count) in best.items():
            print(f"{'/'.join(cell)}", flush=True)
            reference = scores[cell[3]].get("torch f32")
            off = max(map(lambda a, b: abs(a - b), scores[cell[3]][name], reference)) if reference else None
            self.save(cell, name, rate=(count - 1) / (many - one), seconds=many, peak_kib=peak, count=count, score_error=off)

    def cold_start(self, model):
        """From the start of the process to the first score, files in the page cache."""
        detector = self.detector(model)
        self.forget(f"cold start {model}")
        picture = self.pictures("small", 1)
        scorers = [(f"{runtime} {exact}", precision, self.scoring(runtime, exact, model, detector, picture))
                   for precision, (runtime, exact) in self.scorers()]
        scorers += [(f"mmood {exact}, nothing kept", exact,
                     [*self.scoring("mmood", exact, model, detector, picture), "--no-cache"]) for exact in PEERS]
        best = {}
        print(f"cold start {model}", flush=True)
        for turn in range(self.options.rounds + 1):  # the first fills page caches and the peers' own caches
            for name, precision, command in scorers:
                try:
                    first, _, peak, _ = self.whole(command)
                except Stopped as reason:
                    if turn == 0:
                        self.leave_out({}, name, f"cold start {model}", reason)
                    continue
                if turn > 0:
                    old = best.get((precision, name), (math.inf, 0))
                    best[precision, name] = (min(old[0], first), max(old[1], peak))
        self.begin(*{("cold-start", model, precision, "") for precision, _ in best})
        for (precision, name), (first, peak) in best.items():
            self.save(("cold-start", model, precision, ""), name, first=first, peak_kib=peak)
            print(f"    {name:28} {first:10.3f} s, {peak / 1024:.0f} MiB", flush=True)

    def about(self):
        threads = self.options.threads
        text = subprocess.run([f"{self.build}/bench/bench_peaks", str(threads)], capture_output=True, text=True,
                              check=True).stdout
        peaks = {key: float(value) for key, value in map(str.split, text.splitlines())}
        old = self.results.get("peaks", {})
        self.results["peaks"] = {key: max(value, old.get(key, 0)) for key, value in peaks.items()}
        versions = subprocess.run([sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True).stdout
        wanted = ("torch", "transformers", "onnxruntime", "openvino", "nncf", "numpy", "pillow")
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            cpu = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
        git = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout
        self.results["about"] = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": git.strip(), "threads": threads,
            "cpu": f"{cpu[0] if cpu else platform.machine()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores",
            "rounds": self.options.rounds, "seconds": self.options.seconds, "quick": self.options.quick,
            "versions": [line for line in versions.splitlines() if line.lower().split("==")[0] in wanted]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of a turn, at least")
    parser.add_argument("--models")
    parser.add_argument("--parts", default="images,texts,end-to-end,cold-start")
    parser.add_argument("--quick", action="store_true", help="ViT-B/32 only, two short rounds, fewer items")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 5)
    models = (options.models or ("b32" if options.quick else "b32,b16,l14,lite0,mci0")).split(",")
    cores = sorted(os.sched_getaffinity(0))[:options.threads]
    os.sched_setaffinity(0, cores)  # children inherit it
    comparison = Comparison(options)
    comparison.about()
    parts = options.parts.split(",")
    for model in models:
        if "images" in parts:
            comparison.images(model)
    # The text towers of B/32 and B/16 are of one shape, and whole programs need no more than one model.
    main_model = "b16" if "b16" in models else models[0]
    if main_model in NAMES:  # of those only pictures are compared
        parts = ["images"]
    if "texts" in parts:
        comparison.texts(main_model)
    if "end-to-end" in parts:
        comparison.end_to_end(main_model)
    if "cold-start" in parts:
        comparison.cold_start(main_model)
    comparison.about()  # the peaks once more: the better measurement counts
    comparison.store()
    report.write(comparison.folder)


if __name__ == "__main__":
    main()
