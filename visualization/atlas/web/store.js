// What the data scripts bring: the overview at once, pictures and layers when they are wanted.
// A page opened from disk may not fetch, but it may load scripts: each calls a function below.
"use strict";

const SHARD = 100; // thumbnails in a folder, as writer.py puts them
const DEAD = { before: 1, after: 2, both: 3 };

const atlas = {
  about: null, // title, before, after, k, classes, chance, notes, layers
  channels: null, // columns with a value for each channel; a channel is its place in them
  count: 0, // of channels
  rows: [], // by layer: [before, after] of each of its channels
  files: null, // columns with a value for each picture
};

atlas.overview = (about, columns) => {
  let first = 0;
  columns.layer = [];
  for (const [number, layer] of about.layers.entries()) {
    layer.first = first;
    first += layer.channels;
    for (let i = 0; i < layer.channels; i++) columns.layer.push(number);
    const overlaps = columns.overlap.slice(layer.first, first).filter((x) => x !== null);
    layer.overlap = overlaps.length ? overlaps.reduce((a, b) => a + b) / overlaps.length : null;
  }
  columns.dead = columns.dead.map((when) => DEAD[when] ?? 0);
  Object.assign(atlas, { about, channels: columns, count: first });
};

atlas.layer = (number, rows) => { atlas.rows[number] = rows; };
atlas.pictures = (columns) => { atlas.files = columns; };

const loads = new Map();

// A promise of a data script; the error says which one is not there.
function load(file) {
  if (!loads.has(file)) {
    loads.set(file, new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `atlas/${file}`;
      script.onload = () => done();
      script.onerror = () => {
        loads.delete(file); // so that it can be tried again
        failed(new Error(`atlas/${file} cannot be read. Was the folder copied whole?`));
      };
      document.head.append(script);
    }));
  }
  return loads.get(file);
}

atlas.loadPictures = () => load("pictures.js");
atlas.loadLayer = (number) => load(`layers/${number}.js`);

// [before, after] of a channel, once its layer is loaded.
atlas.sides = (channel) => {
  const layer = atlas.channels.layer[channel];
  return atlas.rows[layer]?.[channel - atlas.about.layers[layer].first];
};

atlas.layerName = (channel) => atlas.about.layers[atlas.channels.layer[channel]].name;
atlas.channelName = (channel) => `${atlas.layerName(channel)}:${atlas.channels.number[channel]}`;

// The channel of a name as `mixed4c:53`, or -1.
atlas.channelNamed = (name) => {
  const colon = name.lastIndexOf(":");
  const layer = atlas.about.layers.find((one) => one.name === name.slice(0, colon));
  if (!layer) return -1;
  const numbers = atlas.channels.number.slice(layer.first, layer.first + layer.channels);
  const place = numbers.indexOf(Number(name.slice(colon + 1)));
  return place < 0 ? -1 : layer.first + place;
};

atlas.thumbnail = (picture) => `atlas/thumbs/${Math.floor(picture / SHARD)}/${picture}.jpg`;

// The optimized image of a channel, or null where none was made.
atlas.image = (channel, when) => {
  const { images, layer, number } = atlas.channels;
  const made = images[channel] & (when === "before" ? 1 : 2);
  return made ? `atlas/images/${layer[channel]}/${number[channel]}-${when}.jpg` : null;
};
