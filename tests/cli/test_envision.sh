#!/bin/sh
# mmood envision: the words and distances that transformers and numpy give (tools/make_golden_mining.py), the way into a
# detector, the settings in the file, and mistakes. Runs in tests/.
#   test_envision.sh PROGRAM
set -u
. cli/lib.sh

model=../models/demo
words=data/wordnet
printf 'pizza\nHot Dog\ndog\nboat\nspaghetti\n' >"$work/id.txt"

# ---- the reference's words, in its order, with its distances
for mode in wordnet csp; do
    expect 0 "$mmood" envision -m $model --id "$work/id.txt" --mode $mode --wordnet $words --leave-out none --keep 0.5 \
        --precision f32 -o "$work/$mode.json"
    says err "words dropped"
    sed -n 's/^  {"label":"\([^"]*\)","source":"\([^"]*\)","template":.*"distance":\([-0-9.e]*\)}.*/\1	\2	\3/p' \
        "$work/$mode.json" >"$work/got"
    sed -n "s/^$mode	//p" $words/mined.tsv >"$work/wanted"
    checks=$((checks + 1))
    paste "$work/got" "$work/wanted" | awk -F '\t' '
        { d = $3 - $6 }
        $1 != $4 || $2 != $5 || d > 2e-6 || d < -2e-6 { print "    " $0; bad = 1 }
        END { exit bad || NR < 15 }' || fail "$mode: words or distances differ from the reference"
    says $mode.json '"version": "3.0"'
    says $mode.json '"label":"hot dog","source":"wordnet noun.food","reason":"is the ID label \"Hot Dog\""'
    says $mode.json '"label":"dog"'
done
says csp.json '"reason":"is also a noun"'
says csp.json '"too_near": 0.95'
says wordnet.json '"template":"the nice {}"'
says wordnet.json '"template":"This is a {} photo"'

# ---- one thread or two, the same file; another seed, other phrases
expect 0 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --wordnet $words --leave-out none --keep 0.5 \
    --precision f32 --threads 1 -o "$work/one.json" --quiet
checks=$((checks + 1))
[ ! -s "$work/err" ] || fail "--quiet is not quiet"
checks=$((checks + 1))
sed 's/"distance":[-0-9.e]*//' "$work/csp.json" >"$work/a"
sed 's/"distance":[-0-9.e]*//' "$work/one.json" >"$work/b"
cmp -s "$work/a" "$work/b" || fail "threads change the words"
expect 0 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --wordnet $words --keep 1 --seed 3 -o "$work/seed.json"
says seed.json '"seed": 3'
checks=$((checks + 1))
if grep -qE '"wordnet (noun.(animal|food|person|group)|adj.pert)"' "$work/seed.json"; then fail "csp takes files that it leaves out"; fi
expect 0 "$mmood" envision -m $model --id "$work/id.txt" --mode wordnet --wordnet $words --keep 1 --lemmas all \
    --leave-out noun.food,adj.all -o "$work/all.json"
says all.json '"label":"city of light"'
says all.json '"lemmas": "all", "left_out": "noun.food,adj.all"'

# ---- into a detector: the labels keep their texts
expect 0 "$mmood" build -m $model --id "$work/id.txt" --template 'the nice {}' --outliers "$work/wordnet.json" \
    -o "$work/d.mmood"
says err "5 ID labels, 19 outlier labels"
expect 0 "$mmood" score "$work/d.mmood" data/drawings/pizza.png --format json
says out '"outlier":"'
expect 0 "$mmood" inspect "$work/d.mmood" --json
says out '"label":"red","kind":"outlier","source":"wordnet adj.all","template":["This is a {} photo"]}'
says out '"label":"pizza","kind":"id","source":""}'

# ---- mistakes
expect 0 "$mmood" envision --help
says out "usage: mmood envision"
expect 2 "$mmood" envision
says err "--mode near, far"
expect 2 "$mmood" envision -m $model --id "$work/id.txt" --mode farther -o "$work/x"
says err '"farther" is not one of wordnet, csp, near'
expect 2 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --lemmas some -o "$work/x"
says err '"some"'
expect 2 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --leave-out noun.food,verb.motion -o "$work/x"
says err '"verb.motion" is not one of'
expect 2 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --wordnet $words --keep 0 -o "$work/x"
says err "share to keep is 0"
expect 2 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --wordnet $words --quantile 2 -o "$work/x"
says err "the quantile is 2"
expect 2 "$mmood" envision -m $model --id "$work/id.txt" --mode wordnet --wordnet $words --keep 0.001 -o "$work/x"
says err "is none"
expect 2 "$mmood" envision --id "$work/id.txt" --mode csp --wordnet $words -o "$work/x"
says err "MMOOD_MODEL"
expect 1 "$mmood" envision -m $model --id "$work/no-such.txt" --mode csp --wordnet $words -o "$work/x"
says err "no-such.txt"
expect 1 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --wordnet "$work" -o "$work/x"
says err "wordnet-base"
says err "--wordnet DIR"
cp $words/data.noun "$work/data.noun"
sed '5s/ 0 000/ zz 000/' $words/data.adj >"$work/data.adj"
expect 1 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --wordnet "$work" -o "$work/x"
says err "data.adj: line 5"
expect 1 "$mmood" envision -m $model --id "$work/id.txt" --mode csp --wordnet $words -o "$work/no/folder.json"
says err "folder.json"
checks=$((checks + 1))
[ ! -e "$work/x" ] || fail "a failed run left a file"

finish
