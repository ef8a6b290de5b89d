// The page of gguf-info --html: what a model is and where its bytes are.
const model = JSON.parse(document.getElementById('data').textContent);

// A colour for each type, the one with the most bytes first; all those past the sixth share the last.
const rank = new Map(model.types.map((type, index) => [type.name, index]));
const hue = (type) => `var(--hue-${Math.min(rank.get(type), 6)})`;
const count = (number) => number.toLocaleString('en-US');
const sized = model.tensors.filter((tensor) => tensor.bytes > 0);

const tensorColumns = [
  { title: 'Tensor', key: (t) => t.name, cell: (t) => [h('i', { class: 'dot', '--heat': hue(t.type) }), t.name] },
  { title: 'Type', key: (t) => t.type, cell: (t) => t.type },
  { title: 'Shape', key: (t) => t.elements, cell: (t) => show.shape(t.shape) },
  { title: 'Weights', right: true, first: 'descending', key: (t) => t.elements, cell: (t) => t.elements === null ? '?' : count(t.elements) },
  { title: 'Size', right: true, first: 'descending', key: (t) => t.bytes, cell: (t) => t.bytes === null ? '?' : show.bytes(t.bytes) },
  ...(model.shards > 1 ? [{ title: 'Shard', right: true, key: (t) => t.shard, cell: (t) => t.shard }] : []),
  { title: 'Offset', hint: 'in the data section', right: true, key: (t) => t.shard * 2 ** 50 + t.offset, cell: (t) => count(t.offset) },
];
const tensors = table(tensorColumns, model.tensors, (t) => `${t.name} ${t.type}`.toLowerCase(), 'Search names and types');

const metadata = table([
  { title: 'Key', key: (entry) => entry.key, cell: (entry) => entry.key },
  { title: 'Type', key: (entry) => entry.type, cell: (entry) => h('span', { class: 'soft' }, entry.type) },
  { title: 'Value', key: (entry) => entry.value, cell: (entry) => h('div', { class: 'value' }, entry.value) },
], model.metadata, (entry) => `${entry.key} ${entry.value}`.toLowerCase(), 'Search keys and values');

function tiles() {
  const tile = (value, words) => h('div', { class: 'tile' }, h('b', {}, value), h('span', {}, words));
  const large = (number) => { for (const [unit, letter] of [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'K']]) if (number >= unit) return `${(number / unit).toPrecision(3)} ${letter}`; return String(number); };
  return h('div', { class: 'tiles' },
    tile(show.bytes(model.file_bytes), model.shards > 1 ? `in ${model.shards} shards` : 'of file'),
    model.tensors.length === 0 ? [] : [tile(large(model.parameters), 'parameters'),
      model.active_parameters === null ? [] : tile(large(model.active_parameters), 'of them for each token'),
      tile(model.bpw.toFixed(2), 'bits a weight'), tile(count(model.tensors.length), 'tensors')],
    tile(model.problems.length === 0 ? 'none' : count(model.problems.length), 'problems found'));
}

// Rows of tensors, to one scale. `way`: {row: tensor to the name of its row, label: tensor to what stands in its block
// where there is room}.
function tensorMap(way) {
  const rows = new Map();
  for (const tensor of sized) {
    const row = way.row(tensor);
    if (!rows.has(row)) rows.set(row, { name: row, bytes: 0, tensors: [] });
    rows.get(row).bytes += tensor.bytes;
    rows.get(row).tensors.push(tensor);
  }
  const longest = [...rows.values()].reduce((most, row) => Math.max(most, row.bytes), 1);
  const block = (tensor) => {
    const label = way.label(tensor), room = 900 * tensor.bytes / longest;  // pixels, about
    const title = `${tensor.name}: ${tensor.type}, ${show.shape(tensor.shape)}, ${show.bytes(tensor.bytes)}`;
    return h('button', { type: 'button', class: room < 4 ? 'thin' : '', '--hue': hue(tensor.type), style: `flex: ${tensor.bytes} 1 0`, title, 'aria-label': title, onclick: () => tensors.find(tensor.name) },
      room > 7 * label.length + 8 ? label : '');
  };
  return h('div', { class: 'map' }, [...rows.values()].map((row) => [
    h('span', { class: 'name', title: row.name }, row.name),
    h('div', {}, h('div', { class: 'blocks', style: `width: ${100 * row.bytes / longest}%` }, row.tensors.map(block))),
    h('span', { class: 'end' }, show.bytes(row.bytes))]));
}

function mapSection() {
  const ways = [
    { row: (t) => t.layer === null ? t.part : `layer ${t.layer}`, label: (t) => t.layer === null ? '' : t.part },
    { row: (t) => t.part, label: (t) => t.layer === null ? '' : String(t.layer) }];
  const drawing = h('div', {}, tensorMap(ways[0]));
  return h('section', {}, h('h2', {}, 'Where the bytes are'),
    h('p', { class: 'soft' }, 'Each block is a tensor, as wide as it is large and coloured by its type. A click shows it in the table.'),
    choice('What a row is', ['by layer', 'by role'], (index) => drawing.replaceChildren(tensorMap(ways[index]))), drawing,
    h('div', { class: 'keys' }, model.types.filter((type) => type.bytes > 0).map((type) => h('span', {}, h('i', { '--hue': hue(type.name) }), type.name))));
}

function typeSection() {
  const all = model.types.reduce((sum, type) => sum + type.bytes, 0) || 1, longest = model.types[0].bytes || 1;
  return h('section', {}, h('h2', {}, 'Tensor types'), h('p', { class: 'soft' }, 'By their share of the bytes.'),
    bars(model.types.map((type) => ({ name: type.name, share: type.bytes / longest, color: hue(type.name),
      value: [show.percent(type.bytes / all), h('span', { class: 'soft' }, `  ${show.bytes(type.bytes)} in ${count(type.tensors)} tensor${type.tensors === 1 ? '' : 's'}${type.bpw > 0 ? `, ${type.bpw.toFixed(2)} bits a weight` : ''}`)] }))));
}

// What lies on devices that hold all layers, by length of context: a bar each, with a line where each device is full.
const tokens = (number) => number >= 1024 && Number.isInteger(Math.log2(number)) ? `${count(number / 1024)}K` : count(number);
const devicesName = (sizes) => sizes.map((size) => show.short(show.bytes(size))).join(' + ');

// Where to draw lines, as shares of the widest bar: the devices that a bar can reach, and the first that holds them all.
function deviceLines(memory, widest) {
  const usable = (sizes) => sizes.reduce((sum, size) => sum + Math.max(0, size - memory.margin), 0);
  const sets = memory.asked ? memory.devices[0].map((_, last) => memory.devices[0].slice(0, last + 1)) : memory.devices;
  const lines = sets.map((sizes) => ({ name: devicesName(sizes), bytes: usable(sizes) }));
  const enough = lines.findIndex((line) => line.bytes >= widest);
  return lines.slice(0, enough < 0 ? lines.length : enough + 1).filter((line) => line.bytes <= 3 * widest);
}

const memoryParts = [['weights', 'weights', 0], ['KV cache', 'kv_cache', 2], ['state', 'recurrent', 4], ['compute buffer', 'compute', 1]];
const memorySum = (point) => memoryParts.reduce((all, [, key]) => all + point[key], 0);

function memoryBars(memory, widest, lines) {
  const parts = memoryParts.filter(([, key]) => memory.points.some((point) => point[key] > 0));
  const scale = lines.reduce((most, line) => Math.max(most, line.bytes), widest) * 1.02;
  const named = { wide: -1, narrow: -1 };
  const label = (line) => {  // where two would touch, the second has no name
    const at = line.bytes / scale, classes = at > 0.85 ? ['last'] : [];
    for (const [screen, room] of [['wide', 0.07], ['narrow', 0.2]])
      if (at - named[screen] < room) classes.push(`no-${screen}`); else named[screen] = at;
    return h('i', { class: `line ${classes.join(' ')}`, style: `left: ${100 * at}%`, title: `${line.name}, of which ${show.bytes(line.bytes)} can be used` }, h('b', {}, line.name));
  };
  const verdict = (point) => !memory.asked ? [] : point.gpu_layers === memory.layers ? h('span', { class: 'good' }, ' fits')
    : h('span', { class: 'soft' }, ` ${point.gpu_layers} of ${memory.layers} layers`);
  return [h('div', { class: 'gauge' }, h('div', { class: 'lines', style: `grid-row: 1 / span ${memory.points.length + 1}` }, lines.map(label)),
    memory.points.map((point, row) => {
      const place = `grid-row: ${row + 2}`, words = point.asked ? 'name asked' : 'name';
      return [h('span', { class: words, style: place, title: `${count(point.context)} tokens${point.context === memory.trained_context ? ', all that the model was trained for' : ''}` }, tokens(point.context)),
        h('div', { class: 'stack', style: place }, parts.filter(([, key]) => point[key] > 0).map(([name, key, hue]) =>
          h('i', { '--hue': `var(--hue-${hue})`, style: `width: ${100 * point[key] / scale}%`, title: `${name}: ${show.bytes(point[key])}` }))),
        h('span', { class: 'end', style: place }, show.bytes(memorySum(point)), verdict(point))];
    })),
    h('div', { class: 'keys' }, parts.map(([name, , hue]) => h('span', {}, h('i', { '--hue': `var(--hue-${hue})` }), name)))];
}

// Which file types would fit, and with how long a context. A device on which all do has no larger ones beside it.
function memoryTable(memory) {
  const longest = memory.points[memory.points.length - 1].context;
  const all = memory.devices.findIndex((_, index) => memory.file_types.every((row) => row.contexts[index] === longest));
  const shown = all < 0 ? memory.devices : memory.devices.slice(0, all + 1);
  const fits = (context) => h('span', { class: context === longest ? 'good' : context === 0 ? 'soft' : '' }, context === 0 ? 'no' : tokens(context));
  return table([
    { title: 'File type', key: (row) => row.weights, first: 'descending', cell: (row) => [row.name === null ? h('b', {}, 'as it is') : row.name, row.needs_imatrix ? h('span', { class: 'soft' }, ' with an imatrix') : []] },
    { title: 'Bits a weight', right: true, first: 'descending', key: (row) => row.bpw, cell: (row) => row.bpw.toFixed(2) },
    { title: 'Weights', right: true, first: 'descending', key: (row) => row.weights, cell: (row) => show.bytes(row.weights) },
    ...shown.map((sizes, index) => ({ title: devicesName(sizes), right: true, first: 'descending', key: (row) => row.contexts[index], cell: (row) => fits(row.contexts[index]) })),
  ], memory.file_types, null).element;
}

function memorySection(memory) {
  const several = memory.devices[0].length > 1, size = (bytes) => show.short(show.bytes(bytes));
  const widest = memory.points.reduce((most, point) => Math.max(most, memorySum(point)), 1), lines = deviceLines(memory, widest);
  const words = [
    `What devices that hold all layers need, by tokens of context, with a KV cache of ${memory.cache_type} and ${count(memory.ubatch)} tokens computed at once.`,
    lines.length === 0 ? `All of these are far from filling ${devicesName(memory.devices[0])}.`
      : `A line stands where the memory of ${!memory.asked ? 'a usual card' : several ? 'all devices up to one' : 'the device'} ends${memory.margin > 0 ? `, less ${size(memory.margin)} that is left free${several ? ' on each' : ''}` : ''}.`,
    several ? 'Each device has a compute buffer of its own.' : '',
    memory.input_weights > 0 ? `${size(memory.input_weights)} of embeddings stay in the memory of the host.` : ''];
  return section('Memory to run it', words.join(' '), memoryBars(memory, widest, lines),
    memory.assumptions.map((assumption) => h('p', { class: 'soft small' }, `Assumed: ${assumption}.`)),
    h('h3', {}, 'In which file types it fits'), h('p', { class: 'soft small' }, 'The longest of these contexts with which all layers are on the device.'),
    memoryTable(memory));
}

const section = (title, words, ...content) => h('section', {}, h('h2', {}, title), words ? h('p', { class: 'soft' }, words) : [], content);
const definitions = (pairs) => h('dl', {}, pairs.map(([term, meaning]) => [h('dt', {}, term), h('dd', {}, meaning)]));

document.getElementById('page').replaceChildren(...[
  h('header', {}, h('p', { class: 'kicker' }, 'Model'), h('h1', {}, model.file)),
  tiles(),
  section('What it is', null, definitions(model.facts.map((fact) => [fact.label, fact.text]))),
  model.problems.length === 0 ? [] : section('Problems', 'What breaks a rule of the format, or cannot be meant.',
    definitions(model.problems.map((problem) => [problem.severity, problem.text]))),
  sized.length === 0 ? [] : [mapSection(), typeSection()],
  model.memory === null ? [] : memorySection(model.memory),
  model.metadata.length === 0 ? [] : section('Metadata', 'A click on a title sorts. Arrays show their first elements.', metadata.element),
  model.tensors.length === 0 ? [] : section('Every tensor', 'A click on a title sorts.', tensors.element),
  model.chat_template === null ? [] : section('Chat template', null, h('pre', {}, model.chat_template)),
  h('footer', {}, `Made by ${model.tool}. Nothing on this page is loaded from elsewhere.`),
].flat(3));
