// What is shown is in the address, behind the #, so that a link shows the same to everybody.
"use strict";

// name -> value that is left out of the address
const DEFAULTS = {
  text: "", layer: "", class: "", sort: "overlap", order: "up", // of the grid
  channel: "", with: "", show: "whole", // of a channel's page
  pick: "", // the channel that another one is being chosen for
};

const address = {
  read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const state = {};
    for (const name in DEFAULTS) state[name] = given.get(name) ?? DEFAULTS[name];
    return state;
  },

  // The address of what is shown now, with changes.
  of(changes) {
    const state = { ...address.read(), ...changes };
    const given = new URLSearchParams();
    for (const name in DEFAULTS) if (state[name] !== DEFAULTS[name]) given.set(name, state[name]);
    return `#${given}`;
  },

  go(changes) { location.hash = address.of(changes); },

  // without a step for the back button: while somebody types
  replace(changes) { location.replace(address.of(changes)); },

  ofGrid: () => address.of({ channel: "", with: "", pick: "", show: DEFAULTS.show }),
};
