// Where something is wrong, the page goes there: the fold that the field is in opens, the field comes
// into view and has the keyboard, and a screen reader is told what is wrong with it.
(() => {
  const WRONG = "wrong";
  const INPUTS = "input:not([type=hidden]), textarea, button";

  let live = null;

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

  function opened(block) {
    for (let fold = block.closest(".fold"); fold; fold = fold.parentElement.closest(".fold")) {
      const button = fold.querySelector("button.label-wrap");
      if (button && !button.classList.contains("open")) button.click();
    }
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
    opened(block);
    setTimeout(() => {
      mark(block);
      announce(message(block));
      const typing = document.activeElement?.matches("input, textarea");
      if (typing && !block.contains(document.activeElement)) return;
      const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
      block.scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "instant" });
      block.querySelector(INPUTS)?.focus({ preventScroll: true });
    }, 150);
  }

  new MutationObserver((changes) => {
    const changed = new Set(changes.map((change) => change.target).filter((block) =>
      block.id && (block.classList.contains(WRONG) || block.querySelector("[aria-invalid]"))));
    const wrong = [...changed].filter(mark);
    if (wrong.length) go(wrong[0]);
  }).observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ["class"] });
})();
