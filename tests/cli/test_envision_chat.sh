#!/bin/sh
# mmood envision with models, played by fake_models: what each style of reply becomes, near, far and mix with all that goes
# wrong, the cache, and a run that is killed and goes on. Runs in tests/.
#   test_envision_chat.sh PROGRAM FAKE_MODELS
set -u
. cli/lib.sh
case $2 in /*) models=$2 ;; *) models=$PWD/$2 ;; esac
server=
trap 'stop; rm -rf "$work"' EXIT
unset OPENAI_API_KEY

stop() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
    server=
}

# start SCENARIO [DELAY_MS]: sets $url; its log is empty.
start() {
    stop
    rm -f "$work/port"
    : >"$work/log"
    "$models" "$1" "$work/port" "$work/log" "${2:-0}" &
    server=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -s "$work/port" ] && break
        sleep 0.1
    done
    url=http://127.0.0.1:$(cat "$work/port")
}

# envision CODE ARGUMENT...: runs it with a cache of its own, to $work/o.json.
envision() {
    want=$1
    shift
    rm -rf "$work/cache" "$work/o.json"
    expect "$want" "$mmood" envision --id "$work/id.txt" --chat-url "$url" --cache "$work/cache" -o "$work/o.json" \
        --wordnet none --timeout 20 "$@"
}

# labels LABEL|LABEL...: exactly these are in the file.
labels() {
    checks=$((checks + 1))
    got=$(sed -n 's/^  {"label": "\([^"]*\)", "source": .*/\1/p' "$work/o.json" 2>/dev/null | tr '\n' '|')
    [ "$got" = "$1|" ] || fail "labels $got, expected $1"
}

# calls N: so many answers were given.
calls() {
    checks=$((checks + 1))
    [ "$(wc -l <"$work/log")" = "$1" ] || fail "$(wc -l <"$work/log") calls, expected $1"
}

# made_by STEP MODEL: this model gave the names of a step.
made_by() {
    checks=$((checks + 1))
    grep -q "^  \"$1\": {\"names\": .*\"model\": \"$2\"" "$work/o.json" || fail "$1 are not by $2"
}

printf 'cat\ndog\npolar bear\n' >"$work/id.txt"

# ---- styles of reply, and labels that are not outliers
try() {
    start "$1"
    envision 0 --mode text-far -L 6
    labels "$2"
}
try dash 'gray wolf|owl|red fox'
calls 3 # twice nothing new
says err "only 3 of 6 labels were found; more may come with a larger --more-rounds or"
envision 0 --mode text-far -L 6 --rounds 2
says err "a larger --rounds or"
calls 5
try numbered 'gray wolf|owl|red fox|hyena|raccoon'
try comma 'gray wolf|owl|red fox|hyena|raccoon'
try bashfence 'gray wolf|owl'
try concat 'gray wolf|owl|red fox|hyena'
try cut 'gray wolf|owl'
says err "ends in the middle"
says o.json '"label": "red fo", "reason": "cut off in the middle"'
try dups 'gray wolf|owl'
says o.json '"label": "gray wolves", "reason": "is there already, as \"gray wolf\""'
try entities 'tom & jerry mouse|café crème|café'
try idleak 'hot dog|tabby cat|gray wolf|teddy bear'
says o.json '"label": "Cats", "reason": "is a form of the ID label \"cat\""'
envision 0 --mode text-far -L 6 --phrases head
labels 'gray wolf|teddy bear'
mkdir "$work/wordnet"
awk -v to="$work/wordnet" '/^====/ { on = 1; next } { print >(to (on ? "/index.noun" : "/data.noun")) }' \
    ../fuzz/corpus/hypernyms/excerpt
envision 0 --mode text-far -L 6 --wordnet "$work/wordnet"
labels 'hot dog|gray wolf|teddy bear'
says o.json '"label": "tabby cat", "reason": "is a kind of the ID label \"cat\", says WordNet"'
says o.json '"hyponyms": "dropped"'
envision 0 --mode text-far -L 6 --wordnet "$work/wordnet" --keep-hyponyms
labels 'hot dog|tabby cat|gray wolf|teddy bear'
try noschema 'gray wolf|owl|red fox'
calls 4 # the schema was refused once
start noschema
envision 0 --mode text-near --jobs 8
calls 6 # and once also when many ask at a time
start refusal
envision 1 --mode text-far
says err "I'm sorry, but I can't assist with that request."
checks=$((checks + 1))
[ ! -e "$work/o.json" ] || fail "a refusal left a file"

# ---- the cache: a rerun asks nobody, offline neither; another prompt does
start good
envision 0 --mode text-near -L 4K
calls 3
says o.json '"source": "text-near, from '"'cat'"'", "branch": "text-near", "class": "cat", "exchange": "'
cp "$work/o.json" "$work/first.json"
expect 0 "$mmood" envision --id "$work/id.txt" --chat-url "$url" --cache "$work/cache" -o "$work/again.json" \
    --wordnet none --mode text-near -L 4K
same "$work/first.json" "$work/again.json"
calls 3
expect 0 "$mmood" envision --id "$work/id.txt" --chat-url "$url" --cache "$work/cache" -o "$work/again.json" \
    --wordnet none --mode text-near -L 4K --offline
same "$work/first.json" "$work/again.json"
calls 3
expect 1 "$mmood" envision --id "$work/id.txt" --chat-url "$url" --cache "$work/cache" -o "$work/x.json" \
    --wordnet none --mode text-near -L 5K --offline
says err "--offline forbids to ask"
calls 3
expect 0 "$mmood" envision --id "$work/id.txt" --chat-url "$url" --cache "$work/cache" -o "$work/again.json" \
    --wordnet none --mode text-near -L 4K --refresh
calls 6
for form in / /v1 /v1/ /v1/chat/completions; do
    expect 0 "$mmood" envision --id "$work/id.txt" --chat-url "$url$form" --cache "$work/cache2" -o "$work/again.json" \
        --wordnet none --mode text-near -L 4K
    same "$work/first.json" "$work/again.json"
done
calls 9 # all forms are one endpoint
mkdir "$work/prompts"
echo 'Name {count} things like {class}.' >"$work/prompts/text-near.txt"
envision 0 --mode text-near -L 4K --prompts "$work/prompts" --chat-model tiny
calls 12
says o.json '"model": "tiny"'
checks=$((checks + 1))
grep -rqF 'Name 4 things like polar bear.' "$work/cache" || fail "the prompt of one's own was not used"

# ---- near: a folder a class, or files of its name
mkdir -p "$work/images/cat" "$work/images/Dog"
cp data/image/ok.jpg "$work/images/cat/1.jpg"
cp data/image/exif6.jpg "$work/images/Dog/a.jpg"
cp data/image/syn_640x427.png "$work/images/polar_bear_2.png"
cp data/image/syn_640x427.png "$work/images/other.png"
start good
envision 0 --mode near --images "$work/images"
calls 4 # the probe, and one a class
says o.json '"source": "near branch, from '"'polar bear'"'"'
expect 0 "$mmood" build -m ../models/demo --id "$work/id.txt" --outliers "$work/o.json" -o "$work/d.mmood"
says err "3 ID labels, 9 outlier labels"
expect 0 "$mmood" inspect "$work/d.mmood" --json
says out '"kind":"outlier","source":"near branch, from '"'cat'"'"'
cp data/image/trunc.jpg "$work/images/Dog/a.jpg"
envision 3 --mode near --images "$work/images" --per-class 2
says err "near, dog: $work/images/Dog/a.jpg"
says o.json '"subject": "dog"'
rm "$work/images/polar_bear_2.png"
envision 3 --mode near --images "$work/images"
says err "near, polar bear: there is no picture of it"
envision 2 --mode near
says err "--images DIR"
envision 1 --mode near --images "$work/prompts"
says err "holds no pictures"

# ---- models that do not see
start blind
envision 1 --mode near --images "$work/images"
says err "does not seem to see pictures"
says err "--mmproj"
calls 1
start no-projector
envision 1 --mode far --image-url "$url"
says err "does not take pictures here"
calls 1

# ---- some classes fail, the others are done
start one-refuses
envision 3 --mode text-near
says err "text-near, dog: "
says o.json '"step": "text-near", "subject": "dog", "error": '
start one-hangs
envision 3 --mode text-near --timeout 1
says err "no complete answer within 1 s"
start hang
envision 1 --mode text-far --timeout 1
says err "no complete answer within 1 s"
stop
envision 1 --mode text-near --timeout 2
says err "text-near, cat: "

# ---- far and mix
start good
envision 0 --mode far -L 20 --image-url "$url" --draft-count 6 --representatives 3
says o.json '"drafts": {"names": ["'
says o.json '"branch": "far", "picture": "'
cp "$work/o.json" "$work/first.json"
n=$(wc -l <"$work/log")
expect 0 "$mmood" envision --id "$work/id.txt" --chat-url "$url" --cache "$work/cache" -o "$work/again.json" --wordnet none \
    --mode far -L 20 --image-url "$url" --draft-count 6 --representatives 3 --offline
same "$work/first.json" "$work/again.json"
calls "$n"
envision 0 --mode far -L 8 --pictures "$work/images/cat" --no-probe
says o.json '"given_pictures": [{"label": "1", "path"'
printf 'broom\nrug\n' >"$work/drafts.txt"
envision 0 --mode far -L 8 --drafts "$work/drafts.txt" --image-url "$url"
says o.json '"drafts": {"names": ["broom", "rug"], "given": true}'
n=$(wc -l <"$work/log")
envision 2 --mode far -L 8 --drafts "$work/drafts.txt"
says err "--image-url"
calls "$n"
cp data/image/syn_640x427.png "$work/images/polar_bear_2.png"
cp data/image/exif6.jpg "$work/images/Dog/a.jpg"
envision 0 --mode mix -L 12 --mix 0.25 --images "$work/images" --drafts "$work/drafts.txt" --image-url "$url"
checks=$((checks + 2))
[ "$(grep -c '^  {"label": .*"source": "near branch' "$work/o.json")" -ge 3 ] || fail "mix has too few near labels"
[ "$(grep -c '^  {"label": "[^"]*", "source": "far branch' "$work/o.json")" = 9 ] || fail "mix has not 9 far labels"
printf 'broom\nlamp\n' >"$work/drafts.txt"
start some-black
envision 3 --mode far -L 6 --drafts "$work/drafts.txt" --image-url "$url" --no-probe
says err "generate, lamp: all 4 pictures were of one colour"
lacks o.json '"picture": "lamp"'
start black
envision 1 --mode far -L 6 --drafts "$work/drafts.txt" --image-url "$url" --no-probe
says err "of one colour"

# ---- nothing is asked
start good
expect 0 "$mmood" envision --id "$work/id.txt" --mode far -L 100 --dry-run
says out "---- categories"
says out "cat, dog, polar bear"
says out "---- elaborate, with pictures"
says out "14 calls of language models, 11 pictures sent, 10 pictures to generate"
says out "The largest request, of elaborate, has about"
lacks out warning
expect 0 "$mmood" envision --id "$work/id.txt" --mode far --dry-run
says out "Name 10 more" # an elaboration has rounds
says out "more         40 calls"
expect 0 "$mmood" envision --id "$work/id.txt" --mode far -L 100 --dry-run --context 8192
says out "fits the model's 8192 tokens"
expect 0 "$mmood" envision --id "$work/id.txt" --mode far -L 100 --dry-run --context 2048
says out "and --max-tokens 2048 are over the model's 2048 tokens"
expect 0 "$mmood" envision --id "$work/id.txt" --mode far -L 100 --dry-run --context 1024
says out "warning: the largest request needs about"
says out "the model has 1024"
expect 0 "$mmood" envision --id "$work/id.txt" --mode text-far --dry-run
says out "a list of 50 short names"
says out "text-far     1 call"
says out "more         9 calls"
expect 0 "$mmood" envision --id "$work/id.txt" --mode text-near -L 12K --dry-run
says out "Name 6 other"
says out "Name 6 more"
expect 0 "$mmood" envision --id "$work/id.txt" --mode text-near --rounds 3 --dry-run
says out "Name 1 other"
says out "more         6 calls"
echo 'Of {categories}, such as {sample}, name {count} like {class}.' >"$work/prompts/text-near.txt"
expect 0 "$mmood" envision --id "$work/id.txt" --mode text-near --prompts "$work/prompts" --sample 2 --dry-run
says out "Of invented name 1, invented name 2, invented name 3, such as cat, dog, name 3 like cat."
printf 'pets\nbeasts\n' >"$work/categories.txt"
expect 0 "$mmood" envision --id "$work/id.txt" --mode text-near --prompts "$work/prompts" --categories "$work/categories.txt" \
    --dry-run
says out "Of pets, beasts, such as cat, dog, polar bear, name"
says out "3 calls of language models"
expect 0 "$mmood" envision --id "$work/id.txt" --mode text-far --examples --dry-run
says out "Answer with a list of 50"
says out "good answers are: tennis"
expect 0 "$mmood" envision --id "$work/id.txt" --mode far --examples --dry-run
says out "a tennis"
calls 0
printf '{"cat": ["Lynx", "tabby cats", "dog"], "dog": ["wolf", "lynx"]}' >"$work/eoe.json"
envision 0 --mode import "$work/eoe.json"
labels 'lynx|tabby cats|wolf'
calls 0

# ---- another model for the categories, or for the sketch too
envision 0 --mode far -L 6 --image-url "$url" --draft-count 6 --representatives 3 --chat-model small --llm-model large
made_by categories large
made_by drafts small
says o.json '"llm": {"model": "large", "for": "categories"}'
says o.json '"per_turn": 10'
envision 0 --mode far -L 6 --image-url "$url" --draft-count 6 --representatives 3 --chat-model small --llm-model large \
    --llm-for sketch --rounds 2
made_by drafts large
made_by representatives large
says o.json '"rounds": 2'

# ---- a conversation that names six labels when it is asked for two leaves room for the others
envision 0 --mode far -L 9 --image-url "$url" --draft-count 6 --representatives 3
checks=$((checks + 1))
[ "$(sed -n 's/^  {"label": .*"branch": "far", "picture": "\([^"]*\)".*"round": .*/\1/p' "$work/o.json" | head -n 9 |
    sort | uniq -c | awk '{ print $1 }' | tr '\n' ' ')" = '3 3 3 ' ] || fail "the labels do not come from all pictures"
envision 0 --mode text-fine -L 6
says o.json '"source": "text-fine", "branch": "text-fine"'

# ---- the key
OPENAI_API_KEY=sk-very-secret-0123
export OPENAI_API_KEY
envision 0 --mode text-far -L 6 -v
unset OPENAI_API_KEY
lacks err sk-very-secret
checks=$((checks + 1))
if grep -rqF sk-very-secret "$work/cache" "$work/o.json"; then fail "the key is in a file"; fi

# ---- killed and begun again: the same file, and nothing that was kept is paid twice
i=0
while [ $i -lt 200 ]; do
    i=$((i + 1))
    echo "class $i x"
done >"$work/many.txt"
start good 8
many="$mmood envision --id $work/many.txt --chat-url $url --wordnet none --mode text-near -L 5K --jobs 4"
expect 0 $many --cache "$work/c1" -o "$work/whole.json" --quiet
once=$(wc -l <"$work/log")
: >"$work/log"
rm -f "$work/killed.json"
kills=0
for wait in 0.08 0.15 0.11 0.2 0.05 0.13; do
    $many --cache "$work/c2" -o "$work/killed.json" --quiet 2>/dev/null &
    run=$!
    sleep $wait
    if kill -9 $run 2>/dev/null; then kills=$((kills + 1)); fi
    wait $run 2>/dev/null
done
expect 0 $many --cache "$work/c2" -o "$work/killed.json" --quiet
same "$work/whole.json" "$work/killed.json"
checks=$((checks + 1))
paid=$(wc -l <"$work/log")
[ "$paid" -le $((once + 4 * kills)) ] || fail "$paid calls after $kills kills, expected at most $once and 4 a kill"

# ---- wrong usage
expect 2 "$mmood" envision --id "$work/id.txt" --mode text-far -o "$work/x"
says err "--chat-url"
for wrong in '--rounds 2 --per-turn 5' '--rounds 1001' '--sample 0' '--context 4096' '--llm-for near' '-L 0' '-L 12X' '-L -3' '--jobs 0' '--mix 2' '--phrases some' '--timeout -1' '--offline --refresh' \
    '--image-size big --image-url localhost' '--chat-url ftp://host'; do
    expect 2 "$mmood" envision --id "$work/id.txt" --mode text-far --chat-url "$url" --cache "$work/c3" -o "$work/x" $wrong
done
expect 2 "$mmood" envision --id "$work/id.txt" --mode text-far --chat-url "$url" -o "$work/x" "$work/id.txt"
expect 2 "$mmood" envision --id "$work/id.txt" --mode import -o "$work/x"
expect 2 "$mmood" envision --id "$work/id.txt" --mode wordnet -o "$work/x" --dry-run
expect 1 "$mmood" envision --id "$work/id.txt" --mode text-far --chat-url "$url" --prompts "$work/images" -o "$work/x"
says err "none of the prompts"
expect 1 "$mmood" envision --id "$work/id.txt" --mode text-far --chat-url "$url" --wordnet "$work" -o "$work/x"
says err "data.noun"

finish
