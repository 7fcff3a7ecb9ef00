#!/bin/sh
# Makes the data and the student of the arithmetic example anew, from seeds alone.
#
# A fresh random model learns from sloppy homework: seven sums of ten forget to carry. So it knows
# the right way of adding but prefers the wrong one, which is what reinforcement learning can put
# right. It takes two to four minutes on two cores.
#
# The data are the same everywhere. The student has the same bits each time, whatever the number of
# threads, as long as program and processor stay the same; another version of the program rounds
# differently and makes a student that is as good.
#
# LORIKEET names another program than the release build of this repository.
set -eu
cd "$(dirname "$0")/../.."
example=examples/arithmetic
work=checkpoints/arithmetic-student
lorikeet=${LORIKEET:-swift run -c release lorikeet}

rm -rf "$work"
mkdir -p "$work"
swiftc -O "$example/generate.swift" -o "$work/generate"
"$work/generate" "$work"
"$work/generate" "$work" check

$lorikeet init --config "$example/config.json" --tokenizer "$example" --output "$work/fresh" --seed 1
$lorikeet sft "$example/sft.yaml"

cp "$work/train.jsonl" "$work/test.jsonl" "$example"
rm -rf "$example/student"
cp -r "$work"/sft/global_step_*/actor/huggingface "$example/student"
echo "the student is in $example/student"
