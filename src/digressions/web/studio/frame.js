// The tab Frame: openings on a photo whose corners are dragged by mouse, finger or keys, a prompt
// for each, colours picked from the room, candidates chosen, and before beside after.
(() => {
  const NAMES = ["top left", "top right", "bottom right", "bottom left"];
  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const FAST = 10; // pixels of the photo by an arrow key with Shift
  const ZOOM = 4; // of the loupe, against the photo as shown
  // What an opening has of its own, and what stands in the form for one without.
  const EACH = { palette: "none", n: "1", room: "auto" };
  const PIPETTE = '<svg viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="m11 7 6 6M4 16l7.7-7.7a1 1 0 0 1 1.4 0l2.6 2.6a1 1 0 0 1 0 1.4L8 20H4zM14 8l3-4a2.1 2.1 0 0 1 3 3l-4 3"/></svg>';
  const SVG = "http://www.w3.org/2000/svg";

  /** The text field of a form. */
  const field = (name) => document.querySelector(`#frame-${name} textarea, #frame-${name} input`);

  let telling = false; // the page itself types

  /** Fills a field in as if somebody had typed it. */
  function type(name, text) {
    const found = field(name);
    if (!found || found.value === text) return;
    const kind = found.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(found, text);
    telling = true;
    found.dispatchEvent(new Event("input", { bubbles: true }));
    telling = false;
  }

  const lines = (name) => (field(name)?.value ?? "").split("\n").filter((line) => line.trim());

  /** What a line of the form says, as an opening has it. */
  function own(name, line) {
    if (name !== "palette") return line.trim() === EACH[name] && name !== "n" ? "" : line.trim();
    return line.split(",").map((each) => each.trim()).filter((each) => each && each !== EACH.palette);
  }

  const blank = () => ({ prompt: "", palette: [], n: "", room: "" });

  /** What the form says once for all. */
  const shared = () => Object.fromEntries(Object.keys(EACH).filter((name) => lines(name).length === 1).map((name) => [name, own(name, lines(name)[0])]));

  function element(tag, attributes = {}, text = "") {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  }

  /** Whether four points in order turn one way at every corner. */
  function convex(points) {
    const turns = points.map((a, i) => {
      const b = points[(i + 1) % 4], c = points[(i + 2) % 4];
      return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]);
    });
    return turns.every((each) => each > 0) || turns.every((each) => each < 0);
  }

  class Room {
    constructor(root) {
      this.root = root;
      this.width = Number(root.dataset.width);
      this.height = Number(root.dataset.height);
      this.photo = root.querySelector(".photo");
      this.image = root.querySelector("img");
      this.svg = root.querySelector("svg");
      this.svg.setAttribute("viewBox", `-0.5 -0.5 ${this.width} ${this.height}`);
      this.loupe = root.querySelector(".loupe");
      const prompts = lines("prompts");
      this.byMask = root.classList.contains("by-mask"); // whose opening stays where the mask has it
      this.openings = JSON.parse(root.dataset.openings).map((corners, i) => ({ ...blank(), corners, prompt: prompts[i] ?? "" }));
      this.read();
      root.querySelector(".add").addEventListener("click", () => this.add());
      this.dropping = null; // the opening whose colours are picked
      this.photo.addEventListener("click", (event) => this.dropping && this.pick(event));
      this.photo.addEventListener("pointermove", (event) => this.dropping && this.look(this.at(event)));
      this.photo.addEventListener("pointerleave", () => this.loupe.classList.remove("on"));
      root.addEventListener("keydown", (event) => event.key === "Escape" && this.drops(null));
      this.draw();
      root.classList.add("ready");
    }

    /** Draws all openings anew, and their rows. */
    draw() {
      this.svg.replaceChildren();
      const corners = this.root.querySelector(".corners");
      corners.replaceChildren();
      const rows = this.root.querySelector(".openings");
      rows.replaceChildren();
      this.shapes = this.openings.map((opening, i) => {
        const shape = document.createElementNS(SVG, "polygon");
        this.svg.append(shape);
        const number = element("span", { class: "number" }, String(i + 1));
        corners.append(number);
        const handles = (this.byMask ? [] : NAMES).map((name, k) => {
          const handle = element("button", {
            type: "button",
            class: "corner",
            "aria-label": `Opening ${i + 1}, ${name} corner`,
            "aria-description": "Arrow keys move it, with Shift faster; Delete removes the opening",
          });
          this.drags(handle, i, k);
          corners.append(handle);
          return handle;
        });
        rows.append(this.row(opening, i));
        return { shape, number, handles };
      });
      this.openings.forEach((_, i) => this.place(i));
      this.swatches();
      this.drops(this.dropping);
      this.tell();
    }

    row(opening, i) {
      const row = element("li");
      const label = element("label");
      label.append(element("span", { class: "number", "aria-hidden": "true" }, String(i + 1)));
      const prompt = element("input", {
        type: "text", "aria-label": `What to paint into opening ${i + 1}`, placeholder: "What hangs here? Empty: it stays as it is", maxlength: 2000,
      });
      prompt.value = opening.prompt;
      prompt.addEventListener("input", () => {
        opening.prompt = prompt.value;
        this.place(i);
        this.tell();
      });
      prompt.addEventListener("focus", () => this.lights(i, true));
      prompt.addEventListener("blur", () => this.lights(i, false));
      label.append(prompt);
      const drop = element("button", {
        type: "button", class: "drop", "aria-pressed": "false", title: "Pick colours from the room",
        "aria-label": `Pick colours for opening ${i + 1} from the room`,
      });
      drop.innerHTML = PIPETTE;
      drop.addEventListener("click", () => this.drops(this.dropping === opening ? null : opening));
      const remove = element("button", { type: "button", class: "remove", "aria-label": `Remove opening ${i + 1}`, title: "Remove" }, "×");
      remove.addEventListener("click", () => this.remove(i));
      const own = element("span", { class: "own" });
      own.append(this.number(opening, i, "n", "How many", { min: 1, max: 999, step: 1, placeholder: "1" }));
      own.append(this.number(opening, i, "room", "Room", { min: 0, max: 1, step: 0.05, placeholder: "usual" }));
      row.append(label, drop, remove, element("span", { class: "swatches" }), own);
      if (this.byMask) remove.remove();
      return row;
    }

    /** A field of an opening's own for a number that the form has once for all, or once for each. */
    number(opening, i, name, text, limits) {
      const label = element("label", {}, text);
      const input = element("input", { type: "number", name, "aria-label": `${text} of opening ${i + 1}`, ...limits });
      input.value = opening[name];
      input.addEventListener("input", () => {
        opening[name] = input.value;
        this.tell();
      });
      label.append(input);
      return label;
    }

    lights(i, on) {
      this.shapes[i]?.shape.classList.toggle("lit", on);
    }

    /** Puts the shape, the number and the corners of an opening where it is. */
    place(i) {
      const { corners, prompt } = this.openings[i], { shape, number, handles } = this.shapes[i];
      const share = ([x, y]) => [(100 * (x + 0.5)) / this.width, (100 * (y + 0.5)) / this.height];
      shape.setAttribute("points", corners.map((point) => point.join(",")).join(" "));
      shape.classList.toggle("asked", !!prompt.trim());
      shape.classList.toggle("bad", !convex(corners));
      const middle = [0, 1].map((axis) => corners.reduce((sum, point) => sum + point[axis], 0) / 4);
      [...handles, number].forEach((each, k) => {
        const [x, y] = share(each === number ? middle : corners[k]);
        each.style.left = `${x}%`;
        each.style.top = `${y}%`;
      });
    }

    /** Where on the photo an event is, in its pixels. */
    at(event) {
      const box = this.image.getBoundingClientRect();
      return [
        ((event.clientX - box.left) / box.width) * this.width - 0.5,
        ((event.clientY - box.top) / box.height) * this.height - 0.5,
      ];
    }

    move(i, k, [x, y]) {
      const inside = (value, most) => Math.round(10 * Math.min(most - 0.5, Math.max(-0.5, value))) / 10;
      this.openings[i].corners[k] = [inside(x, this.width), inside(y, this.height)];
      this.place(i);
      this.look(this.openings[i].corners[k]);
      this.tell();
    }

    drags(handle, i, k) {
      let held = null;
      handle.addEventListener("pointerdown", (event) => {
        if (event.button || this.dropping) return;
        const [x, y] = this.at(event), corner = this.openings[i].corners[k];
        held = [corner[0] - x, corner[1] - y];
        handle.setPointerCapture(event.pointerId);
        handle.focus({ preventScroll: true });
        this.look(corner);
        event.preventDefault();
      });
      handle.addEventListener("pointermove", (event) => {
        if (!held) return;
        const [x, y] = this.at(event);
        this.move(i, k, [x + held[0], y + held[1]]);
      });
      const drop = () => {
        held = null;
        this.loupe.classList.remove("on");
      };
      handle.addEventListener("pointerup", drop);
      handle.addEventListener("pointercancel", drop);
      handle.addEventListener("focus", () => this.lights(i, true));
      handle.addEventListener("blur", () => (this.lights(i, false), drop()));
      handle.addEventListener("keydown", (event) => {
        const by = MOVES[event.key];
        if (by) {
          const far = event.shiftKey ? FAST : 1, [x, y] = this.openings[i].corners[k];
          this.move(i, k, [x + far * by[0], y + far * by[1]]);
        } else if (event.key === "Delete") this.remove(i);
        else return;
        event.preventDefault();
      });
    }

    /** Shows a place larger, beside it. */
    look([x, y]) {
      const box = this.image.getBoundingClientRect(), side = 110;
      const left = ((x + 0.5) / this.width) * box.width, top = ((y + 0.5) / this.height) * box.height;
      this.loupe.style.backgroundImage = `url("${this.image.src}")`;
      this.loupe.style.backgroundSize = `${ZOOM * box.width}px ${ZOOM * box.height}px`;
      this.loupe.style.backgroundPosition = `${side / 2 - ZOOM * left}px ${side / 2 - ZOOM * top}px`;
      this.loupe.style.left = `${left + (left < box.width / 2 ? 24 : -side - 24)}px`;
      this.loupe.style.top = `${Math.max(0, Math.min(box.height - side, top - side / 2))}px`;
      this.loupe.classList.add("on");
    }

    add() {
      const across = this.width / 5, down = this.height / 5, [x, y] = [this.width / 2, this.height / 2];
      const shift = (this.openings.length % 5) * Math.min(across, down) * 0.2;
      const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([a, b]) =>
        [Math.round(x + a * across * 0.8 + shift), Math.round(y + b * down * 0.8 + shift)]);
      this.openings.push({ ...blank(), ...shared(), corners });
      this.draw();
      this.shapes.at(-1).handles[0].focus();
    }

    remove(i) {
      this.drops(null);
      this.openings.splice(i, 1);
      this.draw();
      (this.root.querySelectorAll(".openings input[type=text]")[Math.max(0, i - 1)] ?? this.root.querySelector(".add")).focus();
    }

    /** Tells the form what is to be painted where. */
    tell() {
      const asked = this.openings.filter(({ prompt }) => prompt.trim());
      const corners = this.byMask ? [] : asked.map(({ corners }) => corners.map((point) => point.join(",")).join(" "));
      type("corners", corners.join("\n"));
      if (this.byMask && !this.openings.length) return; // the mask is wrong
      type("prompts", asked.map(({ prompt }) => prompt.trim()).join("\n"));
      if (!asked.length) return;
      for (const [name, none] of Object.entries(EACH)) {
        const values = asked.map((opening) => String(opening[name]).trim() || none);
        const alike = values.every((each) => each === values[0]);
        type(name, !alike ? values.join("\n") : values[0] === none && name !== "n" ? "" : values[0]);
      }
    }

    // --- colours -----------------------------------------------------------------------------

    drops(opening) {
      this.dropping = opening;
      this.root.classList.toggle("dropping", !!opening);
      this.root.querySelectorAll(".drop").forEach((button, i) =>
        button.setAttribute("aria-pressed", !!opening && this.openings[i] === opening));
      if (!opening) this.loupe.classList.remove("on");
    }

    /** The colour of a place, over a few pixels, into the palette. */
    pick(event) {
      const canvas = element("canvas"), side = 5;
      canvas.width = canvas.height = 1;
      const [x, y] = this.at(event), scale = this.image.naturalWidth / this.width;
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(this.image, x * scale - side / 2, y * scale - side / 2, side, side, 0, 0, 1, 1);
      const hex = [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((v) => v.toString(16).padStart(2, "0"));
      this.colours(this.dropping, [...this.dropping.palette, `#${hex.join("")}`]);
    }

    colours(opening, palette) {
      opening.palette = palette;
      this.swatches();
      this.tell();
    }

    /** Takes what was typed into the form: once for all, or once for each that is asked for. */
    read() {
      const asked = this.openings.filter(({ prompt }) => prompt.trim());
      for (const name of Object.keys(EACH)) {
        const typed = lines(name).map((line) => own(name, line));
        if (typed.length > 1) asked.forEach((opening, i) => (opening[name] = typed[i] ?? blank()[name]));
        else this.openings.forEach((opening) => (opening[name] = typed[0] ?? blank()[name]));
      }
    }

    /** Shows what was typed into the form. */
    reread() {
      this.read();
      this.swatches();
      this.root.querySelectorAll(".own").forEach((place, i) =>
        place.querySelectorAll("input").forEach((input) => (input.value = this.openings[i][input.name])));
    }

    swatches() {
      this.root.querySelectorAll(".swatches").forEach((place, i) => {
        const opening = this.openings[i];
        place.replaceChildren(...opening.palette.filter((each) => CSS.supports("color", each)).map((colour) => {
          const swatch = element("button", { type: "button", "aria-label": `Remove the colour ${colour} of opening ${i + 1}`, title: `${colour}: remove`, style: `background: ${colour}` });
          swatch.addEventListener("click", () => this.colours(opening, opening.palette.filter((each) => each !== colour)));
          return swatch;
        }));
      });
    }
  }

  let current = null;
  const look = () => {
    const root = document.querySelector("#frame-openings .room:not(.ready)");
    if (root) current = new Room(root);
  };
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });

  document.addEventListener("input", (event) => {
    if (!telling && Object.keys(EACH).some((name) => event.target === field(name))) current?.reread();
    if (event.target.matches(".compare input")) event.target.parentElement.style.setProperty("--at", `${event.target.value}%`);
  });

  /** Tells the form which candidates of a grid are chosen. */
  function choose(grid) {
    const picks = [...grid.querySelectorAll("fieldset")].map((each) => Number(each.querySelector("input:checked")?.value ?? 0));
    type("picks", JSON.stringify({ job: Number(grid.dataset.job), picks }));
  }

  document.addEventListener("change", (event) => {
    const grid = event.target.closest?.(".candidates");
    if (grid) choose(grid);
  });

  // The button of a grid presses the form's own, once the form knows what is chosen.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".candidates .hang");
    if (!button) return;
    button.classList.add("pressed");
    choose(button.closest(".candidates"));
    setTimeout(() => document.getElementById("frame-hang").click(), 50);
  });
})();
