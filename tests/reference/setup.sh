#!/usr/bin/env bash
# Installs what tests/reference and `./dev bench` compare with: llama.cpp's own libraries (v0.5.0, prebuilt, inside node-llama-cpp) and
# @huggingface/gguf, both from npm, and builds llama-oracle, llama-kld and llama-memory on them. Nothing of it becomes part of ggufkit.
#   usage: setup.sh [DIR]      (default: $GGUFKIT_PEER or ~/.cache/ggufkit-peer)
# Prints the path of an env file to source: it exports GGUFKIT_PEER and LLAMA_BINS. Does nothing that is done already.
set -euo pipefail
here=$(cd "$(dirname "$0")/peer" && pwd)
dir=${1:-${GGUFKIT_PEER:-$HOME/.cache/ggufkit-peer}}
mkdir -p "$dir" && cd "$dir"
[ -f package.json ] || echo '{"name":"ggufkit-peer","private":true,"type":"module"}' > package.json
if [ ! -d node_modules/@node-llama-cpp/linux-x64 ] || [ ! -d node_modules/@huggingface/gguf ]; then
    npm install --ignore-scripts --omit=optional --no-audit --no-fund --silent \
        node-llama-cpp@3.22.1 @node-llama-cpp/linux-x64@3.22.1 @huggingface/gguf@0.4.6 >&2
fi
for source in llama_oracle llama_kld llama_memory; do
    program=${source/_/-}
    if [ ! -x "$program" ] || ! cmp -s "$here/$source.cpp" "$source.cpp"; then
        cp -f "$here/$source.cpp" .
        g++ -O2 -std=c++17 "$source.cpp" -o "$program.new" -ldl >&2 && mv "$program.new" "$program"
    fi
done
cp -f "$here"/*.mjs .
printf 'export GGUFKIT_PEER=%q\nexport LLAMA_BINS=%q\n' \
    "$dir" "$dir/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64" > env.sh
echo "$dir/env.sh"
