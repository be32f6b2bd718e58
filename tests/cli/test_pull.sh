#!/bin/sh
# mmood pull from a hub, played by fake_hub: models of each layout, downloads that break, and all that is refused. Runs in
# tests/.
#   test_pull.sh PROGRAM FAKE_HUB
set -u
. cli/lib.sh
. cli/hub.sh
for name in b32-quick sharded slow-tokenizer; do cp -r "golden/$name" "$root/$name"; done
one="config.json model.safetensors preprocessor_config.json tokenizer.json"

# ---- models: all that is needed, nothing else, and the same embeddings
cd "$work" || exit 1
pull 0 plain/b32-quick
says out b32-quick
says err "to the folder b32-quick"
says err "4 of 4 files are new"
says err "plain/b32-quick, revision main (0123456789ab), ViT-64/32"
cd "$here" || exit 1
# shellcheck disable=SC2086 # a list
holds "$work/b32-quick" b32-quick $one
printf 'a cat\na dog on a sofa\n' >"$work/texts"
expect 0 "$mmood" inspect --no-cache "$work/b32-quick"
expect 0 "$mmood" embed --no-cache -m "$work/b32-quick" --texts "$work/texts" -o "$work/pulled.safetensors"
expect 0 "$mmood" embed --no-cache -m golden/b32-quick --texts "$work/texts" -o "$work/golden.safetensors"
same "$work/pulled.safetensors" "$work/golden.safetensors"

# ---- again: nothing changes, weights are not fetched
touch -d '2001-01-01' "$work/b32-quick/"*
pull 0 plain/b32-quick -o "$work/b32-quick"
says err "0 of 4 files are new"
logs_no "store"
checks=$((checks + 1))
[ -z "$(find "$work/b32-quick" -type f -newermt 2002-01-01)" ] || fail "files were written again"

# ---- damage is repaired; a file that only looks right is found out
printf X | dd of="$work/b32-quick/model.safetensors" bs=1 seek=5000 conv=notrunc 2>/dev/null
printf '{}' >"$work/b32-quick/preprocessor_config.json"
pull 0 plain/b32-quick -o "$work/b32-quick" --quiet
lines err 0
# shellcheck disable=SC2086
holds "$work/b32-quick" b32-quick $one

# ---- other layouts, other ways to name it
pull 0 "$HF_ENDPOINT/plain/sharded/" -o "$work/new/sharded"
holds "$work/new/sharded" sharded config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors \
    model.safetensors.index.json preprocessor_config.json tokenizer.json
pull 0 plain/slow-tokenizer -o "$work/slow" --revision refs/pr/1
holds "$work/slow" slow-tokenizer config.json merges.txt model.safetensors preprocessor_config.json vocab.json
pull 0 bare/b32-quick -o "$work/bare"
# shellcheck disable=SC2086
holds "$work/bare" b32-quick $one
pull 0 bare/b32-quick -o "$work/bare"
says err "0 of 4 files are new"

# ---- broken connections, interrupted runs
size=$(wc -c <golden/b32-quick/model.safetensors)
pull 0 cut/b32-quick -o "$work/cut"
says err "model.safetensors: the connection broke at byte $((size / 2)); again in 1 s"
logs "store GET cut/b32-quick/model.safetensors range=bytes=$((size / 2))-"
# shellcheck disable=SC2086
holds "$work/cut" b32-quick $one
pull 0 norange/b32-quick -o "$work/norange"
# shellcheck disable=SC2086
holds "$work/norange" b32-quick $one
mkdir "$work/left"
head -c 5000 golden/b32-quick/model.safetensors >"$work/left/model.safetensors.part"
pull 0 plain/b32-quick -o "$work/left"
logs "store GET plain/b32-quick/model.safetensors range=bytes=5000-"
# shellcheck disable=SC2086
holds "$work/left" b32-quick $one
rm "$work/left/model.safetensors"
head -c 5000 /dev/zero >"$work/left/model.safetensors.part"
pull 0 plain/b32-quick -o "$work/left"
says err "does not fit; it is fetched anew"
# shellcheck disable=SC2086
holds "$work/left" b32-quick $one
cp golden/b32-quick/model.safetensors "$work/left/model.safetensors.part"
rm "$work/left/model.safetensors"
pull 0 plain/b32-quick -o "$work/left"
logs_no "store"
echo old >"$work/left/model.safetensors.part"
pull 0 plain/b32-quick -o "$work/left"
# shellcheck disable=SC2086
holds "$work/left" b32-quick $one
pull 1 otherhash/b32-quick -o "$work/otherhash"
says err "have the SHA-256"
gone "$work/otherhash"
pull 1 othersize/b32-quick -o "$work/othersize"
says err "$size bytes are announced where the hub said $((size + 1))"
gone "$work/othersize"

# ---- keys
HF_TOKEN=hf_secret0123 pull 0 closed/b32-quick -o "$work/closed"
logs "hub GET closed/b32-quick/model.safetensors range= key=yes"
logs "store GET closed/b32-quick/model.safetensors range= key=no"
lacks err hf_secret0123
pull 1 closed/b32-quick -o "$work/no"
says err "set HF_TOKEN to a token that may read it"
HF_TOKEN=hf_other4567 pull 1 closed/b32-quick -o "$work/no"
says err "check the token in HF_TOKEN"
lacks err hf_other4567
pull 1 gated/b32-quick -o "$work/no"
says err "gated/b32-quick is gated (Access to this model is restricted.); accept its licence at $HF_ENDPOINT/gated/b32-quick, and"
pull 1 nobody/b32-quick -o "$work/no"
says err "has no model \"nobody/b32-quick\", or it is private"
pull 1 denied/b32-quick -o "$work/no"
says err "the hub answered 403 to the request for config.json"

# ---- refusals by and of the hub
pull 0 busy/slow-tokenizer -o "$work/busy" --quiet
pull 1 busier/b32-quick -o "$work/no"
says err "it says to wait 4000 s"
pull 1 plain/b32-quick --revision v9 -o "$work/no"
says err "has no revision \"v9\""
pull 1 plain/nothing -o "$work/no"
says err "has neither config.json nor open_clip_config.json"
HF_ENDPOINT=http://127.0.0.1:1 pull 1 plain/b32-quick -o "$work/no"
says err "there is no way to the server"
gone "$work/no"

# ---- models that are none of ours: no weights are asked for
mkdir "$root/bert" "$root/empty"
printf '{"model_type": "bert"}' >"$root/bert/config.json"
cp golden/b32-quick/*.json "$root/empty"
pull 1 plain/bert -o "$work/no"
says err "model_type is \"bert\""
logs_no "model.safetensors"
logs_no "api"
pull 1 plain/empty -o "$work/no"
says err "plain/empty at revision main has no weights that mmood reads: neither model.safetensors nor pytorch_model.bin"
cp -r "$root/b32-quick" "$root/mute"
rm "$root/mute/tokenizer.json"
pull 1 plain/mute -o "$work/no"
says err "neither tokenizer.json nor vocab.json"
logs_no "store"
gone "$work/no"

# ---- an index that wants to write elsewhere, or over other files
for name in ../x.safetensors /x.safetensors a/b.safetensors .safetensors ..safetensors config.json '' 'a b.safetensors' \
    'a?b.safetensors' '%2e%2e.safetensors'; do
    rm -rf "$root/index"
    mkdir "$root/index"
    cp golden/b32-quick/*.json "$root/index"
    printf '{"weight_map": {"t": "%s"}}' "$name" >"$root/index/model.safetensors.index.json"
    pull 1 plain/index -o "$work/no"
    says err "gives \"$name\" for tensor \"t\"; the plain name of a .safetensors file is expected"
done
for index in '{}' '{"weight_map": []}' '{"weight_map": {"t": 1}}' '{"weight_map": {"t": "x.safetensors"}}' '{'; do
    printf '%s' "$index" >"$root/index/model.safetensors.index.json"
    pull 1 plain/index -o "$work/no"
    says err model.safetensors.index.json
done
gone "$work/no"

# ---- a failure leaves the model that was there as it was; so does a file of another model that would be read
pull 1 plain/mute -o "$work/cut"
# shellcheck disable=SC2086
holds "$work/cut" b32-quick $one
pull 1 plain/slow-tokenizer -o "$work/cut"
says err "has the file tokenizer.json, which is not of this model, plain/slow-tokenizer,"
# shellcheck disable=SC2086
holds "$work/cut" b32-quick $one

# ---- one at a time: another that gave up would take this one's files along
if command -v flock >/dev/null; then
    echo early >"$work/cut/config.json.part"
    : >"$work/log"
    expect 1 flock "$work/cut" "$mmood" pull --no-cache plain/b32-quick -o "$work/cut"
    says err "another mmood pull is at work in the folder $work/cut"
    logs_no hub
    checks=$((checks + 1))
    [ "$(cat "$work/cut/config.json.part")" = early ] || fail "the other one's file is gone"
    rm "$work/cut/config.json.part"
fi

# ---- a link where a file would be written
echo precious >"$work/precious"
for name in config.json model.safetensors; do
    mkdir "$work/links"
    ln -s "$work/precious" "$work/links/$name.part"
    pull 1 plain/b32-quick -o "$work/links"
    says err "$name.part is a symbolic link"
    checks=$((checks + 1))
    [ "$(cat "$work/precious")" = precious ] || fail "the file behind a link was written"
    rm -r "$work/links"
done

# ---- folders and names
echo text >"$work/file"
pull 1 plain/b32-quick -o "$work/file"
says err "is a file, expected a folder"
pull 1 plain/b32-quick -o "$work/file/below"
says err "cannot be made"
for name in '' . .. ../x a/b/c /x x/ a//b 'a b' a/..b a/.b -- 'a?b' 'http://127.0.0.1:1/plain/x' "$HF_ENDPOINT/a/b/tree/main" \
    huggingface.co/a/b; do
    pull 2 -- "$name"
done
says err "expected one such as openai/clip-vit-base-patch32"
for revision in '' .. a/../b 'a b' 'a?b' 'a#b' 'a%2fb'; do
    pull 2 plain/b32-quick --revision "$revision"
    says err "is not a revision"
done
pull 2
pull 2 a b
pull 2 plain/b32-quick -o ''
HF_ENDPOINT=ftp://x pull 2 plain/b32-quick
says err "HF_ENDPOINT: \"ftp://x\" is not an http or https URL"
HF_TOKEN="a b" pull 2 plain/b32-quick
says err "the key in HF_TOKEN has a character"
lines out 0
finish
