#!/bin/sh
# Models by name from the Hugging Face cache: where it is, what it names, and detectors built from it. Runs in tests/.
#   test_hub_cache.sh PROGRAM
set -u
. cli/lib.sh
commit=0123456789abcdef0123456789abcdef01234567
other=fedcba9876543210fedcba9876543210fedcba98
mkdir "$work/home"
export HOME="$work/home"
unset XDG_CACHE_HOME

# cached HUB MODEL GOLDEN: a model in the cache HUB as the hub's programs leave it: files in blobs/, links to them.
cached() {
    mkdir -p "$1/$2/blobs" "$1/$2/refs" "$1/$2/snapshots/$commit"
    for path in "golden/$3/"*; do
        hash=$(sha256sum "$path" | cut -d ' ' -f 1)
        cp "$path" "$1/$2/blobs/$hash"
        ln -sf "../../blobs/$hash" "$1/$2/snapshots/$commit/${path##*/}"
    done
    printf %s "$commit" >"$1/$2/refs/main"
}

inspect() {
    want=$1
    shift
    expect "$want" "$mmood" inspect --no-cache "$@"
}

# ---- where the cache is
cached "$HOME/.cache/huggingface/hub" models--plain--quick b32-quick
cached "$work/xdg/huggingface/hub" models--plain--xdg b32-quick
cached "$work/hf/hub" models--plain--hf b32-quick
cached "$work/cache" models--plain--cache b32-quick
inspect 0 plain/quick
says out "CLIP model    ViT-64/32"
XDG_CACHE_HOME=$work/xdg inspect 0 plain/xdg
HF_HOME=$work/hf XDG_CACHE_HOME=$work/xdg inspect 0 plain/hf
HF_HUB_CACHE=$work/cache HF_HOME=$work/hf inspect 0 plain/cache
HOME=$work HF_HOME='~/hf' inspect 0 plain/hf
HF_HOME='' HF_HUB_CACHE='' XDG_CACHE_HOME='' inspect 0 plain/quick
HF_HUB_CACHE=$work/cache inspect 1 plain/quick
says err "plain/quick: there is no such file or directory, and the Hugging Face cache has no model of this name"
says err "($work/cache/models--plain--quick is not there); \"mmood pull plain/quick\" downloads it"
(unset HOME && "$mmood" inspect --no-cache plain/quick) >"$work/out" 2>"$work/err" && fail "a cache without a home"
says err "\"mmood pull plain/quick\" downloads it"

# ---- what the options and the environment take; a directory that is there comes first
printf 'a cat\n' >"$work/texts"
embed() { expect 0 "$mmood" embed --no-cache --texts "$work/texts" -o "$1"; }
MMOOD_MODEL=plain/quick embed "$work/by-name"
MMOOD_MODEL=golden/b32-quick embed "$work/by-path"
same "$work/by-name" "$work/by-path"
expect 0 "$mmood" tokenize --no-cache -m plain/quick 'a cat'
mkdir "$work/plain"
cd "$work" || exit 1
cp -r "$here/golden/eos-inside" plain/quick
inspect 0 plain/quick --json
cp out here
inspect 0 "$here/golden/eos-inside" --json
same out here
rm -r plain
mkdir quick
inspect 1 other/quick
says err "the directory quick here is taken with its own name; \"mmood pull other/quick\" downloads it"
cd "$here" || exit 1

# ---- a model's folder in the cache, with and without refs/main, and with several snapshots
hub=$HOME/.cache/huggingface/hub
inspect 0 "$hub/models--plain--quick"
inspect 0 "$hub/models--plain--quick/"
inspect 0 "$hub/models--plain--quick/snapshots/$commit"
mv "$hub/models--plain--quick/refs/main" "$work/main"
inspect 0 plain/quick
inspect 0 "$hub/models--plain--quick"
mkdir "$hub/models--plain--quick/snapshots/$other"
inspect 1 plain/quick
says err "models--plain--quick has no refs/main that names a commit, and not exactly one snapshot"
says err "\"mmood pull plain/quick\" downloads it"
inspect 1 "$hub/models--plain--quick"
says err "give one of the directories in its snapshots"
mv "$work/main" "$hub/models--plain--quick/refs/main"
inspect 0 plain/quick

# ---- a snapshot with some of the files
printf %s "$other" >"$hub/models--plain--quick/refs/main"
inspect 1 plain/quick
says err "the Hugging Face cache has plain/quick in $hub/models--plain--quick/snapshots/$other; \"mmood pull\" downloads what"
rmdir "$hub/models--plain--quick/snapshots/$other"
inspect 1 plain/quick
says err "refs/main names the commit $other, and snapshots has no such directory"

# ---- refs/main that leads elsewhere names no commit
for text in "../../models--plain--quick/snapshots/$commit" /etc .. '' 'a b' "$(head -c 65 /dev/zero | tr '\0' a)" \
    "$(head -c 300 /dev/zero | tr '\0' a)"; do
    printf %s "$text" >"$hub/models--plain--quick/refs/main"
    inspect 0 plain/quick # the only snapshot
done
printf '%s\n' "$commit" >"$hub/models--plain--quick/refs/main"
inspect 0 plain/quick

# ---- what is no name is a path
for name in plain plain/quick/x ../quick ./quick plain/../quick plain/.quick -x/quick 'plain/qu ick' /plain/quick plain// \
    "plain/$(head -c 97 /dev/zero | tr '\0' a)"; do
    expect 1 "$mmood" tokenize --no-cache -m "$name" x
    lacks err "mmood pull"
done

# ---- detectors: the snapshot's path is stored, and found again in the cache of another machine
printf 'cat\ndog\n' >"$work/labels"
expect 0 "$mmood" build --no-cache -m plain/quick --id "$work/labels" -o "$work/d.mmood"
expect 0 "$mmood" inspect "$work/d.mmood"
says out "model         $hub/models--plain--quick/snapshots/$commit"
picture=$(find "$here/data/drawings" -name '*.png' | head -n 1)
score() { expect "$1" "$mmood" score --no-cache "$work/d.mmood" "$picture"; }
score 0
mv "$HOME/.cache" "$work/moved"
score 1
says err "the detector was built with the model in \"$hub/models--plain--quick"
HF_HUB_CACHE=$work/moved/huggingface/hub score 0
MMOOD_MODEL=golden/b32-quick score 0
expect 0 "$mmood" score --no-cache -m golden/b32-quick "$work/d.mmood" "$picture"
mv "$work/moved/huggingface/hub/models--plain--quick/snapshots/$commit" \
    "$work/moved/huggingface/hub/models--plain--quick/snapshots/$other"
printf %s "$other" >"$work/moved/huggingface/hub/models--plain--quick/refs/main"
HF_HUB_CACHE=$work/moved/huggingface/hub score 0
rm "$work/moved/huggingface/hub/models--plain--quick/snapshots/$other/"*
cp golden/eos-inside/* "$work/moved/huggingface/hub/models--plain--quick/snapshots/$other"
HF_HUB_CACHE=$work/moved/huggingface/hub score 1
says err "the detector"
finish
