// The quality report of gguf-requant, drawn from the JSON that spec/json.md describes.
const report = JSON.parse(document.getElementById('data').textContent);
const number = (value) => value === 'Infinity' ? Infinity : value === '-Infinity' ? -Infinity : value === 'NaN' ? NaN : value;

const measured = report.tensors.filter((tensor) => tensor.error !== null);
const copied = report.tensors.length - measured.length;
const worst = [...measured].sort((a, b) => b.error.relative_rmse - a.error.relative_rmse);
// Of relative errors: the same in all reports, from what nobody notices to what is hardly the model any more.
const scale = heatScale(0.005, 0.5);

// What an error usually is in tensors of a type: the median.
const usual = new Map();
for (const type of new Set(measured.map((tensor) => tensor.to))) {
  const errors = worst.filter((tensor) => tensor.to === type).map((tensor) => tensor.error.relative_rmse);
  usual.set(type, errors[errors.length >> 1]);
}

// What a tensor, or a total, can be judged by; null where it is not known. `heat`: the same, so that more is worse.
const measures = [
  { name: 'relative error', format: show.percent, of: (t) => t.error.relative_rmse, scale },
  { name: 'SQNR', format: show.decibel, of: (t) => number(t.error.sqnr_db), heat: (t) => t.error.relative_rmse, scale },
  { name: 'weighted error', format: show.percent, of: (t) => t.error.weighted_relative_rmse, scale },
  { name: 'against its type', format: (times) => `${times.toFixed(2)} ×`, of: (t) => usual.get(t.to) > 0 ? t.error.relative_rmse / usual.get(t.to) : null },
  { name: 'largest error', format: (times) => `${show.digits(times)} × rms`, of: (t) => t.error.rms > 0 ? t.error.max / t.error.rms : 0 },
].filter((measure) => measured.some((tensor) => measure.of(tensor) !== null));
const types = (tensor) => tensor.from === tensor.to ? tensor.from : `${tensor.from} → ${tensor.to}`;
const place = (tensor) => tensor.error.max_at.join(', ');

const columns = [
  { title: 'Tensor', key: (t) => show.text(t.name), cell: (t) => [t.error ? h('i', { class: 'dot', '--heat': scale.color(t.error.relative_rmse) }) : h('i', { class: 'dot', style: 'visibility: hidden' }), show.text(t.name)] },
  { title: 'Type', hint: 'from and to', key: types, cell: types },
  { title: 'Shape', key: (t) => t.shape.reduce((a, b) => a * b, 1), cell: (t) => show.shape(t.shape) },
  { title: 'Size', right: true, first: 'descending', key: (t) => t.bytes_out, cell: (t) => show.bytes(t.bytes_out) },
  ...[
    { title: 'Error', hint: 'relative error', of: (e) => e.relative_rmse, format: show.percent },
    { title: 'SQNR', of: (e) => number(e.sqnr_db), format: show.decibel, rising: true },
    { title: 'Weighted', hint: 'relative error, weighted by importance', of: (e) => e.weighted_relative_rmse, format: show.percent },
    { title: 'Largest', of: (e) => e.max, format: show.digits, hint: 'largest error, and the weight that has it: column, row', more: (t) => ` at ${place(t)}` },
    { title: 'Cosine', of: (e) => e.cosine, format: (cosine) => cosine.toFixed(5), rising: true },
    { title: 'Gain', of: (e) => e.gain, format: (gain) => gain.toFixed(3), rising: true },
    { title: 'Bias', of: (e) => e.bias, format: (bias) => show.digits(bias, 2) },
  ].filter((c) => measured.some((t) => c.of(t.error) !== null)).map((c) => ({
    title: c.title, hint: c.hint, right: true, first: c.rising ? 'ascending' : 'descending',
    key: (t) => t.error && c.of(t.error),
    cell: (t) => t.error === null ? h('span', { class: 'soft' }, c.title === 'Error' ? 'copied' : '')
      : c.of(t.error) === null ? '–' : [c.format(c.of(t.error)), c.more ? h('span', { class: 'soft' }, c.more(t)) : ''],
  })),
  { title: 'Time', hint: 'of all threads together', right: true, first: 'descending', key: (t) => t.error && t.seconds, cell: (t) => t.error ? show.seconds(t.seconds) : '' },
];
const everything = table(columns, report.tensors, (t) => `${show.text(t.name)} ${types(t)}`.toLowerCase());

function tiles() {
  const tile = (value, ...words) => h('div', { class: 'tile' }, h('b', {}, value), h('span', {}, words));
  const error = report.total.error;
  return h('div', { class: 'tiles' },
    tile(show.bytes(report.bytes_out), `from ${show.bytes(report.bytes_in)} of weights`),
    report.bpw > 0 ? tile(report.bpw.toFixed(2), 'bits a weight') : [],
    error === null ? [] : [
      tile(show.percent(error.relative_rmse), `relative error; ${show.decibel(number(error.sqnr_db))} SQNR`),
      error.weighted_relative_rmse === null ? [] : tile(show.percent(error.weighted_relative_rmse), 'the same, weighted by importance'),
      tile(show.percent(worst[0].error.relative_rmse), `at most, in ${show.text(worst[0].name).replace(/\.weight$/, '')}`)],
    tile(show.seconds(report.seconds), `for ${report.tensors.length} tensors, ${copied} of them copied`));
}

// One row a part, one column a layer, totals at the ends; what is of no layer stands below.
function layerMap(measure) {
  const heat = measure.heat || measure.of;
  const scale = measure.scale || scaleOf(measured.map(heat));
  const value = (entry) => measure.format(measure.of(entry));
  const unknown = (entry) => !entry || entry.error === null || measure.of(entry) === null;
  const cell = (entry, name, onclick) => unknown(entry) ? null
    : { color: scale.color(heat(entry)), title: `${name}: ${value(entry)}${entry.to ? ` (${types(entry)})` : ''}`, onclick };
  const tensorCell = (tensor) => tensor ? cell(tensor, show.text(tensor.name), () => everything.find(show.text(tensor.name))) : null;

  const layers = report.layers.map((layer) => layer.name);
  const columnOf = new Map(layers.map((layer, column) => [layer, column]));
  const rows = new Map();
  const single = [];
  for (const tensor of measured) {
    if (tensor.layer === null) { single.push(tensor); continue; }
    const part = show.text(tensor.part);
    if (!rows.has(part)) rows.set(part, Array(layers.length).fill(null));
    rows.get(part)[columnOf.get(tensor.layer)] = tensor;
  }
  const partTotal = new Map(report.parts.map((part) => [show.text(part.name), part]));
  const map = [...rows].map(([part, tensors]) => {
    const total = partTotal.get(part);
    return { label: part, cells: tensors.map(tensorCell), value: unknown(total) ? '' : value(total) };
  });
  if (map.length > 1 && report.layers.some((layer) => !unknown(layer))) {
    map.push(null, { label: h('span', { class: 'soft' }, 'whole layer'), value: '', cells: report.layers.map((layer) =>
      cell(layer, `layer ${layer.name}`, () => everything.find(`blk.${layer.name}.`))) });
  }
  const highest = measured.reduce((most, tensor) => Math.max(most, heat(tensor) || 0), 0);
  const lines = single.filter((tensor) => !unknown(tensor)).map((tensor) => ({
    name: show.text(tensor.name), value: value(tensor), color: scale.color(heat(tensor)),
    share: highest > 0 ? heat(tensor) / highest : 0 }));
  return [map.length === 0 ? [] : heatMap(layers, map),
    lines.length === 0 ? [] : [h('p', { class: 'soft small', style: 'margin: 18px 0 8px' }, 'Of no layer'), bars(lines)],
    heatLegend(scale, measure.heat ? (error) => show.decibel(-20 * Math.log10(error)) : measure.format, copied > 0 ? 'copied, or not there' : 'not there')];
}

function layerSection() {
  const drawing = h('div', {}, layerMap(measures[0]));
  return h('section', {}, h('h2', {}, 'Which layers suffer'),
    h('p', { class: 'soft' }, 'Each cell is a tensor: its layer from left to right, its part of the layer from top to bottom. The stronger the colour, the more it lost; totals are at the ends. A click shows the tensor in the table.'),
    measures.length > 1 ? choice('What colours show', measures.map((measure) => measure.name), (index) => drawing.replaceChildren(...layerMap(measures[index]).flat())) : [], drawing);
}

function worstSection() {
  const longest = worst[0].error.relative_rmse || 1;
  return h('section', {}, h('h2', {}, 'The tensors that lost most'),
    h('p', { class: 'soft' }, 'By relative error, the types that were chosen beside it.'),
    bars(worst.slice(0, 15).map((tensor) => ({
      name: show.text(tensor.name), share: tensor.error.relative_rmse / longest, color: scale.color(tensor.error.relative_rmse),
      title: `${show.text(tensor.name)}: ${tensor.reason}`,
      value: [show.percent(tensor.error.relative_rmse), h('span', { class: 'soft' }, `  ${types(tensor)}`)] }))));
}

function sizeSection() {
  const sum = (type, bytes) => {
    const sizes = new Map();
    for (const tensor of report.tensors) sizes.set(tensor[type], (sizes.get(tensor[type]) || 0) + tensor[bytes]);
    return sizes;
  };
  return h('section', {}, h('h2', {}, 'Where the bytes are'), h('p', { class: 'soft' }, 'Tensor data by type, before and after, to one scale.'),
    stacks([{ name: 'before', parts: sum('from', 'bytes_in') }, { name: 'after', parts: sum('to', 'bytes_out') }], show.bytes));
}

function explanations() {
  const terms = [
    ['relative error', '√(Σe² / Σw²): the root mean square of the error e as a share of that of the weights w'],
    ['SQNR', '10·log₁₀(Σw² / Σe²), the same in decibels: 6 dB more is half the error'],
    ['weighted error', '√(Σie² / Σiw²), where i is how much a column matters by the importance matrix'],
    ['against its type', 'the relative error over the median of all tensors that got the same type: what stands out has weights that are harder to quantize'],
    ['largest error', 'the greatest |e| and the place of its weight, the column first; in the map as a multiple of the root mean square of the weights'],
    ['cosine', 'of the angle between the weights before and after'],
    ['gain', 'Σwv / Σw², v being the weights after: below 1 where they came out smaller'],
    ['bias', 'the mean of e, as a share of the root mean square of the weights'],
  ];
  return h('section', {}, h('h2', {}, 'What the numbers mean'),
    h('p', { class: 'soft' }, 'Errors are against the source as it decodes, measured while the file was written. Tensors that were copied lost nothing and are not part of any total of errors.'),
    h('dl', {}, terms.map(([term, meaning]) => [h('dt', {}, term), h('dd', {}, meaning)])));
}

document.getElementById('page').replaceChildren(...[
  h('header', {}, h('p', { class: 'kicker' }, 'Quality report'), h('h1', {}, show.text(report.output).split('/').pop()),
    h('p', { class: 'soft' }, [`${report.file_type} of ${show.text(report.input).split('/').pop()}`, `effort ${report.effort}`,
      report.imatrix === null ? 'no importance matrix' : `importance from ${show.text(report.imatrix).split('/').pop()}`].join(' · '))),
  tiles(), measured.length === 0 ? [] : [layerSection(), worstSection()], sizeSection(),
  h('section', {}, h('h2', {}, 'Every tensor'), h('p', { class: 'soft' }, 'A click on a title sorts.'), everything.element),
  explanations(), h('footer', {}, `Made by ${report.tool}. Nothing on this page is loaded from elsewhere.`),
].flat(2));
