// Light or dark: as the system says, until somebody chooses. Loaded first, so that nothing flashes.
"use strict";

const theme = {
  system: matchMedia("(prefers-color-scheme: dark)"),

  // a browser may forbid pages from disk to remember anything
  chosen() {
    try { return localStorage.getItem("atlas theme"); } catch { return null; }
  },

  choose(name) {
    try { localStorage.setItem("atlas theme", name); } catch { /* for this visit only */ }
    theme.apply(name);
  },

  isDark: () => document.documentElement.dataset.theme === "dark",

  apply(name) {
    const dark = name ? name === "dark" : theme.system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.getElementById("theme")?.setAttribute("aria-pressed", dark);
  },
};

theme.apply(theme.chosen());
theme.system.addEventListener("change", () => theme.apply(theme.chosen()));
