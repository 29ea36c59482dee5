// Which channels are shown, in which order.
"use strict";

const UNKNOWN = "cannot be told";
const OFTEN = 400; // milliseconds between two looks at what a search has found so far

const column = (name) => (channel) => atlas.channels[name][channel];
// about three digits; a count as it is
function asNumber(value) {
  if (value === null) return UNKNOWN;
  const size = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return size >= 1 || size < 0.001 ? value.toPrecision(3) : value.toFixed(3);
}

// one decimal only where it says something: of 1,000 pictures
const asPercent = (value) => (value === null ? UNKNOWN : `${Math.round(value * 1000) / 10} %`);

function entropyChange(channel) {
  const { entropyBefore, entropyAfter } = atlas.channels;
  const [before, after] = [entropyBefore[channel], entropyAfter[channel]];
  return before === null || after === null ? null : after - before;
}

// what channels can be sorted by: in words, short on a tile, of a channel, as text
const SORTS = {
  overlap: { words: "Overlap", of: column("overlap"), shown: asPercent },
  change: { words: "Change of the image", short: "change", of: column("change") },
  entropyBefore: { words: "Entropy before", short: "entropy before", of: column("entropyBefore") },
  entropyAfter: { words: "Entropy after", short: "entropy after", of: column("entropyAfter") },
  entropyChange: { words: "Entropy, after − before", short: "entropy change", of: entropyChange },
  scoreBefore: { words: "Best score before", short: "score before", of: column("scoreBefore") },
  scoreAfter: { words: "Best score after", short: "score after", of: column("scoreAfter") },
  depth: { words: "Place in the network", of: (channel) => channel },
};

// alike however it is typed: a macOS file name has an accent as a character of its own
const folded = (text) => text.toLowerCase().normalize("NFC").replaceAll("_", " ");

const order = {
  // Channels of a state: those that fit, sorted; what cannot be told comes last both ways.
  channels(state) {
    const sort = SORTS[state.sort] ?? SORTS.overlap;
    const sign = state.order === "down" ? -1 : 1;
    const fits = order.filter(state);
    const known = [], unknown = [];
    const values = new Float64Array(atlas.count);
    for (let channel = 0; channel < atlas.count; channel++) {
      if (!fits(channel)) continue;
      const value = sort.of(channel);
      values[channel] = value;
      (value === null ? unknown : known).push(channel);
    }
    known.sort((a, b) => sign * (values[a] - values[b]) || a - b);
    return known.concat(unknown);
  },

  // channel -> whether it fits the layer, the class and the text of a state.
  filter(state) {
    const layer = atlas.about.layers.findIndex((one) => one.name === state.layer);
    const chosen = atlas.about.classes.indexOf(state.class);
    const found = order.found(state.text);
    return (channel) =>
      (!state.layer || atlas.channels.layer[channel] === layer)
      && (!state.class || order.hasClass(channel, (number) => number === chosen))
      && (!found || found(channel));
  },

  // Whether one of the commonest classes, before or after, is asked for.
  hasClass(channel, asked) {
    const { classesBefore, classesAfter } = atlas.channels;
    // number, share, number, share
    const even = (number, place) => place % 2 === 0 && asked(number);
    return classesBefore[channel].some(even) || classesAfter[channel].some(even);
  },

  // channel -> whether a text is in its name, a common class, or a top picture; null without text.
  found(text) {
    const words = folded(text.trim());
    if (!words) return null;
    const layers = atlas.about.layers.map((layer) => folded(layer.name));
    const classes = atlas.about.classes.map((name) => folded(name).includes(words));
    const pictures = order.picturesWith(words);
    return (channel) => {
      const { layer, number } = atlas.channels;
      return order.isNamed(words, layers[layer[channel]], number[channel])
        || order.hasClass(channel, (one) => classes[one])
        || (pictures && order.hasPicture(channel, pictures));
    };
  },

  // `4c:53` is channel 53 of every layer with 4c in its name; `4c` is all their channels
  isNamed(words, layer, number) {
    const colon = words.lastIndexOf(":");
    if (colon < 0 || !/^\d+$/.test(words.slice(colon + 1))) return layer.includes(words);
    return layer.includes(words.slice(0, colon)) && number === Number(words.slice(colon + 1));
  },

  // By picture: 1 where its title or file has the words; null where none has, or none is known.
  picturesWith(words) {
    if (!atlas.files) return null;
    const { title, file } = atlas.files;
    const has = Uint8Array.from(title, (one, picture) =>
      folded(one).includes(words) || folded(file[picture]).includes(words));
    return has.includes(1) ? has : null;
  },

  hasPicture(channel, asked) {
    const sides = atlas.sides(channel);
    return Boolean(sides) && sides.some((side) => side.pictures.some((picture) => asked[picture]));
  },

  // Load what a search for pictures needs; `step(loaded, all)` as it comes, until `stale()`.
  async loadPictures(text, step, stale) {
    const words = folded(text.trim());
    if (!words) return;
    await atlas.loadPictures();
    if (stale() || !order.picturesWith(words)) return step(0, 0);
    const all = atlas.about.layers.length;
    let told = performance.now();
    for (let number = 0; number < all; number++) {
      await atlas.loadLayer(number);
      if (stale()) return;
      if (number < all - 1 && performance.now() - told < OFTEN) continue;
      step(number + 1, all);
      told = performance.now();
    }
  },
};
