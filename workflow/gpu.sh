#!/bin/sh
# One session on a machine that trains and does nothing else: what PROFILE still lacks, in the order of its file, RUNS at
# once, for MINUTES at most.
#
#   workflow/gpu.sh OUT PROFILE RUNS MINUTES [--no-measure]
#
# The machine needs what requirements-train.txt lists, and CIFAR in the folder that ILWP_DATA names, as an NPZ or as the
# parts that `ilwp data pack` makes. Before its first step a run on a GPU probes both memory layouts.
#
# Every two minutes, and at the end, OUT holds all that there is to bring home, as pieces of one tar, 15 MB each: the
# records that are whole, the networks that are trained but not measured, and the last checkpoint of each other run.
# `cat OUT/session.tar.* | tar x` in a copy of this repository puts them in their places. There, or here after the time
# was over, the same command goes on, and `ilwp measure` measures what was trained with --no-measure.
set -eu
out=$1 profile=$2 runs=$3 minutes=$4
shift 4
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."
export PYTHONPATH=. OMP_NUM_THREADS=1
python=${PYTHON:-python3}

# Which files to bring home.
kept() {
    for folder in checkpoints/"$profile"/*/; do
        record=data/runs/$profile/$(basename "$folder")
        if [ -f "$record.json" ]; then
            echo "$record.json" "$record.safetensors"
        elif [ -f "$folder/trained.json" ]; then
            echo "${folder}trained.json" "${folder}network.safetensors"
        else
            find "$folder" -name layouts.json -o -name recipe
            find "$folder" -name 'epoch-*.pt' | sort | tail -n 1
        fi
    done
}

# A checkpoint that is replaced meanwhile leaves what was brought home before.
bring() {
    rm -rf "$out/.next" && mkdir "$out/.next"
    # names hold no spaces
    tar cf "$out/.next/all" $(kept) || return 0
    split -b 15000000 "$out/.next/all" "$out/.next/session.tar."
    rm -f "$out"/session.tar.* "$out/.next/all"
    mv "$out"/.next/session.tar.* "$out"
    rmdir "$out/.next"
}

for listing in "${ILWP_DATA:-.}"/*.parts.json; do
    if [ -f "$listing" ] && [ ! -f "${listing%.parts.json}.npz" ]; then
        "$python" -m ilwp.cli.training data unpack "$listing"
    fi
done

mkdir -p "checkpoints/$profile" "logs/$profile"
while sleep 120; do bring; done > /dev/null 2>&1 &
bringing=$!
trap 'kill $bringing; bring' EXIT
trap 'exit 143' INT TERM

"$python" - "$profile" <<'EOF' > "logs/$profile/cells"
import sys

from ilwp.experiments import runs
from ilwp.experiments.profiles import load_profile, train_options

name = sys.argv[1]
profile = load_profile(name)
for c in profile.cells():
    if not runs.finished(runs.record_path(name, c), profile, c):
        print(train_options(c))
EOF
timeout "${minutes}m" xargs -r -P "$runs" -L 1 "$python" -m ilwp.cli.training train --profile "$profile" --quiet "$@" \
    < "logs/$profile/cells" || echo "not all runs have ended well: give the same command to go on" >&2
