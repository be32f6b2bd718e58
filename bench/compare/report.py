"""Tables, a CSV and a chart from what run.py measured.

    python report.py FOLDER         reads FOLDER/results.json; writes results.csv, results.md and chart.svg beside it

A share of peak counts the multiplications of a model's dense layers, all of them for every token that is not padding, of
mmood as of the others: what a runtime leaves out (the last layer of tokens that nobody asks for) counts as done, and what
it does needlessly (padding) does not. The peak is that of registers in the same precision. Attention is in no share; the
CSV has it in a column of its own. Standard library only.
"""
import csv
import json
import os
import sys

MODELS = {"b32": "ViT-B/32", "b16": "ViT-B/16", "l14": "ViT-L/14", "lite0": "EfficientNet-Lite0", "mci0": "MobileCLIP-S0"}
PRECISIONS = ("f32", "bf16", "int8")
PYTHON = ("torch", "torch-compile", "onnxruntime", "openvino")


class Results:
    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/results.json", encoding="utf-8") as file:
            stored = json.load(file)
        self.cells = {tuple(key.split("/")): value for key, value in stored["cells"].items()}
        self.about, self.peaks, self.absent = stored["about"], stored["peaks"], stored.get("absent", {})
        self.configs = {}

    def of(self, part):
        """The cells of a part, in the order of models and precisions."""
        order = list(MODELS)
        found = [(cell, peers) for cell, peers in self.cells.items() if cell[0] == part]
        return sorted(found, key=lambda item: (order.index(item[0][1]), PRECISIONS.index(item[0][2])))

    def config(self, model):
        if model not in self.configs:
            with open(f"{self.folder}/models/{model}/config.json", encoding="utf-8") as file:
                self.configs[model] = json.load(file)
        return self.configs[model]

    def flops(self, cell):
        """Of one item: of dense layers, and of attention's two products; of convolutions what prepare.py counted."""
        counted = f"{self.folder}/peers/{cell[1]}/flops.json"
        if os.path.exists(counted):
            with open(counted, encoding="utf-8") as file:
                return json.load(file), 0
        config = self.config(cell[1])
        if cell[0] == "texts":
            tower = config["text_config"]
            with open(f"{self.folder}/labels/{cell[3]}.ids", encoding="ascii") as file:
                lengths = [len(line.split()) for line in file]
            tokens, squares, patch = sum(lengths) / len(lengths), sum(n * n for n in lengths) / len(lengths), 0
        else:
            tower = config["vision_config"]
            patches = (tower["image_size"] // tower["patch_size"]) ** 2
            tokens, squares = patches + 1, (patches + 1) ** 2
            patch = patches * 3 * tower["patch_size"] ** 2 * tower["hidden_size"]
        w, f, layers = tower["hidden_size"], tower["intermediate_size"], tower["num_hidden_layers"]
        dense = 2 * (layers * tokens * (4 * w * w + 2 * w * f) + patch + w * config["projection_dim"])
        return dense, 4 * layers * squares * w

    def share(self, cell, rate):
        peak = self.peaks.get(cell[2], 0)
        return self.flops(cell)[0] * rate / peak if peak else None


def best(peers, key="rate", largest=True, among=None):
    """The best of the others: (name, value), or None."""
    found = [(values[key], name) for name, values in peers.items()
             if not name.startswith("mmood") and key in values and (not among or name.split()[0] in among)]
    if not found:
        return None
    value, name = max(found) if largest else min(found)
    return name, value


def table(head, rows):
    """Markdown whose columns line up in a terminal too."""
    rows = [[str(field) for field in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row):
        return "| " + " | ".join(field.ljust(width) for field, width in zip(row, widths)) + " |"
    return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])


def percent(share):
    return "" if share is None else f"{100 * share:.0f} %"


def ratio(a, b):
    return f"{a / b:.2f} x"


def pairs(results, part, detail):
    """A row a cell: mmood beside the best of the others."""
    rows = []
    for cell, peers in results.of(part):
        peers = {name: values for name, values in peers.items() if "padded to 77" not in name}
        other = best(peers)
        mine = peers.get(f"mmood {cell[2]}", {}).get("rate")
        row = [MODELS[cell[1]], cell[2], detail(cell)]
        shared = part in ("images", "texts")
        row += [f"{mine:.2f}" if mine else "absent"] + ([percent(results.share(cell, mine)) if mine else ""] if shared else [])
        row += [other[0], f"{other[1]:.2f}"] if other else ["none", ""]
        row += [percent(results.share(cell, other[1])) if other else ""] if shared else []
        rows.append(row + [ratio(mine, other[1]) if mine and other else ""])
    return rows


def everyone(results, part, columns):
    """A row a peer, with a rate for each detail."""
    groups = {}
    for cell, peers in results.of(part):
        for name, values in peers.items():
            groups.setdefault((cell[1], cell[2], name), {})[cell[3]] = values
    rows = []
    for (model, precision, name), cells in groups.items():
        rates = [f"{cells[c]['rate']:.2f}" if c in cells else "" for c in columns]
        cosines = [values["cosine"] for values in cells.values() if values.get("cosine") is not None]
        errors = [values["score_error"] for values in cells.values() if values.get("score_error") is not None]
        closeness = f"{min(cosines):.6f}" if cosines else f"{max(errors):.1e}" if errors else ""
        peak = max(values.get("peak_kib", 0) for values in cells.values())
        rows.append([MODELS[model], precision, name, *rates, closeness, f"{peak / 1024:.0f}"])
    return rows


def cold_rows(results):
    rows = []
    for cell, peers in results.of("cold-start"):
        for name, values in sorted(peers.items(), key=lambda item: item[1]["first"]):
            rows.append([MODELS[cell[1]], name, f"{values['first']:.3f}", f"{values['peak_kib'] / 1024:.0f}"])
    return rows


def aims(results):
    """The aims that a benchmark can judge, with what was measured."""
    rows = []

    def add(work, aim, value):
        rows.append([work, aim, value or "not measured"])

    def rate(cell, name):
        return results.cells.get(cell, {}).get(name, {}).get("rate")

    def against(cell, name, among=None, fewer=None):
        mine, peers = rate(cell, name), results.cells.get(cell, {})
        peers = {k: v for k, v in peers.items() if "padded to 77" not in k and (not fewer or k in fewer)}
        other = best(peers, among=among)
        return f"{mine / other[1]:.2f} x ({other[0]})" if mine and other else None

    models = [m for m in MODELS if any(cell[1] == m for cell in results.cells)]
    for m in models:
        cell = ("images", m, "bf16", "32")
        mine = rate(cell, "mmood bf16")
        add(f"{MODELS[m]} pictures, bf16, batch 32", "85 % of the peak", percent(results.share(cell, mine)) if mine else None)
        add(f"{MODELS[m]} pictures, bf16, batch 32", "1.15 x the best peer", against(cell, "mmood bf16"))
    for m in models:
        mine, ours = rate(("images", m, "int8", "32"), "mmood int8"), rate(("images", m, "bf16", "32"), "mmood bf16")
        add(f"{MODELS[m]} pictures, int8, batch 32", "1.6 x our bf16", ratio(mine, ours) if mine and ours else None)
        add(f"{MODELS[m]} pictures, int8, batch 32", "1.15 x the best peer", against(("images", m, "int8", "32"), "mmood int8"))
    for m in models:
        add(f"{MODELS[m]} pictures, f32, batch 32", "1.1 x onnxruntime and torch",
            against(("images", m, "f32", "32"), "mmood f32", among=("onnxruntime", "torch", "torch-compile")))
    for cell, peers in results.of("texts"):
        if cell[3] != "wordnet":
            continue
        mine = rate(cell, f"mmood {cell[2]}")
        padded = rate(cell, f"torch {cell[2]} padded to 77")
        add(f"labels, {cell[2]}", "5 x transformers padded to 77", ratio(mine, padded) if mine and padded else None)
        add(f"labels, {cell[2]}", "1.3 x the best peer padded to the longest", against(cell, f"mmood {cell[2]}"))
    for cell, peers in results.of("cold-start"):
        mine = min(((values["first"], name) for name, values in peers.items() if name.startswith("mmood")), default=None)
        for among in (PYTHON, ("torch",)):
            other = best(peers, "first", False, among)
            if mine and other:
                add(f"cold start to first score, {MODELS[cell[1]]} {cell[2]}", "5 x faster than Python with any peer",
                    f"{other[1] / mine[0]:.2f} x ({other[0]}; {mine[1]})")
    for cell, peers in [*results.of("images"), *results.of("end-to-end")]:
        own, other = peers.get(f"mmood {cell[2]}"), best(peers, "peak_kib", False, PYTHON)
        if own and other and cell[3] in ("32", "small"):
            work = "pictures in memory, batch 32" if cell[0] == "images" else "files to scores"
            add(f"peak memory, {MODELS[cell[1]]} {cell[2]}, {work}", "half of the leanest Python peer",
                f"{own['peak_kib'] / other[1]:.2f} x ({other[0]})")
    for m in models:
        for precision, weights in (("f32", "f32"), ("bf16", "f16"), ("int8", "q8_0")):
            value = against(("images", m, precision, "8"), f"mmood {precision}", among=("clip.cpp",))
            add(f"{MODELS[m]} pictures, {precision}, batch 8", "2 x clip.cpp", value)
    return rows


def markdown(results):
    about = results.about
    peaks = ", ".join(f"{name} {value / 1e9:.0f}" for name, value in results.peaks.items() if value)
    parts = [f"{about['cpu']}; {about['threads']} threads; {about['date']}, commit {about['commit']}; best of {about['rounds']} "
             f"rounds of at least {about['seconds']:g} s. Register-only peak, GFLOP/s: {peaks}. "
             f"{', '.join(about['versions'])}."]
    runs = sorted({values.get("run", "an unknown run") for peers in results.cells.values() for values in peers.values()})
    if len(runs) > 1:
        parts.append(f"Measured in several runs: {'; '.join(runs)}. Ratios are within one.")
    if any("quick" in run for run in runs):
        parts.append("Some of it is a quick run: short turns and fewer items. The numbers show that everything works, not how fast it is.")
    pair = ["model", "precision", "batch", "mmood /s", "of peak", "best peer", "its /s", "of peak", "mmood : peer"]
    plain = ["model", "precision", "files", "mmood /s", "best peer", "its /s", "mmood : peer"]
    peer = ["model", "precision", "peer"]
    batches = ("1", "8", "32")
    sections = (
        ("Aims", ["work", "aim", "measured"], aims(results)),
        ("Pictures", pair, pairs(results, "images", lambda cell: cell[3])),
        ("Pictures, everyone: pictures/s at each batch, least cosine with PyTorch in f32, MiB at most",
         [*peer, *(f"batch {b}" for b in batches), "cosine", "MiB"], everyone(results, "images", batches)),
        ("Labels: in batches padded to their longest; mmood without padding", [*pair[:2], "labels", *pair[3:]],
         pairs(results, "texts", lambda cell: cell[3])),
        ("Labels, everyone: labels/s", [*peer, "imagenet", "wordnet", "cosine", "MiB"],
         everyone(results, "texts", ("imagenet", "wordnet"))),
        ("Files to scores", plain, pairs(results, "end-to-end", lambda cell: cell[3])),
        ("Files to scores, everyone: pictures/s after the first, largest difference to torch f32's scores, MiB at most",
         [*peer, "small", "large", "difference", "MiB"], everyone(results, "end-to-end", ("small", "large"))),
        ("Cold start: seconds from the start of the process to the first score", ["model", "peer", "seconds", "MiB"],
         cold_rows(results)))
    for title, head, rows in sections:
        if rows:
            parts.append(f"### {title}\n\n{table(head, rows)}")
    if results.absent:
        rows = [[what, why.replace("|", "/")[:160]] for what, why in results.absent.items()]
        parts.append("### Left out\n\n" + table(["what", "why"], rows))
    return "\n\n".join(parts) + "\n"


def write_csv(results, path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["part", "model", "precision", "detail", "peer", "per_second", "share_of_peak",
                      "share_with_attention", "seconds", "cosine", "score_error", "peak_mib"])
        for part in ("images", "texts", "end-to-end", "cold-start"):
            for cell, peers in results.of(part):
                for name, values in peers.items():
                    rate, shares = values.get("rate"), ["", ""]
                    if rate and part in ("images", "texts") and results.peaks.get(cell[2]):
                        dense, attention = results.flops(cell)
                        shares = [f"{flops * rate / results.peaks[cell[2]]:.4f}" for flops in (dense, dense + attention)]
                    seconds = values.get("first", values.get("seconds", ""))
                    out.writerow([*cell, name, rate or "", *shares, seconds, values.get("cosine", ""),
                                  values.get("score_error", ""), f"{values.get('peak_kib', 0) / 1024:.1f}"])


STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 } .group { font-weight: 600 } .small { font-size: 12px }
.own { fill: #0969da } .peer { fill: #8c959f } line { stroke: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .own { fill: #4493f8 } .peer { fill: #6e7681 } line { stroke: #30363d }
}"""


def chart(results):
    """Bars of each peer's share of the machine's peak at the largest batch: one scale for all models and precisions."""
    groups = [(cell, peers) for cell, peers in results.of("images") if cell[3] == "32" and results.peaks.get(cell[2])]
    left, width, step = 180, 420, 18
    y, out = 64, []
    for cell, peers in groups:
        out.append(f'<text class="group" x="10" y="{y}">{MODELS[cell[1]]}, {cell[2]}</text>')
        y += 8
        for name, values in sorted(peers.items(), key=lambda item: -item[1].get("rate", 0)):
            share = results.share(cell, values["rate"])
            long = max(1, round(width * min(share, 1.2)))
            out.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{name}</text>'
                       f'<rect class="{"own" if name.startswith("mmood") else "peer"}" x="{left}" y="{y}" width="{long}" '
                       f'height="{step - 5}" rx="2"/>'
                       f'<text class="small" x="{left + long + 6}" y="{y + 11}">{100 * share:.0f} %, '
                       f'{values["rate"]:.1f} /s</text>')
            y += step
        y += 22
    marks = [f'<line x1="{left + width * p // 100}" x2="{left + width * p // 100}" y1="48" y2="{y - 20}"/>'
             f'<text class="small" x="{left + width * p // 100}" y="44" text-anchor="middle">{p} %</text>'
             for p in (0, 25, 50, 75, 100)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {y}" width="760" height="{y}" role="img">'
            f'<title>CLIP picture encoders on a CPU: share of the peak</title><style>{STYLE}</style>'
            f'<text class="title" x="10" y="22">Pictures, batches of 32: share of the register-only peak, '
            f'{results.about["threads"]} threads</text>' + "".join(marks + out) + "</svg>\n")


def write(folder):
    results = Results(folder)
    text = markdown(results)
    with open(f"{folder}/results.md", "w", encoding="utf-8") as file:
        file.write(text)
    write_csv(results, f"{folder}/results.csv")
    with open(f"{folder}/chart.svg", "w", encoding="utf-8") as file:
        file.write(chart(results))
    print("\n" + text)
    print(f"written: {', '.join(os.path.join(folder, name) for name in ('results.md', 'results.csv', 'chart.svg'))}")


if __name__ == "__main__":
    write(sys.argv[1])
