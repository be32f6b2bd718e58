"""mmood envision against llama.cpp's OpenAI-compatible server, as llama-cpp-python starts it, with a tiny random model.

    python tools/interop/check_server.py BUILD     (packages: tools/interop/requirements.txt)

README.md beside this file tells what that shows. Exit code 0 if all holds.
"""
import base64
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import make_model

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = os.path.join(HERE, "..", "..", "tests", "data", "image")
CHAT = "/v1/chat/completions"
SHOWN = {"red lamp": "syn_640x427.png", "kettle": "ok.jpg", "old mask": "lossy.webp", "fence": "plain.gif",
         "wagon": "exif_6.jpg", "drum": "rgba.png"}
failures = []


def check(holds, what):
    print(("ok      " if holds else "FAILED  ") + what)
    if not holds:
        failures.append(what)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_server(folder, log):
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--host", "127.0.0.1", "--port", str(port),
               "--model", os.path.join(folder, "model.gguf"), "--clip_model_path", os.path.join(folder, "mmproj.gguf"),
               "--chat_format", "llava-1-5", "--n_ctx", str(make_model.CONTEXT), "--n_threads", "2"]
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(url + "/v1/models", timeout=5).read()
            return server, url
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    server.kill()
    sys.exit(f"the server did not start; its log is {log.name}")


def ask(url, content):
    body = json.dumps({"messages": [{"role": "user", "content": content}], "max_tokens": 32, "temperature": 0}).encode()
    request = urllib.request.Request(url + CHAT, body, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=120))


def calls(log, code):
    with open(log.name) as file:
        return len(re.findall(rf'"POST {CHAT} HTTP/1.1" {code}\b', file.read()))


def exchanges(cache):
    out = []
    for path in sorted(glob.glob(os.path.join(cache, "*.json"))):
        with open(path) as file:
            out.append(json.load(file))
    return out


def is_list_of_labels(text):
    """Not strict: the server's grammar lets a tab stand in a string."""
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        return False
    return list(value) == ["labels"] and all(isinstance(label, str) for label in value["labels"])


def check_run(run, folder, log):
    code, said = run("near.json", "--no-probe")
    check(code in (0, 3), f"near: exit code {code}, expected 0, or 3 if a class's reply has no end; {said[-80:]}")
    if code not in (0, 3):
        return
    kept = exchanges(os.path.join(folder, "cache"))
    shown = [e for e in kept if any(m.get("pictures") for m in e["request"]["messages"])]
    check(len(shown) == len(kept) >= len(SHOWN),
          f"{len(kept)} exchanges, {len(shown)} with a picture; expected all, and one a class at least")
    check(calls(log, 200) == len(kept), f"{calls(log, 200)} answers with code 200, expected {len(kept)}")
    refused = calls(log, 422) + calls(log, 500)
    check(refused <= 1, f"{refused} errors of the server, expected at most one: that it takes schemas in the older form only")
    whole = [e for e in kept if json.loads(e["reply"])["choices"][0]["finish_reason"] == "stop"]
    good = [e for e in whole if is_list_of_labels(e["text"])]
    check(len(good) == len(whole) >= 1, f"{len(whole)} whole replies, {len(good)} follow the schema, expected all")
    check(not any(e["left_out"]["schema"] for e in kept), "the schema was never left out")
    with open(os.path.join(folder, "near.json")) as file:
        labels = json.load(file)["labels"]
    check(len(labels) > 0 and {x["exchange"] for x in labels} <= {e["key"] for e in kept},
          f"{len(labels)} labels, such as {[x['label'] for x in labels[:3]]}, each from an exchange that was kept")
    before = calls(log, 200)
    code, said = run("again.json", "--no-probe", "--offline")
    with open(os.path.join(folder, "near.json"), "rb") as a, open(os.path.join(folder, "again.json"), "rb") as b:
        check(code in (0, 3) and a.read() == b.read() and calls(log, 200) == before, "again offline: no call, an equal file")


def check_pictures(url, folder):
    """Pictures become tokens of the prompt, and the answer depends on them."""
    question = [{"type": "text", "text": "What is this?"}]
    without = ask(url, question)["usage"]["prompt_tokens"]
    answers = set()
    for path in glob.glob(os.path.join(folder, "cache", "pictures", "*.jpg")):
        with open(path, "rb") as file:
            link = "data:image/jpeg;base64," + base64.b64encode(file.read()).decode()
        reply = ask(url, [{"type": "image_url", "image_url": {"url": link}}] + question)
        answers.add(reply["choices"][0]["message"]["content"])
        having = reply["usage"]["prompt_tokens"]
    patches = (make_model.SIDE // make_model.PATCH) ** 2
    check(having >= without + patches, f"a picture adds {having - without} tokens, expected its {patches} patches or more")
    check(len(answers) > 1, f"{len(answers)} different answers about {len(SHOWN)} pictures, expected more than one")


def main():
    build = os.path.abspath(sys.argv[1])
    os.makedirs(os.path.join(build, "logs"), exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(build, "logs", "interop-server.log"), "w") as log:
        make_model.write_language_model(os.path.join(folder, "model.gguf"))
        make_model.write_vision_tower(os.path.join(folder, "mmproj.gguf"))
        os.mkdir(os.path.join(folder, "pictures"))
        for label, name in SHOWN.items():
            shutil.copy(os.path.join(PICTURES, name), os.path.join(folder, "pictures", label + os.path.splitext(name)[1]))
        with open(os.path.join(folder, "id.txt"), "w") as file:
            file.write("\n".join(SHOWN) + "\n")
        server, url = start_server(folder, log)

        def run(out, *options):
            command = [os.path.join(build, "mmood"), "envision", "--mode", "near", "--id", os.path.join(folder, "id.txt"),
                       "--images", os.path.join(folder, "pictures"), "--chat-url", url, "--cache",
                       os.path.join(folder, "cache"), "-o", os.path.join(folder, out), "--wordnet", "none", "-L", "3K",
                       "--max-tokens", "400", "--key-env", "NONE", *options]
            result = subprocess.run(command, capture_output=True, text=True, timeout=600)
            return result.returncode, " ".join(result.stderr.split())

        try:
            check_run(run, folder, log)
            if not failures:
                check_pictures(url, folder)
            code, said = run("refused.json")
            check(code == 1 and not os.path.exists(os.path.join(folder, "refused.json")),
                  f"with the probe the model is refused: exit code {code}; {said[:70]}")
        finally:
            server.terminate()
            server.wait()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
