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

  // A press is seen at once, however long the answer takes.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.go, button.stop");
    if (!button || button.disabled) return;
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 900);
  }, true);

  window.digress = { page, address };
})();
