// What pages are made of: elements, numbers in words, and a few charts. Text that came out of a file only ever becomes
// text nodes and attributes, never markup.

// An element; attributes that start with "on" are listeners, those that start with "--" custom properties.
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'style') element.style.cssText += value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name.startsWith('--')) element.style.setProperty(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity));
  return element;
}

const show = {
  // Strings of the JSON, which has {"hex": …} for those that are no UTF-8. What drives a terminal, hides, or turns the direction
  // of text around is spelled out: is_control() and is_deceptive() of core/text.cpp.
  text: (value) => typeof value !== 'string' ? '0x' + value.hex
    : value.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu,
      (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, '0')}`),
  bytes(count) {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
    let unit = 0;
    while (count >= 1024 && unit + 1 < units.length) count /= 1024, ++unit;
    return `${unit === 0 ? count : count.toFixed(count < 9.995 ? 2 : 1)} ${units[unit]}`;
  },
  digits: (number, count = 3) => !Number.isFinite(number) ? '∞'
    : number === 0 ? '0'
    : Math.abs(number) < 1e-4 || Math.abs(number) >= 1e6 ? number.toExponential(count - 1) : String(+number.toPrecision(count)),
  percent: (share) => `${share >= 1e-5 && share < 9.995 ? (100 * share).toPrecision(3) : show.digits(100 * share)} %`,
  decibel: (number) => Number.isFinite(number) ? `${number.toFixed(1)} dB` : '∞',
  seconds: (number) => number < 0.9995 ? `${show.digits(1000 * number)} ms` : number < 60 ? `${number.toFixed(number < 10 ? 2 : 1)} s`
    : `${Math.floor(number / 60)} min ${Math.round(number % 60)} s`,
  short: (text) => text.replace(/\.0+ /, ' ').replace(/(\.\d*[1-9])0+ /, '$1 '),
  shape: (shape) => shape.length === 0 ? 'scalar' : shape.join('×'),
};

// From a number to one of ten heats, in steps that are equal as factors from low to high; 0 has none.
function heatScale(low, high) {
  const step = (number) => Math.floor(9 * Math.log(number / low) / Math.log(high / low));
  const heat = (number) => number > 0 ? 1 + Math.max(0, Math.min(8, step(number))) : 0;
  return { low, high, color: (number) => `var(--heat-${heat(number)})` };
}

// The scale of these numbers. A range of less than a factor of 2 is not blown up to all colours: small differences shall
// look small.
function scaleOf(numbers) {
  const known = numbers.filter((number) => Number.isFinite(number) && number > 0);
  const low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), 0);
  return known.length === 0 ? heatScale(1, 2) : heatScale(low, Math.max(high, 2 * low));
}

// Buttons of which one is pressed.
function choice(label, names, chosen) {
  const buttons = names.map((name, index) => h('button', { type: 'button', 'aria-pressed': index === 0, onclick: () => {
    buttons.forEach((button, other) => button.setAttribute('aria-pressed', other === index));
    chosen(index);
  } }, name));
  return h('div', { class: 'choice', role: 'group', 'aria-label': label }, buttons);
}

// `rows`: {label, cells: [{color, title, onclick} or null for each column], value}. A column is as wide as there is room.
function heatMap(columns, rows) {
  const every = columns.length <= 20 ? 1 : columns.length <= 60 ? 5 : 10;
  const cell = (content) => content === null ? h('div', { class: 'none' })
    : h('button', { type: 'button', '--heat': content.color, title: content.title, 'aria-label': content.title, onclick: content.onclick });
  return h('div', { class: 'scroll' }, h('div', { class: 'heat', style: `grid-template-columns: max-content repeat(${columns.length}, minmax(9px, 1fr)) max-content` },
    h('div', { class: 'label' }), columns.map((name, index) => h('div', { class: 'axis' }, index % every === 0 ? name : '')), h('div', {}),
    rows.map((row) => row === null ? h('div', { class: 'gap' })
      : [h('div', { class: 'label' }, row.label), row.cells.map(cell), h('div', { class: 'value' }, row.value)])));
}

// The ramp of a scale between its ends, and what an empty cell means.
function heatLegend(scale, format, none) {
  const steps = Array.from({ length: 9 }, (_, step) => h('i', { '--heat': `var(--heat-${step + 1})` }));
  return h('div', { class: 'legend' }, show.short(format(scale.low)), h('span', { class: 'ramp' }, steps), show.short(format(scale.high)),
    none ? h('span', { class: 'missing' }, h('span', { class: 'none' }), none) : []);
}

// `rows`: {name, title, share of the longest, value, color}.
function bars(rows) {
  return h('div', { class: 'bars' }, rows.map((row) => [
    h('span', { class: 'name', title: row.title || row.name }, row.name),
    h('span', { class: 'end' }, row.value),
    h('span', { class: 'track' }, h('i', { style: `width: ${100 * row.share}%`, ...(row.color ? { '--heat': row.color } : {}) }))]));
}

// Two bars or more for each row, one below the other. `rows`: {name, end, bars: [{share of the longest, value, hue, title}]}.
function pairs(rows) {
  return h('div', { class: 'pairs' }, rows.map((row) => [
    h('span', { class: 'name', title: row.name }, row.name),
    h('span', { class: 'tracks' }, row.bars.map((bar) => h('span', { class: 'track', title: `${bar.title}: ${bar.value}` }, h('i', { '--heat': bar.hue, style: `width: ${100 * bar.share}%` })))),
    h('span', { class: 'values' }, row.bars.map((bar) => h('span', {}, bar.value))),
    h('span', { class: 'end' }, row.end)]));
}

// Several wholes in their parts, one below the other, to one scale. `rows`: {name, parts: Map of part to size}.
function stacks(rows, format) {
  const sum = (row) => [...row.parts.values()].reduce((a, b) => a + b, 0);
  const longest = Math.max(1, ...rows.map(sum));
  const totals = new Map();
  for (const row of rows) for (const [part, size] of row.parts) totals.set(part, (totals.get(part) || 0) + size);
  const parts = [...totals.keys()].sort((a, b) => totals.get(b) - totals.get(a));
  const hue = (part) => `var(--hue-${Math.min(parts.indexOf(part), 6)})`;
  return [
    h('div', { class: 'stacked' }, rows.map((row) => [
      h('span', { class: 'number' }, row.name, ' ', h('span', { class: 'soft' }, format(sum(row)))),
      h('div', { class: 'stack' }, parts.filter((part) => row.parts.get(part) > 0).map((part) =>
        h('i', { '--hue': hue(part), style: `width: ${100 * row.parts.get(part) / longest}%`, title: `${part}: ${format(row.parts.get(part))}` })))])),
    h('div', { class: 'keys' }, parts.map((part) => h('span', {}, h('i', { '--hue': hue(part) }), part, ' ',
      h('span', { class: 'soft' }, rows.map((row) => row.parts.has(part) ? format(row.parts.get(part)) : '–').join(' → ')))))];
}

// A table that sorts by what is clicked and shows what is searched. `columns`: {title, hint, right, key: row to what it is
// sorted by, cell: row to its content, first: 'descending' where great numbers come first}; a key of null comes last.
// `haystack`: row to the lower-case text that is searched; null: a table that is short enough without.
function table(columns, rows, haystack, searched = 'Search names and types') {
  const most = 300;
  let order = null, falling = false, all = false;
  const body = h('tbody'), more = h('button', { class: 'more', type: 'button', onclick: () => { all = true; draw(); } });
  const search = h('input', { type: 'search', placeholder: searched, 'aria-label': searched, oninput: () => draw() });
  const heads = columns.map((column) => h('th', { scope: 'col', class: column.right ? 'right' : '' },
    h('button', { type: 'button', title: column.hint || '', onclick: () => sort(column) }, column.title)));
  function sort(column) {
    falling = order === column ? !falling : column.first === 'descending';
    order = column;
    heads.forEach((head) => head.removeAttribute('aria-sort'));
    heads[columns.indexOf(column)].setAttribute('aria-sort', falling ? 'descending' : 'ascending');
    draw();
  }
  function compare(a, b) {
    const x = order.key(a), y = order.key(b);
    if (x === null || y === null) return (x === null) - (y === null);
    return (x < y ? -1 : x > y ? 1 : 0) * (falling ? -1 : 1);
  }
  function draw() {
    const words = search.value.toLowerCase().split(/\s+/);
    const found = rows.filter((row) => haystack === null || words.every((word) => haystack(row).includes(word)));
    if (order !== null) found.sort(compare);
    const shown = all ? found : found.slice(0, most);
    body.replaceChildren(...shown.map((row) => h('tr', {}, columns.map((column) => h('td', { class: column.right ? 'right' : '' }, column.cell(row))))));
    more.hidden = shown.length === found.length;
    more.textContent = `Show all ${found.length}`;
  }
  draw();
  const element = h('div', {}, haystack === null ? [] : search, h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, heads)), body)), more);
  return { element, find(text) { search.value = text; draw(); search.scrollIntoView({ block: 'center' }); } };
}
