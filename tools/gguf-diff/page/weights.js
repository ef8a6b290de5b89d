// What the pages of gguf-diff share: the numbers of the JSON that spec/json.md describes, and the map of all tensors by
// layer and part.
const diff = JSON.parse(document.getElementById('data').textContent);
const number = (value) => value === 'Infinity' ? Infinity : value === '-Infinity' ? -Infinity : value === 'NaN' ? NaN : value;
const file = (path) => show.text(path).split('/').pop();
const tile = (value, ...words) => h('div', { class: 'tile' }, h('b', {}, value), h('span', {}, words));
const dot = (color) => h('i', { class: 'dot', '--heat': color });

// A value of metadata on one line; a dash where there is none.
function keyValue(side) {
  if (side === null) return '–';
  const text = typeof side.value === 'string' || (side.value !== null && side.value.hex !== undefined) ? side.value : JSON.stringify(side.value);
  const line = show.text(text);
  return (line.length > 120 ? `${line.slice(0, 120)}…` : line) + (side.file_type === undefined ? '' : ` (${side.file_type})`);
}

// Of relative errors: the same in all reports, from what nobody notices to what is hardly the model any more.
const errorScale = heatScale(0.005, 0.5);

// What a tensor, or a total, can be judged by: {name, of: null where it is not known, format}. `heat`: the same, so that
// more is worse; `scale`: of the heat, where it does not depend on the `entries` of the page; `color` and `legend`: where
// it is no heat.
function drawn(measure, entries) {
  const heat = measure.heat || measure.of, scale = measure.scale || scaleOf(entries.map(heat));
  const format = measure.heat ? (error) => show.decibel(-20 * Math.log10(error)) : measure.format;
  return { heat, color: (entry) => scale.color(heat(entry)), legend: () => heatLegend(scale, format, 'equal, or not there'), ...measure };
}

// One row a part, one column a layer, totals at the ends; what is of no layer stands below. `set`: {tensors, parts, layers,
// find: shows what has this text in its name}.
function layerMap(set, wanted) {
  const measure = drawn(wanted, set.tensors);
  const unknown = (entry) => !entry || measure.of(entry) === null;
  const value = (entry) => unknown(entry) ? '' : measure.format(measure.of(entry));
  const cell = (entry, name, onclick) => unknown(entry) ? null : { color: measure.color(entry), title: `${name}: ${value(entry)}`, onclick };

  const layers = set.layers.map((layer) => layer.name);
  const rows = new Map();
  const single = [];
  for (const tensor of set.tensors) {
    if (tensor.layer === null) { single.push(tensor); continue; }
    const part = show.text(tensor.part);
    if (!rows.has(part)) rows.set(part, Array(layers.length).fill(null));
    rows.get(part)[layers.indexOf(tensor.layer)] = tensor;
  }
  const total = new Map(set.parts.map((part) => [show.text(part.name), part]));
  const map = [...rows].map(([part, tensors]) => ({ label: part, value: value(total.get(part)),
    cells: tensors.map((tensor) => tensor && cell(tensor, show.text(tensor.name), () => set.find(show.text(tensor.name)))) }));
  if (map.length > 1) {
    map.push(null, { label: h('span', { class: 'soft' }, 'whole layer'), value: '',
      cells: set.layers.map((layer) => cell(layer, `layer ${layer.name}`, () => set.find(`blk.${layer.name}.`))) });
  }
  const highest = set.tensors.reduce((most, tensor) => Math.max(most, measure.heat(tensor) || 0), 0);
  const lines = single.filter((tensor) => !unknown(tensor)).map((tensor) => ({
    name: show.text(tensor.name), value: value(tensor), color: measure.color(tensor), share: highest > 0 ? measure.heat(tensor) / highest : 0 }));
  return [map.length === 0 ? [] : heatMap(layers, map),
    lines.length === 0 ? [] : [h('p', { class: 'soft small', style: 'margin: 18px 0 8px' }, 'Of no layer'), bars(lines)],
    measure.legend()];
}

function layerSection(title, words, set, measures) {
  const draw = (index) => layerMap(set, measures[index]).flat();
  const drawing = h('div', {}, draw(0));
  return h('section', {}, h('h2', {}, title), h('p', { class: 'soft' }, `Each cell is a tensor: its layer from left to right, its part of the layer from top to bottom. ${words} A click shows the tensor in the table.`),
    measures.length > 1 ? choice('What colours show', measures.map((measure) => measure.name), (index) => drawing.replaceChildren(...draw(index))) : [], drawing);
}

const meanings = {
  'relative error': '√(Σe² / Σw²), w being a weight of A, v that of B, e = v − w: 0 is the same, 100 % an error as large as the weights',
  'SQNR': '10·log₁₀(Σw² / Σe²), the same in decibels: 6 dB more is half the error',
  'weighted error': '√(Σie² / Σiw²), where i is how much a column matters by the importance matrix',
  'largest error': 'the greatest |e| and the place of its weight, the column first; in the map as a multiple of the root mean square of the weights',
  'cosine': 'of the angle between the weights of A and B',
  'bias': 'the mean of e, as a share of the root mean square of the weights',
};
function explanations(terms, words) {
  return h('section', {}, h('h2', {}, 'What the numbers mean'),
    h('p', { class: 'soft' }, `Weights are compared as they decode, whatever their types. ${words}`,
      diff.sample > 0 ? ` This is a sample of ${diff.sample} runs of up to 2048 weights of each tensor; ranges hold with 95 % confidence.` : ''),
    h('dl', {}, terms.map((term) => [h('dt', {}, term[0]), h('dd', {}, term[1])])));
}

const draw = (...parts) => document.getElementById('page').replaceChildren(...parts.flat(2),
  h('footer', {}, 'Made by gguf-diff. Nothing on this page is loaded from elsewhere.'));
