// What the page of the studio does by itself: it knows itself again after a reload, answers a press
// at once, and keeps its settings in its address.
(() => {
  const KEY = "digressions-page";

  /** This page of the browser, also after a reload. */
  function page() {
    let own = sessionStorage.getItem(KEY);
    if (!own) {
      own = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
      sessionStorage.setItem(KEY, own);
    }
    return own;
  }

  /** The tab that is seen. */
  const front = () => document.querySelector("#tabs [role=tab][aria-selected=true]")?.textContent.trim().toLowerCase();

  const latest = new Map(); // what each tab's fields said last
  let telling = 0, filled = false;

  /** Keeps the values of the fields of the tab that is seen in the address, once it is. */
  function address(...told) {
    latest.set(told[0], told);
    clearTimeout(telling);
    telling = setTimeout(() => front() === told[0] && keep(...told), 100);
  }

  /**
   * Keeps the values of a tab's fields in the address: what is empty is left out, and a starting
   * point is named while all is as it says.
   */
  function keep(tab, names, values, defaults) {
    const given = {};
    names.forEach((name, i) => {
      const value = values[i];
      if (value === null || value === undefined || value === "" || typeof value === "object") return;
      if (String(value) !== String(defaults[i])) given[name] = String(value);
    });
    const start = chosen(tab, given);
    const theme = new URLSearchParams(location.search).get("__theme"); // Gradio's, light or dark
    const asked = start ? { tab, start } : { tab, ...given };
    const query = new URLSearchParams(theme ? { ...asked, __theme: theme } : asked);
    const text = `${location.pathname}?${query}`;
    if (text !== location.pathname + location.search) history.replaceState(null, "", text);
  }

  /** Has the address name the tab that came to the front, once it has been read itself. */
  function fronted() {
    const tab = front();
    if (filled && tab) keep(...(latest.get(tab) ?? [tab, [], [], []]));
  }

  new MutationObserver(fronted).observe(document.documentElement, { subtree: true, attributeFilter: ["aria-selected"] });

  /** The name of the starting point that has these settings; the row of the tab shows which. */
  function chosen(tab, given) {
    let found;
    document.querySelectorAll(`#${tab}-starts [data-start]`).forEach((button) => {
      const wanted = JSON.parse(button.dataset.settings), names = Object.keys(wanted);
      const all = names.length === Object.keys(given).length && names.every((name) => wanted[name] === given[name]);
      button.setAttribute("aria-pressed", all);
      if (all) found = button.dataset.start;
    });
    return found;
  }

  const same = (value, other) => String(value ?? "") === String(other ?? "");

  /** The values of fields with those that an address asks for, wherever nobody has typed yet. */
  function fill(asked, names, values, defaults) {
    const found = JSON.parse(asked || "{}");
    filled = true;
    return names.map(([tab, name], i) => {
      const value = found[tab]?.[name];
      if (value === undefined || !same(values[i], defaults[i])) return { __type__: "update" };
      return { __type__: "update", value };
    });
  }

  // A press is seen at once, however long the answer takes: it shows when the finger or the key goes
  // down, before anything else happens, and stays for a while after it goes up.
  const SEEN = 700; // milliseconds
  const KEYS = ["Enter", " "];
  function press(event) {
    if (event.type === "keydown" && !KEYS.includes(event.key)) return;
    const button = event.target.closest?.("button, summary, [role=button], a[download], label.card");
    if (!button || button.disabled) return;
    button.classList.add("pressed");
    clearTimeout(button.pressed);
    button.pressed = setTimeout(() => button.classList.remove("pressed"), SEEN);
  }
  for (const type of ["pointerdown", "keydown", "click"]) document.addEventListener(type, press, true);

  // Arrow keys go from tab to tab; Enter brings one to the front.
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("[role=tab]"), by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!tab || !by) return;
    const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
    tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length].focus();
    event.preventDefault();
  });

  // A slider under finished pictures: it leafs through a sweep, or lays a map over a picture.
  document.addEventListener("input", (event) => {
    const label = event.target.closest(".leafing");
    if (!label) return;
    const value = Number(event.target.value);
    const map = label.closest(".overlaid")?.querySelector(".map");
    if (map) map.style.opacity = value / 100;
    label.closest(".leaves")?.querySelectorAll(".leaf").forEach((leaf, number) => {
      leaf.hidden = number !== value;
      if (number === value) label.querySelector("output").textContent = leaf.dataset.label;
    });
  });

  window.digress = Object.assign(window.digress ?? {}, { page, address, fill });
})();
