// What differs between two models, drawn from the JSON that spec/json.md describes.
const diff = JSON.parse(document.getElementById('data').textContent);
const number = (value) => value === 'Infinity' ? Infinity : value === '-Infinity' ? -Infinity : value === 'NaN' ? NaN : value;
const file = (path) => show.text(path).split('/').pop();

const measured = diff.tensors.filter((tensor) => tensor.error !== null);
const unmeasured = diff.tensors.filter((tensor) => tensor.error === null);
const worst = [...measured].sort((a, b) => b.error.relative_rmse - a.error.relative_rmse);
// Of relative errors: the same in all reports, from what nobody notices to what is hardly the model any more.
const scale = heatScale(0.005, 0.5);

// What a tensor, or a total, can be judged by; null where it is not known. `heat`: the same, so that more is worse.
const measures = [
  { name: 'relative error', format: show.percent, of: (t) => t.error.relative_rmse, scale },
  { name: 'SQNR', format: show.decibel, of: (t) => number(t.error.sqnr_db), heat: (t) => t.error.relative_rmse, scale },
  { name: 'weighted error', format: show.percent, of: (t) => t.error.weighted_relative_rmse, scale },
  { name: 'largest error', format: (times) => `${show.digits(times)} × rms`, of: (t) => t.error.rms > 0 ? t.error.max / t.error.rms : 0 },
  { name: 'weights that differ', format: show.percent, of: (t) => 1 - t.error.equal },
].filter((measure) => measured.some((tensor) => measure.of(tensor) !== null));
const types = (tensor) => {
  const a = tensor.a || tensor.b, b = tensor.b || tensor.a;
  return a.type === b.type ? a.type : `${a.type} → ${b.type}`;
};

const columns = [
  { title: 'Tensor', key: (t) => show.text(t.name), cell: (t) => [h('i', { class: 'dot', '--heat': t.error ? scale.color(t.error.relative_rmse) : 'transparent' }), show.text(t.name), t.new_name ? ` → ${show.text(t.new_name)}` : ''] },
  { title: 'Type', hint: 'in A and in B', key: types, cell: types },
  { title: 'Shape', key: (t) => (t.a || t.b).shape.reduce((a, b) => a * b, 1), cell: (t) => show.shape((t.a || t.b).shape) },
  { title: 'Change', key: (t) => t.change, cell: (t) => t.reshaped ? 'reshaped' : t.retyped ? 'retyped' : t.bytes_differ ? 'other bytes' : t.change },
  ...[
    { title: 'Error', hint: 'relative error', of: (e) => e.relative_rmse, format: show.percent, more: (e) => e.relative_rmse_95 ? ` ${show.percent(e.relative_rmse_95[0])} to ${show.percent(e.relative_rmse_95[1])}` : '' },
    { title: 'SQNR', of: (e) => number(e.sqnr_db), format: show.decibel, rising: true },
    { title: 'Weighted', hint: 'relative error, weighted by importance', of: (e) => e.weighted_relative_rmse, format: show.percent },
    { title: 'Largest', of: (e) => e.max, format: show.digits, hint: 'largest error, and the weight that has it: column, row', more: (e) => ` at ${e.max_at.join(', ')}` },
    { title: 'Cosine', of: (e) => e.cosine, format: (cosine) => cosine.toFixed(5), rising: true },
    { title: 'Bias', of: (e) => e.bias, format: (bias) => show.digits(bias, 2) },
    { title: 'Equal', hint: 'share of weights that are the same', of: (e) => e.equal, format: show.percent, rising: true },
  ].filter((c) => measured.some((t) => c.of(t.error) !== null)).map((c) => ({
    title: c.title, hint: c.hint, right: true, first: c.rising ? 'ascending' : 'descending',
    key: (t) => t.error && c.of(t.error),
    cell: (t) => t.error === null ? '' : c.of(t.error) === null ? '–'
      : [c.format(c.of(t.error)), c.more ? h('span', { class: 'soft' }, c.more(t.error)) : ''],
  })),
];
const everything = table(columns, [...unmeasured, ...worst], (t) => `${show.text(t.name)} ${types(t)}`.toLowerCase());

function tiles() {
  const tile = (value, ...words) => h('div', { class: 'tile' }, h('b', {}, value), h('span', {}, words));
  const error = diff.total;
  return h('div', { class: 'tiles' },
    tile(diff.same ? 'the same' : String(diff.tensors.length), diff.same ? 'model' : `tensors differ, ${diff.tensors_equal} are equal`),
    tile(String(diff.metadata.length), 'keys differ'),
    error === null ? [] : [
      tile(show.percent(error.relative_rmse), `relative error; ${show.decibel(number(error.sqnr_db))} SQNR`),
      error.weighted_relative_rmse === null ? [] : tile(show.percent(error.weighted_relative_rmse), 'the same, weighted by importance'),
      tile(show.percent(worst[0].error.relative_rmse), `at most, in ${show.text(worst[0].name).replace(/\.weight$/, '')}`)]);
}

// One row a part, one column a layer, totals at the ends; what is of no layer stands below.
function layerMap(measure) {
  const heat = measure.heat || measure.of;
  const scale = measure.scale || scaleOf(measured.map(heat));
  const unknown = (entry) => !entry || measure.of(entry) === null;
  const value = (entry) => unknown(entry) ? '' : measure.format(measure.of(entry));
  const cell = (entry, name, onclick) => unknown(entry) ? null : { color: scale.color(heat(entry)), title: `${name}: ${value(entry)}`, onclick };

  const layers = diff.layers.map((layer) => layer.name);
  const rows = new Map();
  const single = [];
  for (const tensor of measured) {
    if (tensor.layer === null) { single.push(tensor); continue; }
    const part = show.text(tensor.part);
    if (!rows.has(part)) rows.set(part, Array(layers.length).fill(null));
    rows.get(part)[layers.indexOf(tensor.layer)] = tensor;
  }
  const total = new Map(diff.parts.map((part) => [show.text(part.name), part]));
  const map = [...rows].map(([part, tensors]) => ({ label: part, value: value(total.get(part)),
    cells: tensors.map((tensor) => tensor && cell(tensor, show.text(tensor.name), () => everything.find(show.text(tensor.name)))) }));
  if (map.length > 1) {
    map.push(null, { label: h('span', { class: 'soft' }, 'whole layer'), value: '',
      cells: diff.layers.map((layer) => cell(layer, `layer ${layer.name}`, () => everything.find(`blk.${layer.name}.`))) });
  }
  const highest = measured.reduce((most, tensor) => Math.max(most, heat(tensor) || 0), 0);
  const lines = single.filter((tensor) => !unknown(tensor)).map((tensor) => ({
    name: show.text(tensor.name), value: value(tensor), color: scale.color(heat(tensor)), share: highest > 0 ? heat(tensor) / highest : 0 }));
  return [map.length === 0 ? [] : heatMap(layers, map),
    lines.length === 0 ? [] : [h('p', { class: 'soft small', style: 'margin: 18px 0 8px' }, 'Of no layer'), bars(lines)],
    heatLegend(scale, measure.heat ? (error) => show.decibel(-20 * Math.log10(error)) : measure.format, 'equal, or not there')];
}

function layerSection() {
  const drawing = h('div', {}, layerMap(measures[0]));
  return h('section', {}, h('h2', {}, 'Where they are apart'),
    h('p', { class: 'soft' }, 'Each cell is a tensor: its layer from left to right, its part of the layer from top to bottom. The stronger the colour, the further B is from A; totals are at the ends. A click shows the tensor in the table.'),
    measures.length > 1 ? choice('What colours show', measures.map((measure) => measure.name), (index) => drawing.replaceChildren(...layerMap(measures[index]).flat())) : [], drawing);
}

function worstSection() {
  const longest = worst[0].error.relative_rmse || 1;
  return h('section', {}, h('h2', {}, 'The tensors furthest apart'), h('p', { class: 'soft' }, 'By relative error, with their types in A and in B.'),
    bars(worst.slice(0, 15).map((tensor) => ({
      name: show.text(tensor.name), share: tensor.error.relative_rmse / longest, color: scale.color(tensor.error.relative_rmse),
      value: [show.percent(tensor.error.relative_rmse), h('span', { class: 'soft' }, `  ${types(tensor)}`)] }))));
}

function keySection() {
  const short = (text) => text.length > 120 ? `${text.slice(0, 120)}…` : text;
  const value = (side) => side === null ? '–' : short(typeof side.value === 'string' ? side.value : JSON.stringify(side.value));
  const rows = table([
    { title: 'Key', key: (k) => show.text(k.key), cell: (k) => show.text(k.key) },
    { title: 'Change', key: (k) => k.change, cell: (k) => k.change },
    { title: 'A', key: (k) => value(k.a), cell: (k) => value(k.a) },
    { title: 'B', key: (k) => value(k.b), cell: (k) => value(k.b) },
  ], diff.metadata, (k) => show.text(k.key).toLowerCase());
  return h('section', {}, h('h2', {}, 'Metadata'), rows.element);
}

function explanations() {
  const terms = [
    ['relative error', '√(Σe² / Σw²), w being a weight of A, v that of B, e = v − w: 0 is the same, 100 % an error as large as the weights'],
    ['SQNR', '10·log₁₀(Σw² / Σe²), the same in decibels: 6 dB more is half the error'],
    ['weighted error', '√(Σie² / Σiw²), where i is how much a column matters by the importance matrix'],
    ['largest error', 'the greatest |e| and the place of its weight, the column first; in the map as a multiple of the root mean square of the weights'],
    ['cosine', 'of the angle between the weights of A and B'],
    ['bias', 'the mean of e, as a share of the root mean square of the weights'],
  ];
  return h('section', {}, h('h2', {}, 'What the numbers mean'),
    h('p', { class: 'soft' }, 'Weights are compared as they decode, whatever their types. Tensors that are equal are in no total.',
      diff.sample > 0 ? ` This is a sample of ${diff.sample} runs of up to 2048 weights of each tensor; ranges hold with 95 % confidence.` : ''),
    h('dl', {}, terms.map(([term, meaning]) => [h('dt', {}, term), h('dd', {}, meaning)])));
}

document.getElementById('page').replaceChildren(...[
  h('header', {}, h('p', { class: 'kicker' }, 'What differs'), h('h1', {}, `${file(diff.a)} → ${file(diff.b)}`)),
  tiles(), measured.length === 0 ? [] : [layerSection(), worstSection()],
  diff.tensors.length === 0 ? [] : h('section', {}, h('h2', {}, 'Every tensor that differs'), h('p', { class: 'soft' }, 'A click on a title sorts.'), everything.element),
  diff.metadata.length === 0 ? [] : keySection(),
  explanations(), h('footer', {}, 'Made by gguf-diff. Nothing on this page is loaded from elsewhere.'),
].flat(2));
