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

  /** Keeps the values of a tab's fields in the address: what is empty is left out. */
  function address(tab, names, values, defaults) {
    const query = new URLSearchParams({ tab });
    names.forEach((name, i) => {
      const value = values[i];
      if (value === null || value === undefined || value === "" || typeof value === "object") return;
      if (String(value) === String(defaults[i])) return;
      query.set(name, value);
    });
    const text = `${location.pathname}?${query}`;
    if (text !== location.pathname + location.search) history.replaceState(null, "", text);
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

  window.digress = Object.assign(window.digress ?? {}, { page, address });
})();
