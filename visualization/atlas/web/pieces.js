// Pieces of pages. Whatever comes from data is set as text, never as markup.
"use strict";

// An element: attributes (on... are listeners), then children: elements, texts, or nothing (null).
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

// A name that may be of any length and read in any direction.
const words = (text, kind = "") => el("bdi", { class: kind }, text);

function short(text, letters = 80) {
  return text.length <= letters ? text : `${[...text.slice(0, 2 * letters)].slice(0, letters - 1).join("")}…`;
}

// Names of classes as people write them.
const spaced = (name) => name.replaceAll("_", " ");
const className = (number) => spaced(atlas.about.classes[number]);

// A colour for each class: hues far apart for neighbours in the list (the golden angle).
const classColour = (number) => `hsl(${Math.round(number * 137.508 + 200) % 360} 46% 56%)`;

// The commonest classes as one bar; `flat` is number, share, number, share.
function classBar(flat, when) {
  const bar = el("span", { class: `class-bar ${when}`, "aria-hidden": "true" });
  for (let i = 0; i < flat.length; i += 2) {
    const part = el("i");
    part.style.width = `${100 * flat[i + 1]}%`;
    part.style.background = classColour(flat[i]);
    bar.append(part);
  }
  return bar;
}

// Class shares as bars, each with its name; what is left is said.
function classShares(shares) {
  if (!shares.length) return el("p", { class: "soft" }, UNKNOWN);
  const rows = shares.slice(0, 6).map(([number, share]) => {
    const bar = el("i");
    bar.style.width = `${100 * share}%`;
    bar.style.background = classColour(number);
    return el("li", {}, words(short(className(number)), "class-name"),
      el("span", { class: "class-track", "aria-hidden": "true" }, bar),
      el("span", { class: "class-share" }, asPercent(share)));
  });
  const rest = 1 - shares.slice(0, 6).reduce((sum, [, share]) => sum + share, 0);
  if (rest > 0.0005) {
    rows.push(el("li", { class: "soft" }, el("span", { class: "class-name" }, "other classes"),
      el("span", { class: "class-track none" }), el("span", { class: "class-share" }, asPercent(rest))));
  }
  return el("ul", { class: "class-shares" }, rows);
}

// What chance gives for a measure, or nothing; a column of such needs no words.
function chance(measure, before = "by chance ") {
  const text = atlas.about.chance[measure];
  return text ? el("span", { class: "chance" }, before, words(text)) : null;
}

// A picture's caption in one line.
function caption(picture) {
  const { file, label, title } = atlas.files;
  return [title[picture], spaced(label[picture]), file[picture]].filter(Boolean).map((one) => short(one)).join(" · ");
}

// The empty frame of a picture that cannot be read, with its file's name.
const lost = (name) => el("span", { class: "lost" }, words(short(name)));

// A picture's thumbnail, whole; an empty frame where it cannot be read any more.
function thumbnail(picture) {
  const { file, problem, width, height } = atlas.files;
  if (problem[picture]) return lost(file[picture]);
  const image = el("img", {
    src: atlas.thumbnail(picture), alt: "", loading: "lazy", decoding: "async", draggable: "false",
    width: width[picture], height: height[picture],
  });
  image.addEventListener("error", () => image.replaceWith(lost(file[picture])));
  return image;
}

// The part of a thumbnail in a box (left, top, width, height in thousandths), in its proportion.
function patch(picture, [left, top, width, height]) {
  const image = thumbnail(picture);
  if (image.tagName !== "IMG") return image;
  const wide = width * atlas.files.width[picture], high = height * atlas.files.height[picture];
  const crop = el("span", { class: "crop" }, image);
  crop.style.width = `${100 * Math.min(1, wide / high)}%`;
  crop.style.height = `${100 * Math.min(1, high / wide)}%`;
  image.style.width = `${100000 / width}%`;
  image.style.height = `${100000 / height}%`;
  image.style.left = `${(-100 * left) / width}%`;
  image.style.top = `${(-100 * top) / height}%`;
  return crop;
}

// The n-th picture of a side, and its patch.
const boxOf = (side, rank) => side.boxes?.slice(4 * rank, 4 * rank + 4);
const isWhole = (side, rank) => side.whole?.[rank] === "1";

// Arrow keys among the children of a list, one of which is a tab stop.
function rove(list) {
  list.addEventListener("keydown", (event) => {
    const items = [...list.children], at = items.indexOf(document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = Math.max(1, items.findIndex((item) => item.offsetTop > items[0].offsetTop));
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const to = items[at + steps[event.key]];
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation(); // else the page turns to the next channel
    if (!to) return;
    items[at].tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}
