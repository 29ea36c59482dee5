// The card of a picture: larger, with its file, label and title. It comes on hover and focus, and
// stays when the picture is clicked or tapped.
"use strict";

const card = {
  box: document.getElementById("card"),
  pinnedTo: null,

  // A picture's button: what the card tells of it is in `about`.
  listen(button, about) {
    button.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse" && !card.pinnedTo) card.show(button, about);
    });
    button.addEventListener("pointerleave", () => { if (!card.pinnedTo) card.hide(); });
    button.addEventListener("focus", () => {
      if (card.pinnedTo !== button && button.matches(":focus-visible")) card.show(button, about);
    });
    button.addEventListener("blur", (event) => {
      if (!card.box.contains(event.relatedTarget) && card.pinnedTo !== button) card.hide();
    });
    button.addEventListener("click", () => {
      if (card.pinnedTo === button) return card.hide();
      card.show(button, about);
      card.pinnedTo = button;
      card.box.classList.add("pinned");
    });
  },

  show(button, { picture, side, rank, shared }) {
    const { file, label, title, problem, width, height } = atlas.files;
    card.hide();
    const frame = el("div", { class: "card-picture" }, thumbnail(picture));
    frame.style.aspectRatio = `${width[picture]} / ${height[picture]}`;
    // long and narrow pictures stay within the card
    frame.style.width = `${Math.min(100, (110 * width[picture]) / height[picture])}%`;
    const box = boxOf(side, rank);
    if (box && !problem[picture]) frame.append(card.outline(box, isWhole(side, rank)));
    const score = side.scores[rank] === null ? UNKNOWN : asNumber(side.scores[rank]);
    card.box.replaceChildren(
      frame,
      el("p", { class: "card-title" }, words(title[picture] || "without title")),
      el("p", {}, words(spaced(label[picture]) || "without label")),
      el("p", { class: "soft file" }, words(file[picture])),
      problem[picture] ? el("p", { class: "warning" }, "cannot be read: ", words(problem[picture])) : "",
      el("p", { class: "soft" }, `number ${rank + 1}, score ${score}`, shared ? ", in both sets" : ""),
      el("a", { href: address.of({
        text: title[picture] || file[picture], layer: "", class: "", channel: "", with: "",
      }) }, "all channels that it excites"),
    );
    card.box.hidden = false;
    card.place(button.getBoundingClientRect());
  },

  outline([left, top, width, height], whole) {
    const line = el("span", { class: whole ? "outline half" : "outline" });
    const values = { left, top, width, height };
    for (const side in values) line.style[side] = `${values[side] / 10}%`;
    return line;
  },

  // Beside what it is about, within the window; CSS puts it at the bottom of a narrow one.
  place(about) {
    const { offsetWidth: width, offsetHeight: height } = card.box;
    const right = about.right + 10 + width < innerWidth;
    const left = right ? about.right + 10 : Math.max(8, about.left - width - 10);
    const top = Math.max(8, Math.min(about.top - 20, innerHeight - height - 8));
    card.box.style.setProperty("--left", `${left}px`);
    card.box.style.setProperty("--top", `${top}px`);
  },

  // Take it away; whether it was there.
  hide() {
    const was = !card.box.hidden;
    card.box.hidden = true;
    card.box.classList.remove("pinned");
    card.pinnedTo = null;
    return was;
  },
};

document.addEventListener("pointerdown", (event) => {
  if (!card.box.contains(event.target) && !event.target.closest?.(".picture")) card.hide();
});
