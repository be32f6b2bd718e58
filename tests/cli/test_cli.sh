#!/bin/sh
# The program through its contract: commands, exit codes, formats, odd names, bad files. Runs in tests/.
#   test_cli.sh PROGRAM
set -u
. cli/lib.sh

model=golden/b32-quick
real=../models/demo
pictures=data/image

# ---- usage
expect 2 "$mmood"
expect 0 "$mmood" --help
says out "usage: mmood COMMAND"
says out "over folders of pictures"
expect 0 "$mmood" --version
says out "mmood 0."
expect 2 "$mmood" nonsense
says err "nonsense"
lacks err "did you mean"
expect 2 "$mmood" scroe
says err 'did you mean "score"?'
expect 0 "$mmood" help build
says out "usage: mmood build"
expect 2 "$mmood" help biuld
says err 'did you mean "build"?'
expect 2 "$mmood" build --outlier x
says err "did you mean --outliers?"
expect 2 "$mmood" score --formta=json
says err "did you mean --format?"
expect 2 "$mmood" calibrate d x --keep 95
says err "did you mean 0.95?"
expect 2 "$mmood" score d x --fdr 5
says err "did you mean 0.05?"
for command in inspect tokenize preprocess embed labels envision build score eval; do
    expect 0 "$mmood" $command --help
    says out "usage: mmood $command"
    says out "example:"
    expect 2 "$mmood" $command --no-such-option
    says err "--no-such-option"
    expect 2 "$mmood" $command
done
expect 2 "$mmood" tokenize cat
says err "MMOOD_MODEL"
expect 2 "$mmood" tokenize -m
says err "needs a value"
expect 1 "$mmood" tokenize -m no/such/model cat
says err "no/such/model"

# ---- inspect
expect 0 "$mmood" inspect $model
says out "quick_gelu"
says out "largest id"
expect 0 "$mmood" inspect golden/p8-mixed --json --precision f32
says out '"activation":"gelu"'
says out '"precision":"f32"'
says out '"instructions":"'
says out '"logit_scale":'
if [ "$(uname -m)" = x86_64 ]; then # the variable stands for another CPU, under both of its names
    for variable in ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA; do
        expect 0 env -u ONEDNN_MAX_CPU_ISA -u DNNL_MAX_CPU_ISA $variable=SSE41 "$mmood" inspect golden/p8-mixed
        says out "SSE4.1 for products (oneDNN), plain C for attention and norms"
    done
fi
expect 1 "$mmood" inspect $pictures/ok.jpg
expect 1 "$mmood" inspect data/safetensors/bad_git_lfs_pointer.safetensors
says err "git-lfs"

# ---- tokenize
expect 0 "$mmood" tokenize -m $real "You should've done this" IT\'S
says out "49406 592 1535 1200 1700 589 49407"
says out "49406 585 568 49407"
lines out 2
expect 0 "$mmood" tokenize -m $real golden_retriever 1234 "3D printer" "80% off" "rock'n'roll" "you're, don't, her's"
says out "49406 3878 318 28394 49407"
says out "49406 272 273 274 275 49407"
says out "49406 274 323 14521 49407"
says out "49406 279 271 260 1007 49407"
says out "49406 2172 262 333 262 3341 49407"
says out "49406 592 982 267 847 713 267 899 568 49407"
long=$(printf 'dog %.0s' $(seq 80))
expect 0 "$mmood" tokenize -m $real --json "a photo of a $long"
says out '"truncated":true'
says out ",49407]"
says err "was cut"
expect 3 "$mmood" tokenize -m $real cat "$(printf 'caf\351')"
says err "UTF-8"
lines out 1
expect 0 env MMOOD_MODEL=$real "$mmood" tokenize -- --help
lacks out usage

# ---- preprocess
expect 0 "$mmood" preprocess -m $model $pictures/syn_640x427.png -o "$work/crop.ppm"
checks=$((checks + 1))
[ "$(wc -c <"$work/crop.ppm")" = $((64 * 64 * 3 + 13)) ] || fail "the crop's size"
head -c 13 "$work/crop.ppm" >"$work/out"
says out "64 64"
cp $pictures/ok.jpg "$work/x.png"
expect 0 "$mmood" preprocess -m $model $pictures/ok.jpg -o "$work/a.ppm"
expect 0 "$mmood" preprocess -m $model "$work/x.png" -o "$work/b.ppm"
same "$work/a.ppm" "$work/b.ppm"
expect 0 "$mmood" preprocess -m $model $pictures/exif6.jpg -o "$work/a.ppm"
expect 0 "$mmood" preprocess -m $model --no-orient $pictures/exif6.jpg -o "$work/b.ppm"
checks=$((checks + 1))
if cmp -s "$work/a.ppm" "$work/b.ppm"; then fail "--no-orient changes nothing"; fi
expect 0 "$mmood" preprocess -m $model --fast-decode $pictures/exif6.jpg -o "$work/b.ppm"
same "$work/a.ppm" "$work/b.ppm" # 200 pixels are less than four times 64
expect 0 "$mmood" preprocess -m $model $pictures/ok.jpg -o "$work/a.ppm"
expect 0 "$mmood" preprocess -m $model --fast-decode $pictures/ok.jpg -o "$work/b.ppm"
checks=$((checks + 1))
if cmp -s "$work/a.ppm" "$work/b.ppm"; then fail "--fast-decode changes nothing"; fi
expect 1 "$mmood" preprocess -m $model --fast-decode $pictures/trunc.jpg -o "$work/c.ppm"
says err "truncated"
expect 0 "$mmood" preprocess -m $model --alpha white $pictures/rgba_hidden.png -o "$work/a.ppm"
expect 0 "$mmood" preprocess -m $model --resample bilinear $pictures/rgb.png -o "$work/b.ppm"
expect 2 "$mmood" preprocess -m $model --alpha pink $pictures/rgba_hidden.png -o "$work/a.ppm"
says err "drop, white, black"
expect 1 "$mmood" preprocess -m $model $pictures/trunc.png -o "$work/c.ppm"
says err "truncated"
checks=$((checks + 1))
[ ! -e "$work/c.ppm" ] || fail "a crop was written for a broken picture"
expect 1 "$mmood" preprocess -m $model $pictures/ok.jpg -o "$work/no/such/c.ppm"
says err "no/such/c.ppm"
expect 1 "$mmood" preprocess -m $model --max-pixels 1000 $pictures/ok.jpg -o "$work/c.ppm"
says err "--max-pixels"

# ---- labels check
printf '\357\273\277cat\r\ndog  \r\n\r\ncat\r\n' >"$work/labels.txt"
expect 0 "$mmood" labels check "$work/labels.txt"
says out "line 4: duplicate"
says out "line 3: blank"
says out "2 labels"
expect 0 "$mmood" labels check "$work/labels.txt" --json
says out '"labels":["cat","dog"]'
lacks out '\r'
printf 'cat\nCat\n' >"$work/twins.txt"
expect 0 "$mmood" labels check "$work/twins.txt"
says out "line 2: twin"
expect 1 "$mmood" labels check $pictures/ok.jpg
says err "a JPEG picture"
expect 1 "$mmood" labels check "$work/absent.txt"
expect 2 "$mmood" labels list "$work/labels.txt"
printf 'nc: 2\nnames:\n  0: pizza\n  1: sushi\n' >"$work/data.yaml"
expect 0 "$mmood" labels check "$work/data.yaml"
says out 'line 2: format: read as YAML'
says out "2 labels"
printf 'name,id\npizza,1\n' >"$work/labels.csv"
expect 0 "$mmood" labels check "$work/labels.csv"
says out 'line 1: format: read as a table'
says out "1 labels"

# ---- embed
printf 'a photo of a cat\ndog\n' >"$work/texts.txt"
expect 0 "$mmood" embed -m $model --texts "$work/texts.txt" -o "$work/t.safetensors"
expect 3 "$mmood" embed -m $model --images $pictures/ok.jpg $pictures/trunc.jpg $pictures/rgb.png \
    -o "$work/i.safetensors"
says err "trunc.jpg"
head -c 600 "$work/i.safetensors" >"$work/out"
says out '"embeddings":{"dtype":"F32","shape":[2,32]'
says out '"ids":{"dtype":"I64","shape":[2]'
expect 1 "$mmood" embed -m $model --images $pictures/trunc.jpg -o "$work/none.safetensors"
expect 2 "$mmood" embed -m $model -o "$work/none.safetensors"
expect 2 "$mmood" embed -m $model --images $pictures/rgb.png -o "$work/none.NPY"
says err "name it OUT.safetensors"
expect 2 "$mmood" preprocess -m $model $pictures/rgb.png -o "$work/none.png"
says err "name it OUT.ppm"
expect 2 "$mmood" embed -m $model --images --texts "$work/texts.txt" -o "$work/none.safetensors"
expect 0 "$mmood" embed -m $model --images $pictures/rgb.png $pictures/gray.png $pictures/palette.png \
    --threads 1 -o "$work/one.safetensors"
expect 0 "$mmood" embed -m $model --images $pictures/rgb.png $pictures/gray.png $pictures/palette.png \
    --threads 3 -o "$work/three.safetensors"
same "$work/one.safetensors" "$work/three.safetensors"
# a text that is cut ends alike; one that is no UTF-8 is left out and the others stay
{ printf 'dog %.0s' $(seq 80); echo; printf 'caf\351\n'; printf 'dog %.0s' $(seq 100); echo; } >"$work/long.txt"
expect 3 "$mmood" embed -m $real --texts "$work/long.txt" -o "$work/t.safetensors"
says err "text 2: "
says err "text 3 is longer than 32 tokens"
head -c 2500 "$work/t.safetensors" >"$work/out"
says out '"ids":{"dtype":"I64","shape":[2]'
says out '\"index\":1'
printf '\351\n' >"$work/bad.txt"
expect 1 "$mmood" embed -m $model --texts "$work/bad.txt" -o "$work/none.safetensors"
checks=$((checks + 1))
[ ! -e "$work/none.safetensors" ] || fail "embeddings were written though nothing could be embedded"

# ---- build
printf 'cat\ndog\nhot dog\n' >"$work/id.txt"
printf '{"near":["wolf","fox"],"far":["car","fox"]}' >"$work/out.json"
expect 0 "$mmood" build -m $model --id "$work/id.txt" --outliers "$work/out.json" -o "$work/d.mmood"
says err "3 ID labels, 3 outlier labels"
expect 0 "$mmood" inspect "$work/d.mmood"
says out "mm-ood"
says out "hot dog"
expect 0 "$mmood" inspect "$work/d.mmood" --json
says out '"kind":"outlier","source":"near"'
expect 0 "$mmood" build -m $model --id "$work/id.txt" --score energy --temperature 0.02 \
    --template "a {}" --template "the {}" --quiet -o "$work/e.mmood"
lacks err mmood
expect 2 "$mmood" build -m $model --id "$work/id.txt" --score best -o "$work/x.mmood"
says err "mm-ood (or eoe), mcm, max-logit"
expect 0 "$mmood" build -m $model --id "$work/id.txt" --score MCM -o "$work/x.mmood"
says err "score mcm"
expect 0 "$mmood" build -m $model --id "$work/id.txt" --score EOE -o "$work/x.mmood"
says err "score mm-ood"
expect 0 "$mmood" build -m $model --id "$work/id.txt" --score energy --beta 0.9 --lambda 9 --groups 7 --seed 1 \
    -o "$work/x.mmood"
for option in beta lambda groups seed; do
    says err "--$option does not change energy"
done
expect 0 "$mmood" build -m $model --id "$work/id.txt" --beta 0.9 -o "$work/x.mmood"
lacks err "does not change"
rm "$work/x.mmood"
for temperature in 0 -1 0.00001; do
    expect 2 "$mmood" build -m $model --id "$work/id.txt" --temperature=$temperature -o "$work/x.mmood"
    says err "expected 0.0001 or more"
done
expect 2 "$mmood" build -m $model --id "$work/id.txt" --beta nan -o "$work/x.mmood"
expect 2 "$mmood" build -m $model --id "$work/id.txt" --beta=-1 -o "$work/x.mmood"
expect 2 "$mmood" build -m $model --id "$work/id.txt" --template "a cat" -o "$work/x.mmood"
says err "{}"
printf 'cat\n%s\n' "$(printf 'dog %.0s' $(seq 80))" >"$work/cut.txt"
expect 0 "$mmood" build -m $model --id "$work/cut.txt" -o "$work/cut.mmood"
says err 'label "dog dog'
says err "was cut"
says err "same as mcm"
echo cat >"$work/one.txt"
expect 0 "$mmood" build -m $model --id "$work/one.txt" --score mcm -o "$work/one.mmood"
says err "1 for every picture"
printf 'CAT\nfox\n' >"$work/leak.txt"
printf 'pizza\nhot dog\n' >"$work/food.txt"
printf 'Hot dogs\nzebra\nthe pizza\n' >"$work/close.txt"
expect 0 "$mmood" build -m ../models/demo --id "$work/food.txt" --outliers "$work/close.txt" --max-similarity 0.9 -o "$work/p.mmood"
says err 'outlier label "the pizza" was dropped: its text has a cosine of 0.99'
says err "2 ID labels, 1 outlier labels"
expect 0 "$mmood" build -m ../models/demo --id "$work/food.txt" --outliers "$work/close.txt" --max-similarity 1 -o "$work/p.mmood"
lacks err "was dropped"
expect 2 "$mmood" build -m ../models/demo --id "$work/food.txt" --outliers "$work/close.txt" --max-similarity 2 -o "$work/p.mmood"
says err "expected a cosine"
expect 2 "$mmood" build -m $model --id "$work/id.txt" --outliers "$work/leak.txt" -o "$work/x.mmood"
says err "CAT"
expect 1 "$mmood" build -m $model --id "$work/absent.txt" -o "$work/x.mmood"
expect 1 "$mmood" build -m $model --id "$work/id.txt" -o "$work/no/such/x.mmood"
checks=$((checks + 1))
[ ! -e "$work/x.mmood" ] || fail "a detector was written after an error"

# ---- score: formats, a folder with bad files, odd names
folder="$work/pictures"
mkdir "$folder"
cp $pictures/ok.jpg $pictures/trunc.jpg $pictures/trunc.png $pictures/empty.png $pictures/html_as.jpg "$folder"
expect 3 "$mmood" score "$work/d.mmood" "$folder" --format json
lines out 5
says out '"error":"this is an HTML page'
says out '"verdict":null'
says out '"calibrated":false'
says out '"threshold":null'
says err "4 of 5 pictures"
expect 1 "$mmood" score "$work/d.mmood" "$folder/trunc.jpg" --format json
lines out 1
expect 1 "$mmood" score "$work/d.mmood" "$work/absent.jpg"
says out "No such file"
odd="$work/odd"
mkdir "$odd"
for name in "a b.png" "comma,quote\".png" "-dash.png" "new
line.png" "$(printf 'latin\351.png')" "._hidden.png" ".hidden.png"; do
    cp $pictures/rgb.png "$odd/$name"
done
expect 0 "$mmood" score "$work/d.mmood" "$odd" --format csv --scores all
says err "2 hidden"
says out 'path,verdict,calibrated,score,threshold,p_value,label,outlier,mm-ood,mcm,max-logit,energy,msp,sum,energy-diff,max-logit-diff,max,neglabel,gl-mcm,csp,error'
says out '/comma,quote"".png",'
expect 0 "$mmood" score "$work/d.mmood" "$odd" --format json --top 1 --scores mcm,energy
lines out 5
says out '/new\nline.png"'
says out '\ufffd.png","path_bytes":"'
says out '"scores":{"mcm":'
# the table read back: each path is a set of its own
expect 0 "$mmood" score "$work/d.mmood" "$odd" --quiet --format csv
{ sed '1s/^path,/set,/' "$work/out"; echo "id,,,1,,,,,"; } >"$work/odd.csv"
expect 0 "$mmood" eval --from-csv "$work/odd.csv" --format json
lines out 6
says out '/comma,quote\".png"'
says out '/new\nline.png"'
says out '/a b.png"'
cd "$odd" || exit 1
expect 0 "$mmood" score "$work/d.mmood" -m "$here/$model" --format json -- -dash.png
cd "$here" || exit 1
says out '"path":"-dash.png"'
checks=$((checks + 1))
(cd "$odd" && MMOOD_MODEL=$here/$model "$mmood" score "$work/d.mmood" ./-dash.png) >"$work/out" 2>"$work/err" ||
    fail "the model at \$MMOOD_MODEL is not found"
loop="$work/loop"
mkdir -p "$loop/inner"
ln -s .. "$loop/inner/up"
ln -s nowhere "$loop/dangling.png"
cp $pictures/rgb.png "$loop/inner/b.png"
expect 3 "$mmood" score "$work/d.mmood" "$loop" --format json
lines out 2
says out 'dangling.png","verdict":null'
if [ "$(id -u)" != 0 ]; then
    mkdir "$loop/closed"
    chmod 0 "$loop/closed"
    expect 3 "$mmood" score "$work/d.mmood" "$loop" --format json
    says out 'closed","verdict":null'
    chmod 700 "$loop/closed"
fi
# a long path loses its beginning, with a sign; on a terminal it has a third of the columns
long="$work/folder-of-pictures/a-picture-with-a-long-name.png"
mkdir "$work/folder-of-pictures"
cp $pictures/rgb.png "$long"
expect 0 env LC_ALL=C "$mmood" score "$work/d.mmood" "$long"
says out "  ...es/a-picture-with-a-long-name.png  "
expect 0 env LC_ALL=C.UTF-8 "$mmood" score "$work/d.mmood" "$long"
says out "  $(printf '\342\200\246')ures/a-picture-with-a-long-name.png  "
expect 0 "$mmood" score "$work/d.mmood" data/image/rgb.png
says out "  data/image/rgb.png                    looks"
if command -v script >/dev/null; then
    for case in "60 ...h-a-long-name.png  looks" "90 ...icture-with-a-long-name.png  looks" "600 $long  looks"; do
        expect 0 script -qec "stty cols ${case%% *}; LC_ALL=C '$mmood' score '$work/d.mmood' '$long'" /dev/null
        says out "  ${case#* }"
    done
fi
# what is no picture by name and content is left out of a folder, but not of the command line
mixed="$work/mixed"
mkdir -p "$mixed/inner"
cp $pictures/rgb.png "$mixed/a.PNG"
cp $pictures/rgb.png "$mixed/inner/no-suffix"
for name in Thumbs.db notes.txt inner/a.json a.xmp README.md labels.csv BMW no.suffix; do
    echo "BMW 3" >"$mixed/$name"
done
mkfifo "$mixed/pipe"
expect 0 "$mmood" score "$work/d.mmood" "$mixed" --format json
lines out 2
says err "9 files skipped: not pictures"
expect 3 "$mmood" score "$work/d.mmood" "$mixed" "$mixed/notes.txt" --format json
lines out 3
says out 'notes.txt","verdict":null'
cp $pictures/html_as.jpg "$mixed/broken.jpg"
echo "II*" >"$mixed/scan.TIF"
expect 3 "$mmood" score "$work/d.mmood" "$mixed" --format json
lines out 4
rm "$mixed/broken.jpg" "$mixed/scan.TIF"
expect 0 "$mmood" embed -m $model --images "$mixed" -o "$work/mixed.safetensors"
says err "9 files skipped: not pictures"
expect 1 "$mmood" score "$work/d.mmood" "$here/cli"
says err "no picture found"
mkdir "$work/nothing"
expect 1 "$mmood" score "$work/d.mmood" "$work/nothing"
says err "no picture"
printf 'data/image/rgb.png\0data/image/gray.png\0' |
    "$mmood" score "$work/d.mmood" - --format csv >"$work/out" 2>"$work/err" || fail "paths on stdin"
lines out 3
expect 0 "$mmood" score "$work/d.mmood" $pictures/rgb.png --threads 0
says out "verdict"
expect 2 "$mmood" score "$work/d.mmood" $pictures/rgb.png --precision fp16
lacks err "-m gives another place"
(cd "$work" && "$mmood" score d.mmood "$here/$pictures/rgb.png") >"$work/out" 2>"$work/err"
says err "-m gives another place"
expect 2 "$mmood" score "$work/d.mmood" $pictures/rgb.png --format yaml
expect 2 "$mmood" score "$work/d.mmood" $pictures/rgb.png --scores best
expect 2 "$mmood" score "$work/d.mmood" $pictures/rgb.png --batch 0
expect 1 "$mmood" score $pictures/ok.jpg $pictures/rgb.png
says err "ok.jpg: not a detector but a JPEG picture"
expect 1 "$mmood" score "$work/food.txt" $pictures/rgb.png
says err "food.txt: not a detector but a text file"
expect 1 "$mmood" score $pictures "$work/d.mmood"
says err "$pictures is a directory, not a detector; the detector file comes first"
expect 1 "$mmood" score "$work/d.mmood" -m golden/f16 $pictures/rgb.png
says err "another model"
expect 0 "$mmood" score "$work/e.mmood" $pictures/rgb.png --format json
expect 2 "$mmood" score "$work/d.mmood" $pictures/rgb.png --scores mcm,mcm
# the detector's own score is the same in both places, at its own temperature
expect 0 "$mmood" score "$work/e.mmood" $pictures/rgb.png --format csv --scores all
checks=$((checks + 1))
tail -n 1 "$work/out" | awk -F, '{ exit !($4 == $12 && $4 != $11) }' || fail "score and the energy column differ"
# another filter is another model
expect 0 "$mmood" build -m $model --id "$work/id.txt" --resample bilinear -o "$work/bilinear.mmood"
expect 0 "$mmood" score "$work/bilinear.mmood" $pictures/rgb.png --resample bilinear
expect 0 "$mmood" build -m $model --id "$work/id.txt" --resample bicubic -o "$work/bicubic.mmood"
expect 1 "$mmood" score "$work/bilinear.mmood" $pictures/rgb.png --resample bicubic
says err "preprocessing"

# ---- results do not depend on batches, threads or neighbours (with oneDNN 3 they may in bf16, by rounding)
for settings in "1 1" "7 2" "32 3"; do
    set -- $settings
    "$mmood" score "$work/d.mmood" $pictures --quiet --format json --precision f32 --batch "$1" --threads "$2" \
        >"$work/scores-$1" 2>/dev/null
    same "$work/scores-1" "$work/scores-$1"
done
"$mmood" score "$work/d.mmood" $pictures/rgb.png --format json --precision f32 >"$work/alone"
grep '/rgb.png"' "$work/scores-32" >"$work/among"
same "$work/alone" "$work/among"

# ---- a bomb is refused at once, in little memory
if [ "${MMOOD_TEST_LIMITS:-1}" = 1 ]; then
    checks=$((checks + 1))
    (
        ulimit -v 2000000
        "$mmood" score "$work/d.mmood" $pictures/bomb_60000x60000.png --format json
    ) >"$work/out" 2>"$work/err"
    [ $? = 1 ] || fail "exit code for a bomb"
    says out "3600 million pixels"
fi
expect 3 "$mmood" score "$work/d.mmood" $pictures/bomb_60000x60000.png $pictures/lie_ihdr.png \
    $pictures/rgb.png --format json
lines out 3

# ---- eval
printf 'set,score\n' >"$work/a.csv"
for score in .90 .88 .86 .84 .82 .80 .78 .76 .74 .72 .70 .68 .66 .64 .62 .60 .58 .50 .40 .30; do
    echo "id,$score" >>"$work/a.csv"
done
for score in .70 .55 .50 .45 .40 .35 .30 .20 .15 .10; do
    echo "far,$score" >>"$work/a.csv"
done
expect 0 "$mmood" eval --from-csv "$work/a.csv" --format json
says out '"fpr95":0.6,"fpr95_definition":"nearest","auroc":0.9,"aupr_in":0.945715976562'
expect 0 "$mmood" eval --from-csv "$work/a.csv" --fpr ood-positive
says out "ood-positive"
says out "0.5000"
expect 2 "$mmood" eval --from-csv "$work/a.csv" --fpr best
echo "far,nan" >>"$work/a.csv"
expect 1 "$mmood" eval --from-csv "$work/a.csv"
says err "line 32"
printf 'set,score\nid,1\n' >"$work/b.csv"
expect 1 "$mmood" eval --from-csv "$work/b.csv"

# ---- packed weights are kept, and mapped the next time
expect 0 "$mmood" score "$work/d.mmood" $pictures/rgb.png --format json --no-cache -v
lacks err "packed weights are"
cp "$work/out" "$work/without"
expect 0 "$mmood" score "$work/d.mmood" $pictures/rgb.png --format json --cache "$work/kept" -v
says err "packed weights are kept in $work/kept/weights/"
same "$work/out" "$work/without"
expect 0 "$mmood" score "$work/d.mmood" $pictures/rgb.png --format json --cache "$work/kept" -v
says err "packed weights are mapped from $work/kept/weights/"
same "$work/out" "$work/without"
for file in "$work/kept/weights"/*.packed; do printf 'damage' >"$file"; done
expect 0 "$mmood" score "$work/d.mmood" $pictures/rgb.png --format json --cache "$work/kept" -v
says err "packed anew"
same "$work/out" "$work/without"
expect 0 "$mmood" score "$work/d.mmood" $pictures/rgb.png --format json --cache "$work/id.txt" -v
says err "packed weights are not kept"
same "$work/out" "$work/without"
expect 0 "$mmood" score "$work/d.mmood" $pictures/rgb.png --format json --cache "$work/id.txt"
lacks err "packed weights"
expect 0 env -u XDG_CACHE_HOME -u HOME "$mmood" score "$work/d.mmood" $pictures/rgb.png --format json
same "$work/out" "$work/without"

# ---- results that cannot be written
if [ -e /dev/full ]; then
    checks=$((checks + 1))
    "$mmood" score "$work/d.mmood" $pictures/rgb.png >/dev/full 2>"$work/err"
    [ $? = 1 ] || fail "exit code for a full disk"
    says err "standard output"
fi
# a reader that went away: quiet, and ended by SIGPIPE as other tools are
for words in "tokenize -m $real cat" "score $work/d.mmood $pictures/rgb.png --quiet"; do
    (
        sleep 1
        # shellcheck disable=SC2086
        "$mmood" $words 2>"$work/err"
        echo $? >"$work/code"
    ) | true
    checks=$((checks + 2))
    [ "$(cat "$work/code")" = 141 ] || fail "exit code $(cat "$work/code") when nobody reads"
    [ ! -s "$work/err" ] || fail "words on standard error when nobody reads"
done

finish
