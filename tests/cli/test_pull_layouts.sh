#!/bin/sh
# mmood pull: which files of a repository are the model, the conversion in a pull request, and the token of a login.
# Runs in tests/.
#   test_pull_layouts.sh PROGRAM FAKE_HUB
set -u
. cli/lib.sh
. cli/hub.sh

# has DIR FILE...: DIR has these files and no others.
has() {
    holder=$1
    shift
    checks=$((checks + 1))
    [ "$(ls -A "$holder")" = "$(printf '%s\n' "$@" | LC_ALL=C sort)" ] || fail "$holder has $(ls -A "$holder")"
}
export LC_ALL=C

# repository NAME: one with configurations of both layouts and a tokenizer, without weights. What is in files of weights
# of other kinds does not matter to pull: it fetches them, and opening the model fails.
repository() {
    rm -rf "${root:?}/$1" "$work/out.d"
    mkdir "$root/$1"
    cp golden/b32-quick/*.json "$root/$1"
    printf '{"model_cfg": {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": {}}' >"$root/$1/open_clip_config.json"
}
weights() {
    folder=$root/$1
    shift
    for new in "$@"; do echo "weights in $new" >"$folder/$new"; done
}
hf="config.json preprocessor_config.json tokenizer.json"
oc="open_clip_config.json tokenizer.json"

# ---- LAION's repositories have everything: transformers' safetensors come first
repository laion
cp golden/b32-quick/model.safetensors "$root/laion"
weights laion open_clip_model.safetensors pytorch_model.bin open_clip_pytorch_model.bin
pull 0 plain/laion -o "$work/out.d"
# shellcheck disable=SC2086 # a list
has "$work/out.d" $hf model.safetensors
logs_no open_clip
logs_no .bin
logs_no api

# ---- no safetensors of transformers': open_clip's, and nothing of transformers'
repository laion
weights laion open_clip_model.safetensors pytorch_model.bin open_clip_pytorch_model.bin
pull 1 plain/laion -o "$work/out.d"
says err "taking the model in open_clip's layout"
says err "3 of 3 files are new"
# shellcheck disable=SC2086
has "$work/out.d" $oc open_clip_model.safetensors
same "$work/out.d/open_clip_model.safetensors" "$root/laion/open_clip_model.safetensors"
same "$work/out.d/open_clip_config.json" "$root/laion/open_clip_config.json"
logs "store GET plain/laion/open_clip_model.safetensors"
pull 1 plain/laion -o "$work/out.d"
says err "0 of 3 files are new"
logs_no store

# ---- the same in shards, and with a config.json of another library beside it
repository shards
printf '{"architecture": "vit_base_patch32_clip_224"}' >"$root/shards/config.json"
weights shards a-1.safetensors a-2.safetensors model.safetensors
printf '{"weight_map": {"x": "a-1.safetensors", "y": "a-2.safetensors", "z": "a-1.safetensors"}}' \
    >"$root/shards/open_clip_model.safetensors.index.json"
pull 1 plain/shards -o "$work/out.d"
# shellcheck disable=SC2086
has "$work/out.d" $oc a-1.safetensors a-2.safetensors open_clip_model.safetensors.index.json
for name in ../x.safetensors a/b.safetensors x.bin open_clip_config.json ''; do
    printf '{"weight_map": {"x": "%s"}}' "$name" >"$root/shards/open_clip_model.safetensors.index.json"
    pull 1 plain/shards -o "$work/no"
    says err "open_clip_model.safetensors.index.json gives \"$name\" for tensor \"x\"; the plain name of a .safetensors file"
done
gone "$work/no"

# ---- pickles: transformers' before open_clip's
repository pickle
weights pickle pytorch_model.bin open_clip_pytorch_model.bin
pull 1 plain/pickle -o "$work/out.d"
says err "there are no safetensors, so PyTorch's pytorch_model.bin is taken"
# shellcheck disable=SC2086
has "$work/out.d" $hf pytorch_model.bin
logs "store GET plain/pickle/pytorch_model.bin"
logs_no api
rm "$root/pickle/pytorch_model.bin"
weights pickle b-1.bin
printf '{"weight_map": {"x": "b-1.bin"}}' >"$root/pickle/pytorch_model.bin.index.json"
rm -r "$work/out.d"
pull 1 plain/pickle -o "$work/out.d"
# shellcheck disable=SC2086
has "$work/out.d" $hf b-1.bin pytorch_model.bin.index.json
for name in ../x.bin x.safetensors .bin tokenizer.json; do
    printf '{"weight_map": {"x": "%s"}}' "$name" >"$root/pickle/pytorch_model.bin.index.json"
    pull 1 plain/pickle -o "$work/no"
    says err "pytorch_model.bin.index.json gives \"$name\" for tensor \"x\"; the plain name of a .bin file"
done
rm -r "$root/pickle/pytorch_model.bin.index.json" "$work/out.d"
pull 1 plain/pickle -o "$work/out.d"
# shellcheck disable=SC2086
has "$work/out.d" $oc open_clip_pytorch_model.bin
pull 1 otherhash/pickle -o "$work/no"
says err "open_clip_pytorch_model.bin: the contents have the SHA-256"
gone "$work/no"

# ---- pickles of many bytes resume as safetensors do
repository large
cp golden/b32-quick/model.safetensors "$root/large/pytorch_model.bin"
mkdir "$work/out.d"
head -c 5000 "$root/large/pytorch_model.bin" >"$work/out.d/pytorch_model.bin.part"
pull 1 plain/large -o "$work/out.d"
logs "store GET plain/large/pytorch_model.bin range=bytes=5000-"
same "$work/out.d/pytorch_model.bin" "$root/large/pytorch_model.bin"

# ---- a folder with another model: nothing is mixed
for file in model.safetensors model.safetensors.index.json open_clip_model.safetensors; do
    rm -rf "$work/mixed"
    mkdir "$work/mixed"
    echo old >"$work/mixed/$file"
    pull 1 plain/large -o "$work/mixed"
    says err "the folder $work/mixed has the file $file, which is not of this model, plain/large,"
    has "$work/mixed" "$file"
done
for file in config.json tokenizer.json model.safetensors; do
    repository oc
    rm "$root/oc/config.json" "$root/oc/tokenizer.json"
    weights oc vocab.json merges.txt open_clip_model.safetensors
    rm -rf "$work/mixed"
    mkdir "$work/mixed"
    echo old >"$work/mixed/$file"
    pull 1 plain/oc -o "$work/mixed"
    says err "the folder $work/mixed has the file $file, which is not of this model, plain/oc,"
    has "$work/mixed" "$file"
done

# ---- configurations that are no model's
repository broken
rm "$root/broken/config.json"
weights broken open_clip_model.safetensors
for text in '' '{' '[]' '{}' '{"model_cfg": 3}' '{"model_cfg": {}} x'; do
    printf '%s' "$text" >"$root/broken/open_clip_config.json"
    pull 1 plain/broken -o "$work/no"
    says err "plain/broken: open_clip_config.json"
    logs_no open_clip_model
done
gone "$work/no"

# ---- the conversion in a pull request: the bot's, open, of that title; from all pages, and on one commit
title="Adding \`safetensors\` variant of this model"
repository model
cp -r golden/b32-quick "$root/model-pr"
entry() {
    printf '{"num": %s, "title": "%s", "status": "%s", "isPullRequest": %s, "author": {"name": "%s"}}' "$@"
}
page() {
    number=$1 start=$2
    shift 2
    all=$1
    shift
    for one in "$@"; do all="$all, $one"; done
    printf '{"discussions": [%s], "count": 4, "start": %s}' "$all" "$start" >"$root/model/discussions.$number"
}
page 0 0 "$(entry 70 'no licence?' open false someone)" "$(entry 69 "$title" open true SFconvertbot2)" \
    "$(entry 68 "$title" closed true SFconvertbot)"
page 1 3 "$(entry 66 "$title" open true SFconvertbot)"
pull 0 plain/model -o "$work/pr"
says err "plain/model has no weights on main that mmood reads; taking those that the hub's bot converted to safetensors: refs/pr/66"
says err "see $HF_ENDPOINT/plain/model/discussions/66"
says err "plain/model, revision refs/pr/66 (6666666666ab)"
logs "api GET plain/model/discussions.1 range= key=no"
logs "store GET plain/model-pr/model.safetensors"
# shellcheck disable=SC2086
has "$work/pr" $hf model.safetensors
same "$work/pr/model.safetensors" golden/b32-quick/model.safetensors
pull 0 plain/model -o "$work/pr"
says err "0 of 4 files are new"
HF_TOKEN=hf_secret0123 pull 0 closed/model -o "$work/closed"
logs "api GET closed/model/discussions.1 range= key=yes"
logs "store GET closed/model-pr/model.safetensors range= key=no"
HF_TOKEN=hf_secret0123 pull 1 elsewhere/model -o "$work/no"
logs "api GET elsewhere/model/discussions.0 range= key=yes"
logs_no "store GET elsewhere/model/discussions"
checks=$((checks + 1))
grep 'key=yes' "$work/log" | grep -q store && fail "the key went to the other host"

# ---- not on a revision that was asked for, not for models that have weights, and not without such a pull request
pull 1 plain/model --revision refs/pr/1 -o "$work/no"
says err "at revision refs/pr/1 has no weights that mmood reads"
logs_no api
weights model pytorch_model.bin
pull 1 plain/model -o "$work/out.e"
logs_no api
rm "$root/model/pytorch_model.bin"
page 1 3 "$(entry 66 "$title" open true someone)"
pull 1 plain/model -o "$work/no"
says err "and no open pull request of SFconvertbot; look at"
page 1 3 "$(entry '"../x"' "$title" open true SFconvertbot)" "$(entry -4 "$title" open true SFconvertbot)" null 3 '[]'
pull 1 plain/model -o "$work/no"
says err "and no open pull request of SFconvertbot; look at"
page 1 3 "$(entry 7 "$title" open true SFconvertbot)"
pull 1 plain/model -o "$work/no"
says err "has no revision \"refs/pr/7\""
page 0 0 "$(entry 66 "$title" open true SFconvertbot)"
mv "$root/model-pr/model.safetensors" "$root/model-pr/other"
pull 1 plain/model -o "$work/no"
says err "plain/model at revision refs/pr/66 has no weights that mmood reads"
for text in '' '{' '[]' '{"discussions": 3}' '<html>' "$(printf '\377')"; do
    printf '%s' "$text" >"$root/model/discussions.0"
    pull 1 plain/model -o "$work/no"
    says err "the hub's list of discussions"
done
rm "$root/model/discussions.0"
pull 1 plain/model -o "$work/no"
says err "and no open pull request of SFconvertbot (the hub answered 404)"
gone "$work/no"

# ---- the token of a login: $HF_TOKEN, else $HF_TOKEN_PATH, else $HF_HOME/token, else ~/.cache/huggingface/token
cp -r golden/b32-quick "$root/b32-quick"
mkdir -p "$work/home/.cache/huggingface" "$work/hf" "$XDG_CACHE_HOME/huggingface"
echo hf_secret0123 >"$work/token"
cp "$work/token" "$work/home/.cache/huggingface/token"
cp "$work/token" "$work/hf/token"
cp "$work/token" "$XDG_CACHE_HOME/huggingface/token"
keyed() {
    pull 0 closed/b32-quick -o "$work/keyed"
    logs "hub HEAD closed/b32-quick/config.json range= key=yes"
    lacks err hf_secret0123
    rm -r "$work/keyed"
}
HF_TOKEN_PATH=$work/token keyed
HF_TOKEN='' HF_TOKEN_PATH=$work/token keyed
HF_HOME=$work/hf keyed
HOME=$work HF_HOME='~/hf' keyed
keyed
(unset XDG_CACHE_HOME && HOME=$work/home && export HOME && "$mmood" pull --no-cache closed/b32-quick -o "$work/keyed") \
    >"$work/out" 2>"$work/err" || fail "the token in ~/.cache/huggingface is not used"
rm "$XDG_CACHE_HOME/huggingface/token"
echo hf_wrong4567 >"$work/wrong"
HF_TOKEN=hf_secret0123 HF_TOKEN_PATH=$work/wrong pull 0 closed/b32-quick -o "$work/keyed"
HF_TOKEN_PATH=$work/wrong pull 1 closed/b32-quick -o "$work/no"
says err "check the token in $work/wrong"
lacks err hf_wrong4567
HF_TOKEN_PATH=$work/not-there pull 1 closed/b32-quick -o "$work/no"
says err "set HF_TOKEN to a token that may read it"
: >"$work/blank"
HF_TOKEN_PATH=$work/blank pull 1 closed/b32-quick -o "$work/no"
says err "set HF_TOKEN to a token that may read it"
printf 'hf_a\0b' >"$work/zero"
HF_TOKEN_PATH=$work/zero pull 1 plain/b32-quick -o "$work/no"
says err "the file with the hub's token, $work/zero: has a zero byte"
printf 'hf_a\nhf_b\n' >"$work/two"
HF_TOKEN_PATH=$work/two pull 2 plain/b32-quick -o "$work/no"
says err "the key in $work/two has a character at position 5"
lacks err hf_b
HF_TOKEN_PATH=$work pull 1 plain/b32-quick -o "$work/no"
says err "the file with the hub's token, $work"
gone "$work/no"
finish
