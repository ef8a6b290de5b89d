// Which of two models is nearer to the one that both were made of.
const sides = [{ name: 'A', of: (entry) => entry.a, hue: 'a' }, { name: 'B', of: (entry) => entry.b, hue: 'b' }];
const weighted = diff.decided_by === 'weighted_relative_rmse';
const errorName = weighted ? 'weighted error' : 'error';

// The error that decides, of a side of a tensor or of a total. Null where no weight could be compared.
function errorOf(side) {
  const error = side.error || side;
  if (error.weights === 0 && error.not_finite > 0) return null;
  return number(weighted && error.weighted_relative_rmse !== null ? error.weighted_relative_rmse : error.relative_rmse);
}
const errorText = (side) => errorOf(side) === null ? '–' : show.percent(errorOf(side));

// By which share the error of the nearer one is less: above 0 where that is A, below 0 where it is B.
function lead(entry) {
  const a = errorOf(entry.a), b = errorOf(entry.b);
  if (a === null || b === null) return null;
  return a === b ? 0 : a < b ? 1 - a / b : b / a - 1;
}
const leadText = (share) => share === null ? '–' : share === 0 ? 'as far' : `${share > 0 ? 'A' : 'B'} by ${show.percent(Math.abs(share))}`;
// Four steps a side: to a twentieth, a seventh, a third, and more.
const leadSteps = [0.05, 0.15, 0.35];
const leadColor = (share) => share === 0 ? 'var(--heat-0)' : `var(--${share > 0 ? 'a' : 'b'}-${1 + leadSteps.filter((step) => Math.abs(share) > step).length})`;
function leadLegend() {
  const ramp = (hue, steps) => h('span', { class: 'ramp' }, steps.map((step) => h('i', { '--heat': `var(--${hue}-${step})` })));
  return h('div', { class: 'legend' }, 'A is nearer, by much', ramp('a', [4, 3, 2, 1]), 'as far', ramp('b', [1, 2, 3, 4]), 'B is nearer, by much',
    h('span', { class: 'missing' }, h('span', { class: 'none' }), 'not there'));
}

const measures = [
  { name: 'which is nearer', format: leadText, of: lead, heat: (t) => Math.abs(lead(t)), color: (t) => leadColor(lead(t)), legend: leadLegend },
  ...sides.map((side) => ({ name: `error of ${side.name}`, format: show.percent, of: (t) => errorOf(side.of(t)), scale: errorScale })),
];

// A row of two bars for each entry, A above B.
function pairsOf(entries, name, end) {
  const longest = Math.max(...entries.flatMap((entry) => sides.map((side) => errorOf(side.of(entry)) || 0)).filter(Number.isFinite)) || 1;
  return pairs(entries.map((entry) => ({ name: name(entry), end: end(entry),
    bars: sides.map((side) => ({ hue: `var(--${side.hue}-3)`, share: Math.min(1, (errorOf(side.of(entry)) || 0) / longest), value: errorText(side.of(entry)), title: side.name })) })));
}
const sideKeys = () => h('div', { class: 'keys', style: 'margin: 0 0 14px' }, [['a', diff.a], ['b', diff.b]].map(([hue, side]) =>
  h('span', {}, h('i', { '--hue': `var(--${hue}-3)` }), `${hue.toUpperCase()}: ${file(side.file)}`)));

const types = (t) => [t.type, t.a.type, t.b.type].join(' ');
const columns = [
  { title: 'Tensor', key: (t) => show.text(t.name), cell: (t) => [dot(lead(t) === null ? 'transparent' : leadColor(lead(t))), show.text(t.name)] },
  { title: 'Base', hint: 'type in the base', key: (t) => t.type, cell: (t) => t.type },
  ...sides.map((side) => ({ title: side.name, hint: `type in ${side.name}`, key: (t) => side.of(t).type, cell: (t) => side.of(t).type })),
  { title: 'Shape', key: (t) => t.shape.reduce((a, b) => a * b, 1), cell: (t) => show.shape(t.shape) },
  ...sides.map((side) => ({ title: `Error ${side.name}`, hint: errorName, right: true, first: 'descending', key: (t) => errorOf(side.of(t)),
    cell: (t) => { const range = side.of(t).error.relative_rmse_95;
      return [errorText(side.of(t)), range && !weighted ? h('span', { class: 'soft' }, ` ${show.percent(number(range[0]))} to ${show.percent(number(range[1]))}`) : '']; } })),
  { title: 'Nearer', hint: 'and by which share its error is less', key: lead, first: 'descending', cell: (t) => leadText(lead(t)) },
  ...sides.map((side) => ({ title: `SQNR ${side.name}`, right: true, key: (t) => number(side.of(t).error.sqnr_db), cell: (t) => show.decibel(number(side.of(t).error.sqnr_db)) })),
  ...sides.map((side) => ({ title: `Size ${side.name}`, right: true, first: 'descending', key: (t) => side.of(t).bytes, cell: (t) => show.bytes(side.of(t).bytes) })),
];
// What makes the models differ most comes first: by how much error one has more than the other, over all weights.
const squares = (t) => t.a.error.rms ** 2 * t.a.error.weights;
function gap(tensor) {
  const [a, b] = sides.map((side) => errorOf(side.of(tensor)));
  return a === null || b === null ? Infinity : Math.abs(a * a - b * b) * squares(tensor);
}
const furthest = [...diff.tensors].sort((x, y) => gap(y) - gap(x));
const everything = table(columns, furthest, (t) => `${show.text(t.name)} ${types(t)}`.toLowerCase());

function tiles() {
  const nearer = { a: ['A is nearer', diff.a], b: ['B is nearer', diff.b] }[diff.nearer];
  const bits = (side) => side.error.weights > 0 ? `${(8 * side.bytes / (side.error.weights + side.error.not_finite)).toFixed(2)} bits a weight` : '';
  const broken = sides.map((side) => [side.name, side.of(diff).error.not_finite]).filter(([, count]) => count > 0);
  return h('div', { class: 'tiles' },
    nearer ? tile(nearer[0], `its ${errorName} is ${show.percent(Math.abs(lead(diff)))} less`) : tile('as far', 'A and B, from the base'),
    sides.map((side) => tile(errorText(side.of(diff)), `${errorName} of ${side.name}; ${show.decibel(number(side.of(diff).error.sqnr_db))} SQNR`)),
    sides.map((side) => tile(show.bytes(side.of(diff).bytes), `size of ${side.name}; ${bits(side.of(diff))}`)),
    tile(`${diff.a.nearer_in} : ${diff.b.nearer_in}`, `tensors in which A, and in which B is nearer, of ${diff.tensors.length}`),
    broken.map(([name, count]) => tile(String(count), `weights of ${name} or the base are infinite or no number, and in no sum`)));
}

function totalsSection() {
  const parts = [...diff.parts].filter((part) => sides.some((side) => errorOf(side.of(part)) !== 0))
    .sort((x, y) => Math.max(errorOf(y.a), errorOf(y.b)) - Math.max(errorOf(x.a), errorOf(x.b)));
  const layers = diff.layers.map((layer) => layer.name);
  const row = (label, color, text) => ({ label, value: '', cells: diff.layers.map((layer) => ({
    color: color(layer), title: `layer ${layer.name}: ${text(layer)}`, onclick: () => everything.find(`blk.${layer.name}.`) })) });
  const heat = (side) => (layer) => errorScale.color(errorOf(side.of(layer)) || 0);
  return [
    diff.layers.length < 2 ? [] : h('section', {}, h('h2', {}, 'Layer by layer'),
      h('p', { class: 'soft' }, 'The error of each whole layer, of A and of B, and which is nearer there.'),
      heatMap(layers, [...sides.map((side) => row(`error of ${side.name}`, heat(side), (layer) => errorText(side.of(layer)))), null,
        row('nearer', (layer) => lead(layer) === null ? 'transparent' : leadColor(lead(layer)), (layer) => leadText(lead(layer)))]),
      heatLegend(errorScale, show.percent), leadLegend()),
    parts.length === 0 ? [] : h('section', {}, h('h2', {}, 'Part by part'),
      h('p', { class: 'soft' }, `The ${errorName} of all tensors of a part together.`), sideKeys(),
      pairsOf(parts, (part) => show.text(part.name), (part) => leadText(lead(part))))];
}

function worstSection() {
  const apart = furthest.filter((t) => lead(t) !== 0);
  const worstOf = (side) => diff.tensors.filter((t) => errorOf(side.of(t)) > 0).sort((x, y) => errorOf(side.of(y)) - errorOf(side.of(x)));
  const lists = [apart, ...sides.map(worstOf)];
  const chart = (index) => pairsOf(lists[index].slice(0, 12), (t) => show.text(t.name), (t) => [leadText(lead(t)), h('span', { class: 'soft' }, `${t.a.type}, ${t.b.type}`)]);
  if (lists.every((list) => list.length === 0)) return [];
  const drawing = h('div', {}, chart(0));
  return h('section', {}, h('h2', {}, 'The tensors that matter'),
    h('p', { class: 'soft' }, 'Those that make A and B differ most in their distance from the base, over all weights; or those furthest from it.'),
    choice('Which tensors', ['furthest from each other', 'worst of A', 'worst of B'], (index) => drawing.replaceChildren(chart(index))), sideKeys(), drawing);
}

// Those that not every quantization changes come first.
function keySection() {
  const keys = [...diff.metadata].sort((x, y) => x.about_quantization - y.about_quantization);
  const value = (key, side) => key[side] === undefined ? '' : side === 'b' && key.alike ? 'as A' : keyValue(key[side]);
  const column = (title, hint, side) => ({ title, hint, key: (k) => value(k, side), cell: (k) => value(k, side) });
  const rows = table([
    { title: 'Key', key: (k) => show.text(k.key), cell: (k) => show.text(k.key) },
    column('Base', undefined, 'base'), column('A', 'empty where it is as in the base', 'a'), column('B', 'empty where it is as in the base', 'b'),
  ], keys, (k) => show.text(k.key).toLowerCase(), 'Search keys');
  const others = keys.filter((key) => !key.about_quantization).length;
  return h('section', {}, h('h2', {}, 'Metadata'),
    h('p', { class: 'soft' }, `The keys of A and B that are not those of the base. ${others === 0 ? 'All are' : others === keys.length ? 'None is' : 'The last are'} among those that every quantization changes.`), rows.element);
}

function leftOutSection() {
  const names = (title, list) => list.length === 0 ? [] : h('dl', {}, h('dt', {}, title), h('dd', {}, list.map(show.text).join(', ')));
  if (diff.not_compared.length + diff.not_in_base.length === 0) return [];
  return h('section', {}, h('h2', {}, 'Not compared'),
    names('missing in A or B, or of another shape', diff.not_compared), names('not in the base', diff.not_in_base));
}

const set = { tensors: diff.tensors, parts: diff.parts, layers: diff.layers, find: everything.find };
draw(
  h('header', {}, h('p', { class: 'kicker' }, `Which is nearer to ${file(diff.base)}?`), h('h1', {}, `${file(diff.a.file)} or ${file(diff.b.file)}`), h('p', { class: 'soft' }, `A is ${show.text(diff.a.file)}, B is ${show.text(diff.b.file)}`)),
  tiles(), totalsSection(),
  diff.tensors.length === 0 ? [] : layerSection('Tensor by tensor', 'The colour says which of the two is nearer to the base, the stronger the more.', set, measures),
  worstSection(), leftOutSection(),
  diff.metadata.length === 0 ? [] : keySection(),
  h('section', {}, h('h2', {}, 'Every tensor'), h('p', { class: 'soft' }, 'A click on a title sorts.'), everything.element),
  explanations([['relative error', '√(Σe² / Σw²), w being a weight of the base, v that of A or B, e = v − w: 0 is the same, 100 % an error as large as the weights'],
    ...['SQNR', 'weighted error'].filter((term) => term === 'SQNR' || weighted).map((term) => [term, meanings[term]]),
    ['A by 20 %', `A is nearer: its ${errorName} is 20 % less than that of B`]], weighted ? 'The importance matrix decides where it knows a tensor.' : ''));
