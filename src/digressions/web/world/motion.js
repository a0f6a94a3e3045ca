/* What moves the window: wheel, keys, fingers, and flights to a place. */

const QUICK = 9; // how fast a push is used up: a third is left after 1/QUICK seconds
const RATE = 2.6; // of a flight, in powers of e a second

export class Motion {
  constructor(view) {
    this.view = view;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.stop();
  }

  stop() {
    this.push = { right: 0, down: 0, zoom: 0, left: 0, top: 0 };
    this.goal = null;
  }

  /* Comes closer, by powers of e, about a point of the window. */
  closer(amount, left = this.view.width / 2, top = this.view.height / 2) {
    this.goal = null;
    const zoom = Math.max(-4, Math.min(4, this.push.zoom + amount));
    Object.assign(this.push, { zoom, left, top });
  }

  /* Goes on so many pixels of the window. */
  glide(right, down) {
    this.goal = null;
    this.push.right += right;
    this.push.down += down;
  }

  /* Flies until a place has the box that `target` gives. `rate`, a function, in powers of e a second. */
  fly(place, target, rate = () => RATE) {
    this.stop();
    this.goal = { place, target, rate, speed: 0 };
  }

  flyHome() {
    const { view } = this;
    this.fly(view.root, () => ({
      left: view.width / 2 - view.home.x * view.home.side,
      top: view.height / 2 - view.home.y * view.home.side,
      side: view.home.side,
    }), () => RATE + 1.2 * view.base.depth);
  }

  /* Moves for some seconds; returns whether there is more to do. */
  step(seconds) {
    if (this.goal) return this.flyOn(seconds);
    const { push, view } = this;
    const part = this.calm.matches ? 1 : 1 - Math.exp(-QUICK * seconds);
    if (push.zoom) {
      view.zoom(Math.exp(part * push.zoom), push.left, push.top);
      push.zoom *= 1 - part;
      if (Math.abs(push.zoom) < 1e-3) push.zoom = 0;
    }
    if (push.right || push.down) {
      view.pan(-part * push.right, -part * push.down);
      push.right *= 1 - part;
      push.down *= 1 - part;
      if (Math.hypot(push.right, push.down) < 0.3) push.right = push.down = 0;
    }
    return Boolean(push.zoom || push.right || push.down);
  }

  /* A zoom about the one point that is in the same spot of both boxes leads straight there. */
  flyOn(seconds) {
    const { goal, view } = this;
    const here = view.box(goal.place);
    const there = goal.target();
    const left = Math.log(there.side / here.side);
    if (Math.abs(left) > 0.01 && !this.calm.matches) {
      const rate = goal.rate();
      goal.speed = Math.min(rate, goal.speed + 1.5 * rate * seconds, 3 * Math.abs(left) + 0.02);
      const step = Math.sign(left) * Math.min(Math.abs(left), goal.speed * seconds);
      const fixed = (a, b) => (b * here.side - a * there.side) / (here.side - there.side);
      view.zoom(Math.exp(step), fixed(here.left, there.left), fixed(here.top, there.top));
      return true;
    }
    const part = this.calm.matches ? 1 : 1 - Math.exp(-QUICK * seconds);
    view.zoom(Math.exp(left * part));
    const now = view.box(goal.place);
    const right = there.left - now.left + (there.side - now.side) / 2;
    const down = there.top - now.top + (there.side - now.side) / 2;
    view.pan(part * right, part * down);
    if (this.calm.matches || Math.hypot(right, down) < 0.5) this.goal = null;
    return this.goal !== null;
  }
}
