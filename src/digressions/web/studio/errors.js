// Where something is wrong, the page goes there: the field comes into view and has the keyboard, and
// a screen reader is told what is wrong with it. A fold that it is in has been opened, and is built
// only then.
(() => {
  const WRONG = "wrong";
  const INPUTS = "input:not([type=hidden]), textarea, button";

  let live = null, going = 0;

  /** Says something to a screen reader, at once. */
  function announce(text) {
    if (!live) {
      live = document.createElement("div");
      live.setAttribute("role", "alert");
      live.className = "unseen";
      document.body.append(live);
    }
    live.textContent = "";
    setTimeout(() => (live.textContent = text), 50);
  }

  /** What a field says: its label where that has the error, else its name and its line of help. */
  function message(block) {
    const label = block.querySelector("[data-testid=block-label]") ?? block.querySelector("label, legend, .container");
    return (label?.innerText ?? "").replace(/\s*\n+\s*/g, ": ").trim();
  }

  /** Marks what can be typed into or pressed in a field. */
  function mark(block) {
    const wrong = block.classList.contains(WRONG);
    const told = block.querySelector(".info-text, [data-testid=block-label]");
    if (told) told.id ||= `${block.id}-told`;
    block.querySelectorAll(INPUTS).forEach((input) => {
      if (wrong) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      if (told && wrong) input.setAttribute("aria-describedby", told.id);
    });
    return wrong;
  }

  /** Goes to the first field that is wrong, unless somebody types elsewhere. */
  function go(block) {
    clearTimeout(going);
    going = setTimeout(() => {
      mark(block);
      announce(message(block));
      const typing = document.activeElement?.matches("input, textarea");
      if (typing && !block.contains(document.activeElement)) return;
      const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
      block.scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "instant" });
      block.querySelector(INPUTS)?.focus({ preventScroll: true });
    }, 150);
  }

  /** Goes to what is wrong on the tab that is seen, as a press does that finds it wrong again. */
  function toWrong() {
    const wrong = [...document.querySelectorAll(`.${WRONG}[id]`)].find((block) => block.checkVisibility());
    if (wrong) go(wrong);
  }

  /** Says at a field of a picture that what is dropped there is none: Gradio passes over it. */
  document.addEventListener("drop", (event) => {
    const block = event.target.closest?.(".block[id]");
    if (!block?.querySelector('input[type=file][accept^="image/"]')) return;
    document.querySelectorAll(".said.dropped").forEach((each) => each.remove());
    const other = [...event.dataTransfer.files].find((file) => !file.type.startsWith("image/"));
    if (!other) return;
    const said = document.createElement("p");
    said.className = "said wrong dropped";
    said.setAttribute("role", "alert");
    said.textContent = `${other.name} is no picture`;
    block.after(said);
    setTimeout(() => said.remove(), 10000);
  }, true);

  new MutationObserver((changes) => {
    const changed = new Set(changes.map((change) => change.target).filter((block) =>
      block.id && (block.classList.contains(WRONG) || block.querySelector("[aria-invalid]"))));
    for (const { addedNodes } of changes) for (const node of addedNodes) {
      const built = node.nodeType === 1 ? [node, ...node.querySelectorAll(`.${WRONG}[id]`)] : [];
      built.filter((block) => block.id && block.classList.contains(WRONG)).forEach((block) => changed.add(block));
    }
    const wrong = [...changed].filter(mark);
    if (wrong.length) go(wrong[0]);
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });

  window.digress = Object.assign(window.digress ?? {}, { toWrong });
})();
