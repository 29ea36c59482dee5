// The grid of channels. Only the tiles in view exist: 6,000 of them are as quick as 60.
"use strict";

const GAP = 16, LEAST = 190, TEXT = 98; // pixels: between tiles, of a tile's width, below its images
const BEYOND = 1; // row drawn above and below the window

const grid = {
  list: document.getElementById("grid"),
  channels: [], // in order
  tiles: new Map(), // place -> its element
  columns: 1, width: 0, height: 0,
  cursor: 0, // place of the tile that Tab reaches
  state: null,

  // Show these channels from now on.
  set(channels, state) {
    grid.channels = channels;
    grid.state = state;
    grid.cursor = 0;
    grid.clear();
    grid.measure();
  },

  clear() {
    grid.list.replaceChildren();
    grid.tiles.clear();
  },

  // Place the tiles anew where the window's width has changed.
  measure() {
    const room = grid.list.clientWidth;
    if (!room) return; // hidden
    const gap = room < 500 ? 10 : GAP;
    const columns = Math.max(room < 500 ? 2 : 1, Math.floor((room + gap) / (LEAST + gap)));
    const width = (room - gap * (columns - 1)) / columns;
    const height = width / 2 + TEXT;
    if (width !== grid.width || columns !== grid.columns) grid.clear();
    Object.assign(grid, { columns, width, height, gap });
    const rows = Math.ceil(grid.channels.length / columns);
    grid.list.style.height = `${Math.max(0, rows * (height + gap) - gap)}px`;
    grid.draw();
  },

  // Make the tiles in view and remove the others, but for the one with the cursor.
  draw() {
    const top = -grid.list.getBoundingClientRect().top, row = grid.height + grid.gap;
    const first = Math.max(0, Math.floor(top / row) - BEYOND) * grid.columns;
    const last = (Math.ceil((top + innerHeight) / row) + BEYOND) * grid.columns;
    for (const [place, tile] of grid.tiles) {
      if ((place < first || place >= last) && place !== grid.cursor) {
        tile.remove();
        grid.tiles.delete(place);
      }
    }
    const added = document.createDocumentFragment();
    for (let place = first; place < Math.min(last, grid.channels.length); place++) {
      if (!grid.tiles.has(place)) added.append(grid.add(place));
    }
    // in their order, which is that of reading
    const back = grid.list.firstChild && first < Number(grid.list.firstChild.dataset.place);
    if (back) grid.list.prepend(added);
    else grid.list.append(added);
  },

  add(place) {
    const made = tile(grid.channels[place], grid.state);
    const x = (place % grid.columns) * (grid.width + grid.gap);
    const y = Math.floor(place / grid.columns) * (grid.height + grid.gap);
    const item = el("li", {
      "data-place": place, "aria-posinset": place + 1, "aria-setsize": grid.channels.length,
    }, made);
    Object.assign(item.style, {
      width: `${grid.width}px`, height: `${grid.height}px`, transform: `translate(${x}px, ${y}px)`,
    });
    made.tabIndex = place === grid.cursor ? 0 : -1;
    made.addEventListener("focus", () => grid.point(place));
    grid.tiles.set(place, item);
    return item;
  },

  point(place) {
    const before = grid.tiles.get(grid.cursor);
    if (before) before.firstChild.tabIndex = -1;
    grid.cursor = place;
    grid.tiles.get(place).firstChild.tabIndex = 0;
  },

  // Put the focus on a tile, which is scrolled into view.
  focus(place) {
    const to = Math.max(0, Math.min(place, grid.channels.length - 1));
    if (!grid.channels.length) return;
    const row = grid.height + grid.gap;
    const above = grid.list.getBoundingClientRect().top + scrollY;
    const y = above + Math.floor(to / grid.columns) * row;
    const bar = document.getElementById("tools");
    const covered = getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
    if (y < scrollY + covered) scrollTo(0, y - covered - grid.gap);
    else if (y + row > scrollY + innerHeight) scrollTo(0, y + row - innerHeight);
    if (!grid.tiles.has(to)) grid.list.append(grid.add(to));
    grid.draw();
    grid.point(to);
    grid.tiles.get(to).firstChild.focus({ preventScroll: true });
  },

  keydown(event) {
    const page = grid.columns * Math.max(1, Math.floor(innerHeight / (grid.height + grid.gap)) - 1);
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns,
      PageUp: -page, PageDown: page, Home: -grid.cursor, End: grid.channels.length,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    grid.focus(grid.cursor + steps[event.key]);
  },
};

// A tile: both optimized images, else the first top pictures; overlap; the commonest classes.
function tile(channel, state) {
  const { overlap, dead, classesBefore, classesAfter, number } = atlas.channels;
  const picked = state.pick && state.pick !== atlas.channelName(channel);
  const href = picked
    ? address.of({ channel: state.pick, with: atlas.channelName(channel), pick: "" })
    : address.of({ channel: atlas.channelName(channel), pick: "" });
  const sort = SORTS[state.sort];
  const value = sort?.short ? `${sort.short} ${(sort.shown ?? asNumber)(sort.of(channel))}` : null;
  const when = classesAfter[channel].length ? "after" : "before";
  const commonest = when === "after" ? classesAfter[channel] : classesBefore[channel];
  return el("a", { href, class: "tile", "aria-label": tileLabel(channel, value) },
    el("span", { class: "tile-images" }, half(channel, "before"), half(channel, "after"),
      value ? el("span", { class: "badge value" }, value) : null,
      dead[channel] ? el("span", { class: "badge dead" }, deadWords(channel)) : null),
    el("span", { class: "tile-name" }, words(short(atlas.layerName(channel)), "cut"),
      el("span", { class: "number" }, `:${number[channel]}`)),
    el("span", { class: "tile-overlap" }, "overlap ", overlap[channel] === null
      ? el("i", {}, UNKNOWN) : el("b", {}, asPercent(overlap[channel]))),
    classBar(classesBefore[channel], "before"), classBar(classesAfter[channel], "after"),
    el("span", { class: "tile-class soft cut" }, ...(commonest.length
      ? [words(short(className(commonest[0]), 40)), ` ${asPercent(commonest[1])} ${when}`] : [UNKNOWN])));
}

const deadWords = (channel) => ["", "dead before", "dead after", "dead"][atlas.channels.dead[channel]];

function tileLabel(channel, value) {
  const { overlap, classesAfter } = atlas.channels;
  const parts = [short(atlas.channelName(channel)), `overlap ${asPercent(overlap[channel])}`];
  if (value) parts.push(value);
  if (classesAfter[channel].length) {
    parts.push(`after: ${short(className(classesAfter[channel][0]))} ${asPercent(classesAfter[channel][1])}`);
  }
  if (atlas.channels.dead[channel]) parts.push(deadWords(channel));
  return parts.join(", ");
}

// One network's half of a tile.
function half(channel, when) {
  const image = atlas.image(channel, when);
  const first = atlas.channels[when === "before" ? "firstBefore" : "firstAfter"][channel];
  const frame = el("span", { class: `half ${when}` });
  if (image) {
    frame.append(el("img", { src: image, alt: "", decoding: "async", draggable: "false" }));
  } else if (first?.length) {
    frame.classList.add("mosaic");
    frame.append(...first.map((picture) => mosaicPicture(picture)));
  } else {
    frame.classList.add("nothing");
  }
  frame.querySelectorAll("img").forEach((one) => {
    one.addEventListener("error", () => one.replaceWith(el("span", { class: "lost" })));
  });
  return frame;
}

function mosaicPicture(picture) {
  if (atlas.about.lost.includes(picture)) return el("span", { class: "lost" });
  const image = el("img", { src: atlas.thumbnail(picture), alt: "", decoding: "async", draggable: "false" });
  image.addEventListener("pointerenter", () => { if (atlas.files) image.title = caption(picture); });
  return image;
}
