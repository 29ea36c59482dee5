// A channel's page: both optimized images, both top sets, classes, numbers; or two such channels.
"use strict";

const AT_ONCE = 100; // pictures of a set that are shown before somebody asks for more

const page = {
  box: document.getElementById("page"),
  turn: 0, // so that what comes late for an earlier page is dropped

  // Show the channel of a state, and the one beside it; `around` are the channels of the grid.
  async show(state, around) {
    const turn = ++page.turn;
    const names = [state.channel, state.with].filter(Boolean);
    const channels = names.map(atlas.channelNamed);
    const missing = names.find((_, place) => channels[place] < 0);
    if (missing !== undefined) return page.tell(`There is no channel ${short(missing)} in this atlas.`);
    page.box.replaceChildren(page.bar(channels, state, around), el("p", { class: "soft" }, "Loading…"));
    try {
      await Promise.all([atlas.loadPictures(),
        ...channels.map((channel) => atlas.loadLayer(atlas.channels.layer[channel]))]);
    } catch (error) {
      if (turn === page.turn) page.tell(error.message);
      return;
    }
    if (turn !== page.turn) return;
    const beside = channels.length > 1;
    page.box.replaceChildren(
      page.bar(channels, state, around),
      beside ? page.both(channels) : "",
      el("div", { class: beside ? "beside" : "" },
        channels.map((channel) => article(channel, state, beside))));
    page.box.querySelector("h2").focus({ preventScroll: true });
  },

  tell(text) {
    page.box.replaceChildren(el("div", { class: "empty" }, el("h2", { tabindex: "-1" }, words(text)),
      el("p", {}, el("a", { href: address.ofGrid() }, "All channels"))));
  },

  // Back to the grid, neighbours, compare.
  bar(channels, state, around) {
    const place = around.indexOf(channels[0]);
    const step = (by) => {
      const to = around[place + by];
      const attributes = { class: "step", rel: by < 0 ? "prev" : "next" };
      const text = by < 0 ? "← Previous" : "Next →";
      if (place < 0 || to === undefined) return el("span", { class: "step end" }, text);
      return el("a", { ...attributes, href: address.of({ channel: atlas.channelName(to) }) }, text);
    };
    const sort = (SORTS[state.sort] ?? SORTS.overlap).words.toLowerCase();
    const where = place < 0 ? [] : [
      `${(place + 1).toLocaleString("en")} of ${around.length.toLocaleString("en")}`,
      el("span", { class: "wide" }, `, by ${sort}`)];
    return el("nav", { class: "bar", "aria-label": "Channels" },
      el("a", { href: address.ofGrid(), class: "back" }, "All channels"),
      el("span", { class: "steps" }, step(-1), el("span", { class: "soft" }, where), step(1)),
      channels.length > 1
        ? el("a", { href: address.of({ with: "" }), class: "button" }, "Stop comparing")
        : el("a", { href: address.of({ channel: "", with: "", pick: atlas.channelName(channels[0]) }),
          class: "button" }, "Compare with…"));
  },

  // How many top pictures two channels share.
  both([one, other]) {
    const told = ["before", "after"].map((when, side) => {
      const theirs = new Set(atlas.sides(other)[side].pictures);
      const shared = atlas.sides(one)[side].pictures.filter((picture) => theirs.has(picture)).length;
      return `${shared} ${when}`;
    });
    return el("p", { class: "told" }, `Of ${atlas.about.k} top pictures these two channels share `
      + `${told.join(" and ")}.`);
  },
};

function article(channel, state, beside) {
  const sides = atlas.sides(channel);
  const number = el("span", { class: "number" }, ` channel ${atlas.channels.number[channel]}`);
  const title = [words(atlas.layerName(channel)), number];
  const pair = (content) => el("div", { class: "pair" },
    ["before", "after"].map((when, place) => content(sides[place], when, sides[1 - place])));
  return el("article", { class: "channel" },
    el("h2", { tabindex: "-1" }, beside
      ? el("a", { href: address.of({ channel: atlas.channelName(channel), with: "" }) }, title) : title,
      atlas.channels.dead[channel] ? el("span", { class: "badge dead" }, deadWords(channel)) : null),
    figures(channel),
    pair((side, when) => looks(channel, side, when)),
    allNumbers(channel, sides),
    setsHead(state, sides),
    pair((side, when, other) => topSet(side, when, other, state)));
}

// The three measures, large, each with what chance gives.
function figures(channel) {
  const { overlap, entropyBefore, entropyAfter, change } = atlas.channels;
  const entropy = entropyBefore[channel] === null && entropyAfter[channel] === null ? UNKNOWN
    : `${asNumber(entropyBefore[channel])} → ${asNumber(entropyAfter[channel])}`;
  const figure = (name, text, measure, extra = null) => el("div", {},
    el("dt", {}, name), el("dd", { class: text.includes(UNKNOWN) ? "unknown" : null }, text),
    extra, el("dd", { class: "beside-chance" }, chance(measure)));
  const bar = el("i");
  bar.style.width = `${100 * (overlap[channel] ?? 0)}%`;
  return el("dl", { class: "figures" },
    figure("Overlap", asPercent(overlap[channel]), "overlap",
      el("dd", { class: "track", "aria-hidden": "true" }, bar)),
    figure("Entropy of classes", entropy, "entropy"),
    figure("Change of the image", asNumber(change[channel]), "change"));
}

// One network's optimized image and classes.
function looks(channel, side, when) {
  const source = atlas.image(channel, when);
  const none = !atlas.channels.images[channel]; // in neither network
  const image = source
    ? el("img", { src: source, alt: `Optimized image, ${when}`, width: "128", height: "128" })
    : el("span", { class: "nothing" }, el("span", {}, "no optimized image"));
  image.addEventListener("error", () => {
    image.replaceWith(el("span", { class: "nothing" }, el("span", {}, "this image is not there any more")));
  });
  return el("section", { class: `looks ${when}`, "aria-label": when },
    el("h3", {}, words(short(atlas.about[when]), "network"), el("span", { class: "soft" }, ` ${when}`)),
    el("div", { class: none ? "" : "looks-both" },
      none ? null : el("div", { class: "optimized" }, image),
      el("div", { class: "looks-classes" }, el("h4", {}, "Classes of the top pictures"),
        classShares(side.shares))));
}

// All other numbers, of the channel and of its layer, each with what chance gives.
function allNumbers(channel, sides) {
  const unknown = (value) => (value === null ? "unknown" : null);
  const row = (name, values) => el("tr", {}, el("th", { scope: "row" }, words(name)),
    values.map((value) => el("td", { class: unknown(value) }, value === undefined ? "–" : asNumber(value))),
    el("td", {}, chance(name, "")));
  const table = (heads, rows) => el("table", {},
    el("thead", {}, el("tr", {}, heads.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, rows));
  const best = [atlas.channels.scoreBefore[channel], atlas.channels.scoreAfter[channel]];
  const names = [...new Set(sides.flatMap((side) => Object.keys(side.numbers)))];
  const ofLayer = Object.entries(atlas.about.layers[atlas.channels.layer[channel]].numbers);
  // on a phone the pictures come first
  return el("details", { class: "numbers", open: innerWidth > 640 }, el("summary", {}, "All numbers"),
    el("div", { class: "tables" },
      table(["of this channel", "before", "after", "by chance"], [row("score of the best picture", best),
        ...names.map((name) => row(name, sides.map((side) => side.numbers[name])))]),
      ofLayer.length ? table(["of the whole layer", "", "by chance"],
        ofLayer.map(([name, value]) => row(name, [value]))) : null));
}

// The switch between whole pictures and patches.
function setsHead(state, sides) {
  const patches = state.show === "patches";
  const known = sides.some((side) => side.boxes);
  const button = (text, show) => el("button", {
    type: "button", "aria-pressed": String((show === "patches") === patches),
    onclick: () => address.go({ show }),
  }, text);
  const half = sides.some((side) => side.whole?.includes("1"));
  return el("div", { class: "sets-head" }, el("h3", {}, "Top pictures"),
    known ? el("div", { class: "switch", role: "group", "aria-label": "Show" },
      button("Whole pictures", "whole"), button("Patches", "patches")) : null,
    el("span", { class: "soft legend" }, el("span", { class: "shared-sample", "aria-hidden": "true" }),
      " in both sets"),
    patches && half ? el("p", { class: "soft note" }, "½: the channel sees the whole picture here; shown is"
      + " half of its side, around the place that excites it most.") : null);
}

// One network's top pictures; those that the other one has too are framed.
function topSet(side, when, other, state) {
  const theirs = new Set(other.pictures);
  const name = words(short(atlas.about[when]), "network");
  if (!side.pictures.length) {
    return el("section", { class: `set ${when}`, "aria-label": `Top pictures ${when}` },
      el("h4", {}, name), el("p", { class: "empty" }, "No picture of the collection excites this channel."));
  }
  const list = el("div", { class: "pictures", role: "group", "aria-label": `Top pictures ${when}` });
  const section = el("section", { class: `set ${when}` }, el("h4", {}, name,
    el("span", { class: "soft" }, ` ${side.pictures.length} pictures`)), list);
  const more = el("button", { type: "button", class: "button", onclick: () => add() });
  function add() {
    const start = list.children.length, end = Math.min(start + AT_ONCE, side.pictures.length);
    for (let rank = start; rank < end; rank++) {
      list.append(setPicture(side, rank, theirs.has(side.pictures[rank]), state));
    }
    more.textContent = `Show ${Math.min(AT_ONCE, side.pictures.length - end)} more`;
    more.hidden = end === side.pictures.length;
  }
  add();
  list.firstChild.tabIndex = 0;
  rove(list);
  section.append(more);
  return section;
}

function setPicture(side, rank, shared, state) {
  const picture = side.pictures[rank], box = boxOf(side, rank);
  const asPatch = state.show === "patches" && box;
  const button = el("button", {
    type: "button", tabindex: "-1", class: shared ? "picture shared" : "picture",
    "aria-label": `${rank + 1}: ${caption(picture)}${shared ? ", in both sets" : ""}`,
  }, asPatch ? patch(picture, box) : thumbnail(picture),
  asPatch && isWhole(side, rank) ? el("span", { class: "half-mark", "aria-hidden": "true" }, "½") : null);
  card.listen(button, { picture, side, rank, shared });
  return button;
}
