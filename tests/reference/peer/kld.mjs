// kld.mjs BASE.gguf TEXT CHUNKS QUANT.gguf...
// Runs the models in llama.cpp (node-llama-cpp) over the same text, in chunks of 128 tokens of which the last 96 count, and prints
// one line of JSON for each QUANT: tokens, the perplexity of both, the mean KL divergence of its next-token distribution from
// BASE's (and the standard error of that mean), and how often both agree on the most probable token.
import {readFile} from "node:fs/promises";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [basePath, textPath, chunks, ...quantPaths] = process.argv.slice(2);
const chunkTokens = 128, skipped = 32, floor = 1e-12;
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error});
const text = await readFile(textPath, "utf8");
const everything = {temperature: 1, topK: 0, topP: 1, minP: 0};

// One [actual next token, Map(token → probability)] for every position that counts.
async function distributions(path) {
  const model = await llama.loadModel({modelPath: path, gpuLayers: 0});
  const context = await model.createContext({contextSize: 256, batchSize: 256, threads: 2});
  const tokens = model.tokenize(text), sequence = context.getSequence(), out = [];
  for (let at = 0; at < Number(chunks) * chunkTokens && at + chunkTokens < tokens.length; at += chunkTokens) {
    await sequence.clearHistory();
    const part = tokens.slice(at, at + chunkTokens);
    const results = await sequence.controlledEvaluate(
      part.map((token) => [token, {generateNext: {probabilities: true, options: everything}}]));
    for (let i = skipped; i + 1 < chunkTokens; i++) out.push([part[i + 1], results[i].next.probabilities]);
  }
  await context.dispose();
  await model.dispose();
  return out;
}

const mostProbable = (p) => { let best, top = -1; for (const [t, x] of p) if (x > top) [best, top] = [t, x]; return best; };

const base = await distributions(basePath);
for (const path of quantPaths) {
  const quant = await distributions(path), n = base.length;
  let nllBase = 0, nllQuant = 0, sum = 0, squares = 0, agree = 0;
  for (let i = 0; i < n; i++) {
    const [next, p] = base[i], q = quant[i][1];
    nllBase -= Math.log(Math.max(p.get(next) ?? 0, floor));
    nllQuant -= Math.log(Math.max(q.get(next) ?? 0, floor));
    let kld = 0;
    for (const [t, x] of p) if (x > 0) kld += x * Math.log(x / Math.max(q.get(t) ?? 0, floor));
    sum += kld;
    squares += kld * kld;
    agree += mostProbable(p) === mostProbable(q);
  }
  const mean = sum / n;
  console.log(JSON.stringify({
    file: path, tokens: n, ppl_base: Math.exp(nllBase / n), ppl_quant: Math.exp(nllQuant / n), kld: mean,
    kld_error: Math.sqrt(Math.max(squares / n - mean * mean, 0) / n), same_top: agree / n,
  }));
}
process.exit(0);
