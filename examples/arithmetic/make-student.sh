#!/bin/sh
# Makes the data and the student of the arithmetic example anew, from seeds alone.
#
# A fresh random model learns from sloppy homework: three quarters of the sums forget to carry.
# So it knows the right way of adding but prefers the wrong one, which is what reinforcement
# learning can put right.
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
