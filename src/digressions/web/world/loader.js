/* Asks for what a view lacks: nearest to the middle first, what is out of view no more. */

const AT_ONCE = 3; // requests: the next one waits there while one is painted
const PAUSE = 2; // seconds before asking again where nothing answered
const HELD = { picture: 6000, canvas: 96 }; // images that are kept

const nameOf = ({ home, cell, form }) => `${home ? home.id : ""}:${cell}:${form}`;

export class Loader {
  /* facts: of the world; source: gives its pictures (server.js, bank.js); onChange: called when
     something came; onTrouble: with a line of text, or "" when it is over. */
  constructor(facts, source, root, { onChange, onTrouble }) {
    Object.assign(this, { facts, source, root, onChange, onTrouble });
    this.asked = new Set();
    this.held = { picture: [], canvas: [] };
    this.loaded = { picture: 0, canvas: 0 };
    this.paused = false;
    this.most = 4; // pictures in a request: as many as come in about a second
  }

  get busy() {
    return this.asked.size > 0 || this.paused;
  }

  /* Takes the wishes of a view, and the point of the window that matters most. */
  want(wishes, middle, view) {
    this.kept = view.base;
    const wanted = new Map(this.withAncestors(wishes, view).map((wish) => [nameOf(wish), wish]));
    for (const request of this.asked) {
      if (!request.names.some((name) => wanted.has(name))) request.abort.abort();
      for (const name of request.names) wanted.delete(name);
    }
    if (this.paused) return;
    const far = (wish) => {
      if (wish.ground) return wish.far ?? 0;
      const across = Math.hypot(wish.left + wish.side / 2 - middle.left, wish.top + wish.side / 2 - middle.top);
      return 1 + across * (wish.form === "canvas" ? 1.5 : 1); // a canvas takes as long as many pictures
    };
    const order = [...wanted.values()].sort((a, b) => far(a) - far(b));
    while (order.length && this.asked.size < AT_ONCE) {
      const [first] = order;
      const most = first.form === "picture" ? this.most : 1;
      const group = order.filter((w) => w.home === first.home && w.form === first.form).slice(0, most);
      for (const wish of group) order.splice(order.indexOf(wish), 1);
      this.ask(group);
    }
  }

  /* On arriving at a far place everything above is coarse too: its canvases come from above down.
     The root's is always among them: it is what everything else is coarse by. */
  withAncestors(wishes, { base }) {
    const above = [];
    for (let place = base; place && !place.canvas && above.length < 4; place = place.parent) {
      above.push(place);
    }
    if (!this.root.canvas && !above.includes(this.root)) above.push(this.root);
    const asked = above.reverse().map(({ parent, cell }, index) => (
      { home: parent, cell, form: "canvas", ground: true, far: index / 8 }
    ));
    return [...wishes, ...asked];
  }

  async ask(group) {
    const [{ home, form }] = group;
    const abort = new AbortController();
    const request = { names: group.map(nameOf), abort };
    this.asked.add(request);
    const begun = performance.now();
    try {
      const cells = home && group.map((wish) => wish.cell);
      this.keep(group, await this.source.get(form, home ? home.path : "", cells, abort.signal));
      if (form === "picture") this.suit(performance.now() - begun);
      this.onTrouble("");
    } catch (error) {
      const { name, seconds, message } = error;
      if (name !== "AbortError") this.pause(seconds || PAUSE, seconds ? message : "The server does not answer.");
    } finally {
      this.asked.delete(request);
      this.onChange();
    }
  }

  /* Fewer pictures at once where they come slowly, so that the first are soon there. */
  suit(milliseconds) {
    if (milliseconds < 800) this.most = Math.min(this.facts.per_request, 2 * this.most);
    else if (milliseconds > 2400) this.most = Math.max(2, Math.floor(this.most / 2));
  }

  keep(group, images) {
    const since = performance.now();
    group.forEach(({ home, cell, form }, index) => {
      const place = home ? home.into(cell) : this.root;
      place[form] = { image: images[index], since };
      place.seen = since;
      this.held[form].push(place);
      this.loaded[form]++;
      if (this.held[form].length > 1.2 * HELD[form]) this.forget(form);
    });
  }

  /* Drops what was not seen for longest. */
  forget(form) {
    const places = this.held[form].sort((a, b) => b.seen - a.seen);
    for (const place of places.splice(HELD[form])) {
      if (place === this.root) continue; // what everything else is coarse by
      place[form].image.close();
      place.drop(form, this.kept);
    }
  }

  pause(seconds, trouble) {
    this.paused = true;
    this.onTrouble(trouble);
    setTimeout(() => {
      this.paused = false;
      this.onChange();
    }, 1000 * seconds);
  }
}
