// The queue in the header, and below it what an earlier studio had not finished. The page asks for
// it every second; rows stay the same elements, so that the focus stays where it is.
(() => {
  const SOON = 1000, LATER = 4000; // milliseconds, while something is in the queue and while nothing is
  const WORDS = { cancel: "Cancel", pause: "Pause", "go on": "Go on" };
  let asked = "", timer = 0, opened = false;

  function ask(act, numbers) {
    asked = JSON.stringify({ act, numbers });
    document.getElementById("queue-do")?.click();
    setTimeout(look, 250);
  }

  /** What may be done with a job. */
  function acts(job) {
    if (!["yours", "left over"].includes(job.whose) || job.stopping) return [];
    if (job.state === "paused") return ["go on", "cancel"];
    return job.state === "working" && job.pauses ? ["pause", "cancel"] : ["cancel"];
  }

  function made(tag, name, text = "") {
    const found = document.createElement(tag);
    found.className = name;
    found.textContent = text;
    return found;
  }

  function row(job) {
    const li = made("li", "");
    li.dataset.number = job.number;
    li.append(made("span", "title", job.title || "Somebody’s"), made("span", "said"), made("span", "does"));
    return li;
  }

  /** Brings a row up to date; its buttons are made anew only where others are needed. */
  function tell(li, job) {
    li.dataset.state = job.state;
    const kind = job.kind[0].toUpperCase() + job.kind.slice(1);
    const text = job.left ? kind : `${kind}, ${job.whose}. ${job.said}`;
    const said = li.querySelector(".said");
    if (said.textContent !== text) said.textContent = text;
    li.classList.toggle("own", job.whose === "yours");
    const does = li.querySelector(".does"), needed = acts(job);
    if (does.dataset.acts === needed.join()) return;
    does.dataset.acts = needed.join();
    does.replaceChildren(...needed.map((act) => {
      const word = job.left && act === "cancel" ? "Leave it" : WORDS[act];
      const button = made("button", act === "go on" ? "first" : "", word);
      button.type = "button";
      button.setAttribute("aria-label", `${word}: ${job.title}`);
      button.addEventListener("click", () => ask(act, [job.number]));
      return button;
    }));
  }

  function fill(list, jobs) {
    const old = new Map([...list.children].map((li) => [li.dataset.number, li]));
    const wanted = jobs.map((job) => {
      const li = old.get(String(job.number)) ?? row(job);
      tell(li, job);
      return li;
    });
    const focus = document.activeElement, lost = focus && list.contains(focus) && !wanted.some((li) => li.contains(focus));
    if (wanted.some((li, i) => list.children[i] !== li) || list.children.length !== wanted.length) list.replaceChildren(...wanted);
    if (lost) (list.querySelector("button") ?? document.querySelector("#queue summary"))?.focus();
    else if (focus && list.contains(focus) && focus !== document.activeElement) focus.focus();
  }

  function draw(rows) {
    const queue = document.getElementById("queue"), left = document.getElementById("left");
    if (!queue || !left) return;
    const current = rows.filter((job) => !job.left), over = rows.filter((job) => job.left);
    fill(queue.querySelector("ul"), current);
    fill(left.querySelector("ul"), over);
    left.hidden = over.length === 0;
    left.querySelector(".all").hidden = over.length < 2;
    const count = (state) => current.filter((job) => job.state === state).length;
    const parts = [["working", "at work"], ["waiting", "waiting"], ["paused", "paused"]].filter(([state]) => count(state));
    const sum = parts.map(([state, word]) => `${count(state)} ${word}`).join(", ") || "Nothing is at work";
    const summary = queue.querySelector("summary");
    // Short, so that nothing moves when a job begins.
    summary.textContent = current.length ? `Queue: ${current.length}` : "Queue";
    summary.setAttribute("aria-label", `Queue: ${sum}`);
    queue.querySelector(".sum").textContent = sum;
  }

  async function look() {
    clearTimeout(timer);
    let rows = [];
    if (!document.hidden && window.digress?.page) {
      const answer = await fetch(`/queue?page=${window.digress.page()}`).catch(() => null);
      if (answer?.ok) draw((rows = await answer.json()));
    }
    clearTimeout(timer);
    timer = setTimeout(look, rows.length ? SOON : LATER);
  }

  document.addEventListener("visibilitychange", () => document.hidden || look());
  document.addEventListener("click", (event) => {
    const all = event.target.closest("#left .all");
    if (all) ask("go on", [...document.querySelectorAll("#left li")].map((li) => Number(li.dataset.number)));
    if (event.target.closest("button.go, button.stop, .after button")) setTimeout(look, 250);
    const queue = document.getElementById("queue");
    const outside = event.isTrusted && event.target.isConnected && !queue?.contains(event.target);
    if (queue?.open && outside) queue.open = false; // a press of the script's own closes nothing
  });
  document.addEventListener("keydown", (event) => {
    const queue = document.getElementById("queue");
    if (event.key !== "Escape" || !queue?.open || !queue.contains(document.activeElement)) return;
    queue.open = false;
    queue.querySelector("summary").focus();
  });
  // The page is drawn after this is read.
  new MutationObserver((_, observer) => {
    if (!document.getElementById("queue") || opened) return;
    opened = true;
    observer.disconnect();
    look();
  }).observe(document.documentElement, { childList: true, subtree: true });

  window.digress = Object.assign(window.digress ?? {}, { asked: () => asked });
})();
