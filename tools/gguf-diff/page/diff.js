// What differs between two models.
const measured = diff.tensors.filter((tensor) => tensor.error !== null);
const unmeasured = diff.tensors.filter((tensor) => tensor.error === null);
// Null where no pair of weights is finite, so that nothing is known.
const errorOf = (t) => t.error.weights === 0 && t.error.not_finite > 0 ? null : number(t.error.relative_rmse);
const rank = (t) => t.error.not_finite > 0 ? Infinity : errorOf(t);
const worst = [...measured].sort((a, b) => rank(a) < rank(b) ? 1 : rank(a) > rank(b) ? -1 : 0);
const known = worst.filter((t) => errorOf(t) !== null);

const measures = [
  { name: 'relative error', format: show.percent, of: errorOf, scale: errorScale },
  { name: 'SQNR', format: show.decibel, of: (t) => errorOf(t) === null ? null : number(t.error.sqnr_db), heat: errorOf, scale: errorScale },
  { name: 'weighted error', format: show.percent, of: (t) => t.error.weighted_relative_rmse, scale: errorScale },
  { name: 'largest error', format: (times) => `${show.digits(times)} × rms`, of: (t) => t.error.rms > 0 ? t.error.max / t.error.rms : 0 },
  { name: 'weights that differ', format: show.percent, of: (t) => 1 - t.error.equal },
].filter((measure) => measured.some((tensor) => measure.of(tensor) !== null));
const types = (tensor) => {
  const a = tensor.a || tensor.b, b = tensor.b || tensor.a;
  return a.type === b.type ? a.type : `${a.type} → ${b.type}`;
};

const columns = [
  { title: 'Tensor', key: (t) => show.text(t.name), cell: (t) => [dot(t.error ? errorScale.color(errorOf(t)) : 'transparent'), show.text(t.name), t.new_name ? ` → ${show.text(t.new_name)}` : ''] },
  { title: 'Type', hint: 'in A and in B', key: types, cell: types },
  { title: 'Shape', key: (t) => (t.a || t.b).shape.reduce((a, b) => a * b, 1), cell: (t) => show.shape((t.a || t.b).shape) },
  { title: 'Change', key: (t) => t.change, cell: (t) => t.reshaped ? 'reshaped' : t.retyped ? 'retyped' : t.bytes_differ ? 'other bytes' : t.rescaled ? 'another factor' : t.change },
  ...[
    { title: 'Error', hint: 'relative error', of: (e) => errorOf({ error: e }), format: show.percent, more: (e) => e.relative_rmse_95 ? ` ${show.percent(e.relative_rmse_95[0])} to ${show.percent(e.relative_rmse_95[1])}` : '' },
    { title: 'SQNR', of: (e) => number(e.sqnr_db), format: show.decibel, rising: true },
    { title: 'Weighted', hint: 'relative error, weighted by importance', of: (e) => e.weighted_relative_rmse, format: show.percent },
    { title: 'Largest', of: (e) => e.max, format: show.digits, hint: 'largest error, and the weight that has it: column, row', more: (e) => ` at ${e.max_at.join(', ')}` },
    { title: 'Cosine', of: (e) => e.cosine, format: (cosine) => cosine.toFixed(5), rising: true },
    { title: 'Bias', of: (e) => e.bias, format: (bias) => show.digits(bias, 2) },
    { title: 'Not finite', hint: 'pairs of weights of which one is infinite or no number; they are in no sum', of: (e) => e.not_finite || null, format: String },
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
  const error = diff.total;
  const furthest = known.reduce((most, tensor) => most === null || errorOf(tensor) > errorOf(most) ? tensor : most, null);
  return h('div', { class: 'tiles' },
    tile(diff.same ? 'the same' : String(diff.tensors.length), diff.same ? 'model' : `tensors differ, ${diff.tensors_equal} are equal`),
    tile(String(diff.metadata.length), 'keys differ'),
    error === null ? [] : [
      tile(errorOf({ error }) === null ? '–' : show.percent(number(error.relative_rmse)), `relative error; ${show.decibel(number(error.sqnr_db))} SQNR`),
      error.weighted_relative_rmse === null ? [] : tile(show.percent(error.weighted_relative_rmse), 'the same, weighted by importance'),
      furthest === null ? [] : tile(show.percent(errorOf(furthest)), `at most, in ${show.text(furthest.name).replace(/\.weight$/, '')}`),
      error.not_finite === 0 ? [] : tile(String(error.not_finite), 'pairs of weights are infinite or no number, and in no sum')]);
}

function worstSection() {
  const longest = known.map(errorOf).filter(Number.isFinite).reduce((most, error) => Math.max(most, error), 0) || 1;
  return h('section', {}, h('h2', {}, 'The tensors furthest apart'), h('p', { class: 'soft' }, 'By relative error, with their types in A and in B.'),
    bars(known.slice(0, 15).map((tensor) => ({
      name: show.text(tensor.name), share: Math.min(1, errorOf(tensor) / longest), color: errorScale.color(errorOf(tensor)),
      value: [show.percent(errorOf(tensor)), h('span', { class: 'soft' }, `  ${types(tensor)}`)] }))));
}

function keySection() {
  const rows = table([
    { title: 'Key', key: (k) => show.text(k.key), cell: (k) => show.text(k.key) },
    { title: 'Change', key: (k) => k.change, cell: (k) => k.change },
    { title: 'A', key: (k) => keyValue(k.a), cell: (k) => keyValue(k.a) },
    { title: 'B', key: (k) => keyValue(k.b), cell: (k) => keyValue(k.b) },
  ], diff.metadata, (k) => show.text(k.key).toLowerCase(), 'Search keys');
  return h('section', {}, h('h2', {}, 'Metadata'), rows.element);
}

const set = { tensors: measured, parts: diff.parts, layers: diff.layers, find: everything.find };
draw(
  h('header', {}, h('p', { class: 'kicker' }, 'What differs'), h('h1', {}, `${file(diff.a)} → ${file(diff.b)}`)),
  tiles(),
  measured.length === 0 ? [] : [
    layerSection('Where they are apart', 'The stronger the colour, the further B is from A; totals are at the ends.', set, measures),
    worstSection()],
  diff.tensors.length === 0 ? [] : h('section', {}, h('h2', {}, 'Every tensor that differs'), h('p', { class: 'soft' }, 'A click on a title sorts.'), everything.element),
  diff.metadata.length === 0 ? [] : keySection(),
  explanations(Object.entries(meanings), 'Totals are of all tensors that both models have, the equal ones too.'));
