"""mmood serve beside the service that one writes in an afternoon (peer_serve.py), in turns, on the same cores, with
the same model, labels, picture and client (load.c).

    python bench/compare_serve.py BUILD [--model DIR] [--picture FILE] [--threads 2] [--seconds 8] [--rounds 3]

For each: pictures a second at saturation (64 clients) and latency there, latency at half of that rate, latency of
all at half of the slowest one's rate, peak memory. Clients run on the same cores; what they take of them is shown.
For mmood also the share of what `mmood bench` makes of the same picture in batches, without HTTP.
Python needs bench/requirements-serve.txt, and nothing for `--only auto f32`. The model is ViT-B/32 with random weights, made in BUILD/bench, unless
one is given, such as the demo's: --model models/demo --picture tests/data/drawings/bacon.png
(onnxruntime embeds the demo's pictures otherwise than the rest, as its score shows; its times count all the same).
"""
import argparse
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
import warnings

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(here)
SERVICES = [("mmood, auto", "auto"), ("mmood, f32", "f32"), ("FastAPI, onnxruntime f32", "onnxruntime"),
            ("FastAPI, transformers f32", "transformers"), ("FastAPI, transformers bf16", "transformers-bf16")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--model")
    parser.add_argument("--picture", default=os.path.join(root, "tests/data/image/ok.jpg"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--only", nargs="*", help="kinds: " + ", ".join(kind for _, kind in SERVICES))
    return parser.parse_args()


def prepare(options, kinds):
    """The programs; a folder with the model, its ONNX form and the detector. The folders of builds and this one."""
    build = os.path.abspath(options.build)
    subprocess.run(["cmake", "--build", build, "--target", "bench_load", "bench_make_model", "mmood_cli"],
                   check=True, stdout=subprocess.DEVNULL)
    model = options.model or os.path.join(build, "bench", "b32")
    if not os.path.exists(os.path.join(model, "config.json")):
        subprocess.run([f"{build}/bench/bench_make_model", "b32", f"{root}/models/demo/tokenizer.json", model], check=True)
    model = os.path.abspath(model)
    work = os.path.join(build, "bench", "serve", model.strip("/").replace("/", "+"))  # one a model
    os.makedirs(work, exist_ok=True)
    for name in os.listdir(model):
        link = os.path.join(work, name)
        if not os.path.lexists(link):
            os.symlink(os.path.join(model, name), link)
    subprocess.run([f"{build}/mmood", "build", "--quiet", "-m", model, "--id", f"{root}/demo/sold.txt", "--outliers",
                    f"{root}/demo/outliers.txt", "-o", f"{work}/detector.mmood"], check=True)
    if "onnxruntime" in kinds and not os.path.exists(f"{work}/vision.onnx"):
        export(model, f"{work}/vision.onnx")
    return build, work


def export(model, path):
    import torch
    from transformers import CLIPVisionModelWithProjection

    warnings.simplefilter("ignore")
    with open(os.path.join(model, "config.json")) as file:
        dimension = json.load(file)["projection_dim"]  # not all have it in vision_config, too, where transformers looks

    class Tower(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = CLIPVisionModelWithProjection.from_pretrained(model, projection_dim=dimension).eval()

        def forward(self, pixels):
            return self.model(pixel_values=pixels).image_embeds

    tower = Tower()
    size = tower.model.config.image_size
    with torch.inference_mode():
        torch.onnx.export(tower, (torch.zeros(1, 3, size, size),), path, input_names=["pixels"],
                          output_names=["embeddings"], dynamic_axes={"pixels": {0: "n"}}, opset_version=18,
                          dynamo=False)


class Service:
    def __init__(self, kind, build, work, options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.options, self.load = options, f"{build}/bench/bench_load"
        if kind in ("auto", "f32"):
            command = [f"{build}/mmood", "serve", f"{work}/detector.mmood", "--listen", f"127.0.0.1:{self.port}",
                       "--threads", str(options.threads), "--access-log", "none", "--quiet", "--deadline", "60"]
            command += ["--precision", kind]
        else:
            command = [sys.executable, os.path.join(here, "peer_serve.py"), kind, work, f"{work}/detector.mmood",
                       str(self.port), str(options.threads)]
        began = time.monotonic()
        self.process = subprocess.Popen(command)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1).read()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - began > 120:
                    raise SystemExit(f"{kind} does not start")
                time.sleep(0.05)
        self.ready = time.monotonic() - began

    def score(self, picture):
        with open(picture, "rb") as file:
            request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/detect", file.read())
        request.add_header("Content-Type", "application/octet-stream")
        answer = json.load(urllib.request.urlopen(request))
        return (answer["results"][0] if "results" in answer else answer)["score"]

    def run(self, clients, seconds, rate=0):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [self.load, str(self.port), "/v1/detect", self.options.picture, "--clients", str(clients), "--seconds",
                   str(seconds)] + (["--rate", str(rate)] if rate else [])
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = re.search(r", ([\d.]+) s: ([\d.]+) /s  p50 ([\d.]+) ms  p95 ([\d.]+) ms  p99 ([\d.]+) ms  200: (\d+)$",
                          text.strip())
        if not found:
            raise SystemExit(f"not all requests were answered with 200: {text}")
        taken, per_second, p50, p95, p99, count = map(float, found.groups())
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"rate": per_second, "p50": p50, "p95": p95, "p99": p99,
                "client": cpu / taken / self.options.threads, "count": count}

    def end(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            peak = int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) / 1024
        self.process.terminate()
        self.process.wait()
        return peak


def without_http(build, work, options, precision):
    """Pictures a second that `mmood bench` makes in batches of 32: the whole work, and the model alone."""
    command = [f"{build}/mmood", "bench", f"{work}/detector.mmood", options.picture, "--format", "json", "--batch", "32",
               "--threads", str(options.threads), "--seconds", str(options.seconds), "--precision", precision]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found["judge"]["pictures_per_second"], found["model_alone"]["pictures_per_second"]


def median(rounds, *keys):
    values = []
    for r in rounds:
        for key in keys:
            r = r[key]
        values.append(r)
    return statistics.median(values)


def main():
    options = parse()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])
    services = [s for s in SERVICES if not options.only or s[1] in options.only]
    build, work = prepare(options, [kind for _, kind in services])
    found = {kind: [] for _, kind in services}
    batches = {kind: [] for _, kind in services if kind in ("auto", "f32")}
    slowest = None
    for number in range(options.rounds):
        for name, kind in reversed(services) if number == 0 else services:
            if kind in batches:
                batches[kind].append(without_http(build, work, options, kind))
            service = Service(kind, build, work, options)
            result = {"ready": service.ready, "score": service.score(options.picture)}
            service.run(4, 1)
            result["full"] = service.run(options.clients, options.seconds)
            result["half"] = service.run(16, options.seconds, result["full"]["rate"] / 2)
            if number == 0:
                slowest = min(slowest or 1e9, result["full"]["rate"])
            else:
                result["same"] = service.run(16, options.seconds, slowest / 2)
            result["peak"] = service.end()
            found[kind].append(result)
            print(f"round {number + 1}: {name}: {json.dumps(result)}", file=sys.stderr, flush=True)
    print(f"\n{options.clients} clients on the same {options.threads} cores, {os.path.basename(options.picture)}, medians of "
          f"{options.rounds} rounds; ms.\n")
    print("| service | pictures/s | p50 / p95 / p99 | at half of it: p50 / p95 / p99 | clients' share of the cores "
          "| ready after | peak memory | score |")
    print("|---|---|---|---|---|---|---|---|")
    for name, kind in services:
        rounds = found[kind]
        cells = [" / ".join(f"{median(rounds, part, p):.0f}" for p in ("p50", "p95", "p99")) for part in ("full", "half")]
        print(f"| {name} | {median(rounds, 'full', 'rate'):.1f} | {cells[0]} | {cells[1]} "
              f"| {100 * median(rounds, 'full', 'client'):.1f} % | {median(rounds, 'ready'):.1f} s "
              f"| {median(rounds, 'peak'):.0f} MB | {median(rounds, 'score'):.6f} |")
    if options.rounds > 1:
        print(f"\nAll at {slowest / 2:.1f} requests/s, half of what the slowest can: p50 / p95 / p99")
        for name, kind in services:
            print(f"- {name}: " + " / ".join(f"{median(found[kind][1:], 'same', p):.1f}" for p in ("p50", "p95", "p99")))
    print()
    for name, kind in services:
        if kind in batches:
            whole, model = (statistics.median(values) for values in zip(*batches[kind]))
            full = median(found[kind], "full", "rate")
            print(f"{name}: {100 * full / whole:.0f} % of `mmood bench` (whole work in batches of 32: {whole:.1f}/s), "
                  f"{100 * full / model:.0f} % of the model alone ({model:.1f}/s)")


if __name__ == "__main__":
    main()
