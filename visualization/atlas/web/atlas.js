// The page as a whole: what the address says is shown; tools and keys change the address.
"use strict";

const byId = (id) => document.getElementById(id);
const tools = { text: byId("text"), layer: byId("layer"), class: byId("class"), sort: byId("sort") };
let shown = ""; // what the grid was last made for
let scrolled = 0; // of the grid, while a channel's page is shown
let searches = 0;

function start() {
  const { title, before, after, layers, classes, k, notes } = atlas.about;
  byId("home").append(words(title));
  byId("networks").append(el("span", { class: "before" }, words(before)), " → ",
    el("span", { class: "after" }, words(after)));
  byId("k").textContent = k;
  const option = (value, text) => el("option", { value }, short(text, 60));
  tools.layer.append(option("", `all ${layers.length}`), ...layers.map(({ name }) => option(name, name)));
  tools.class.append(option("", "all"), ...classes.map((name) => option(name, spaced(name))));
  tools.sort.append(...Object.entries(SORTS).map(([name, { words: text }]) => option(name, text)));
  if (notes.length) {
    byId("notes").append(el("h3", {}, "How it was made"), ...notes.map((note) => el("p", {}, words(note))));
    byId("notes").hidden = false;
  }
  depth();
  listen();
  update();
  // while nothing else is to do: a hover over a tile tells what it shows
  setTimeout(() => atlas.loadPictures().catch(() => {}), 300);
}

// Mean overlap of each layer, from the input to the output; a click keeps one layer.
function depth() {
  const { layers } = atlas.about;
  if (layers.length < 2) return;
  const bars = layers.map(({ name, overlap, channels }) => {
    const bar = el("button", {
      type: "button", tabindex: "-1", "data-layer": name,
      title: `${short(name)}: mean overlap ${asPercent(overlap)}, ${channels} channels`,
      onclick: () => address.go({ layer: address.read().layer === name ? "" : name }),
    }, el("i"));
    bar.firstChild.style.height = `${100 * (overlap ?? 0)}%`;
    return bar;
  });
  byId("depth").append(el("p", {}, "Mean overlap of each layer, from the input to the output"),
    el("div", { class: "depth-bars", "aria-hidden": "true" }, bars),
    el("p", { class: "depth-ends" }, words(short(layers[0].name, 30)), words(short(layers.at(-1).name, 30))));
  byId("depth").hidden = false;
}

// Show what the address says.
function update() {
  const state = address.read();
  card.hide();
  if (!byId("overview").hidden) scrolled = scrollY;
  tools.text.value = tools.text === document.activeElement ? tools.text.value : state.text;
  for (const name of ["layer", "class", "sort"]) tools[name].value = state[name];
  const down = state.order === "down";
  byId("direction").textContent = down ? "↓ highest first" : "↑ lowest first";
  byId("direction").setAttribute("aria-label", `Direction: ${down ? "highest" : "lowest"} first`);
  for (const bar of document.querySelectorAll("[data-layer]")) {
    bar.classList.toggle("chosen", bar.dataset.layer === state.layer);
  }
  fill(state);
  byId("overview").hidden = Boolean(state.channel);
  byId("page").hidden = !state.channel;
  document.title = [state.channel && short(state.channel), atlas.about.title].filter(Boolean).join(" · ");
  if (state.channel) {
    grid.cursor = Math.max(0, grid.channels.indexOf(atlas.channelNamed(state.channel)));
    page.show(state, grid.channels);
    scrollTo(0, 0);
  } else {
    returnToGrid();
  }
}

// Make the grid anew where the address asks for other channels.
function fill(state) {
  const key = JSON.stringify([state.text, state.layer, state.class, state.sort, state.order, state.pick]);
  if (key === shown) return;
  const isNewText = !shown || JSON.parse(shown)[0] !== state.text;
  shown = key;
  grid.set(order.channels(state), state);
  scrolled = 0;
  tell(state);
  picking(state);
  layerNumbers(state);
  if (isNewText) searchPictures(state.text);
}

function tell(state, more = "") {
  const count = grid.channels.length;
  const all = `${atlas.count.toLocaleString("en")} channels`;
  byId("told").replaceChildren(
    count === atlas.count ? all : `${count.toLocaleString("en")} of ${all}`, more);
  byId("empty").hidden = count > 0 || Boolean(more);
  byId("empty").replaceChildren(el("h2", {}, "No channel fits"), el("p", {}, emptyWords(state)),
    el("p", {}, el("a", { href: address.of({ text: "", layer: "", class: "" }) }, "Show all channels")));
}

function emptyWords(state) {
  if (state.layer && !atlas.about.layers.some(({ name }) => name === state.layer)) {
    return `There is no layer ${short(state.layer)} in this atlas.`;
  }
  if (state.class && !atlas.about.classes.includes(state.class)) {
    return `There is no class ${short(state.class)} in this atlas.`;
  }
  return "The search looks in names of layers (4c, 4c:53), in the commonest classes, and in titles and"
    + " files of the top pictures.";
}

// Look for the text in top pictures too, for which all layers are loaded.
function searchPictures(text) {
  const search = ++searches;
  const stale = () => search !== searches;
  const step = (loaded, all) => {
    const state = address.read();
    const found = order.channels(state);
    // what is found already stays where it is
    if (found.length !== grid.channels.length) grid.set(found, state);
    tell(state, loaded < all ? `, looking through pictures: layer ${loaded} of ${all}` : "");
  };
  order.loadPictures(text, step, stale).catch((error) => tell(address.read(), `. ${error.message}`));
}

function picking(state) {
  byId("picking").hidden = !state.pick;
  byId("picking").replaceChildren("Choose a channel to put beside ", words(short(state.pick)), ". ",
    el("a", { href: address.of({ pick: "", channel: state.pick }) }, "Leave it"));
}

function layerNumbers(state) {
  const layer = atlas.about.layers.find(({ name }) => name === state.layer);
  const numbers = Object.entries(layer?.numbers ?? {});
  byId("layer-numbers").hidden = !numbers.length;
  byId("layer-numbers").replaceChildren(...numbers.map(([name, value]) => el("div", {},
    el("dt", {}, words(name)), el("dd", {}, asNumber(value), " ", chance(name) ?? ""))));
}

function returnToGrid() {
  grid.measure();
  scrollTo(0, scrolled);
  grid.draw();
  if (page.turn) {
    page.turn++;
    if (page.box.childElementCount) grid.focus(grid.cursor);
    page.box.replaceChildren();
  }
}

function listen() {
  addEventListener("hashchange", update);
  history.scrollRestoration = "manual";
  let drawing = 0;
  addEventListener("scroll", () => {
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(() => { if (!byId("overview").hidden) grid.draw(); });
  }, { passive: true });
  new ResizeObserver(() => { if (!byId("overview").hidden) grid.measure(); }).observe(grid.list);
  let typing = 0;
  tools.text.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => address.replace({ text: tools.text.value }), 120);
  });
  for (const name of ["layer", "class", "sort"]) {
    tools[name].addEventListener("change", () => address.go({ [name]: tools[name].value }));
  }
  byId("tools").addEventListener("submit", (event) => { event.preventDefault(); grid.focus(0); });
  byId("direction").addEventListener("click", () => {
    address.go({ order: address.read().order === "down" ? "up" : "down" });
  });
  byId("theme").addEventListener("click", () => theme.choose(theme.isDark() ? "light" : "dark"));
  theme.apply(theme.chosen());
  byId("help").addEventListener("click", () => byId("about").showModal());
  byId("skip").addEventListener("click", () => grid.focus(grid.cursor));
  document.addEventListener("keydown", keydown);
}

function keydown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("about").open) return;
  const state = address.read(), typing = event.target.matches("input, select");
  if (event.key === "Escape") return stepBack(state, event);
  if (typing) {
    if (event.key === "ArrowDown" && event.target === tools.text) {
      event.preventDefault();
      grid.focus(grid.cursor);
    }
  } else if (event.key === "?") {
    byId("about").showModal();
  } else if (event.key === "/") {
    event.preventDefault();
    if (state.channel) {
      addEventListener("hashchange", toSearch, { once: true });
      location.hash = address.ofGrid();
    } else toSearch();
  } else if (state.channel) {
    pageKey(event, state);
  } else if (!event.target.matches("button")) {
    grid.keydown(event);
  }
}

function toSearch() {
  tools.text.focus();
  tools.text.select();
}

function pageKey(event, state) {
  const steps = { ArrowLeft: "prev", ArrowRight: "next" };
  if (event.key in steps) {
    const link = page.box.querySelector(`a[rel=${steps[event.key]}]`);
    if (link) location.hash = link.hash;
  } else if (event.key === "p") {
    address.go({ show: state.show === "patches" ? "whole" : "patches" });
  }
}

// One step back: from the card, the search, choosing, comparing, a channel's page.
function stepBack(state, event) {
  if (card.hide()) return;
  if (event.target === tools.text) {
    event.preventDefault();
    tools.text.value = "";
    tools.text.blur();
    address.replace({ text: "" });
  } else if (state.pick) address.go({ pick: "", channel: state.pick });
  else if (state.with) address.go({ with: "" });
  else if (state.channel) location.hash = address.ofGrid();
}

if (atlas.about) {
  start();
} else {
  byId("told").textContent = "atlas/overview.js cannot be read. Was the folder copied whole?";
}
