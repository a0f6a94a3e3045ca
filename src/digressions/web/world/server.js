/* Where pictures come from: a server that paints them. */

export class Server {
  constructor(facts) {
    this.facts = facts;
    const token = crypto.getRandomValues(new Uint32Array(2));
    this.token = [...token].map((n) => n.toString(36)).join("").slice(0, 16);
    this.whole = `canvas/?page=${this.token}`; // the root's canvas as a file
  }

  /* Images of a form: of the cells of the place that a path leads to, or of that place itself
     without cells. Fails with {seconds, message}, when to ask again and what to say meanwhile. */
  async get(form, path, cells, signal) {
    const names = cells || [];
    const url = form === "canvas"
      ? `canvas/${[path, ...names].filter((part) => part !== "").join("/")}?page=${this.token}`
      : `pictures/${path}?page=${this.token}&cells=${names}`;
    const answer = await fetch(url, { signal });
    if (!answer.ok) {
      const message = answer.status === 503 ? "" : await answer.text();
      throw Object.assign(new Error(message), { seconds: Number(answer.headers.get("Retry-After")) || 2 });
    }
    const column = await createImageBitmap(await answer.blob());
    const { width } = column;
    const height = form === "canvas" ? this.facts.canvas : this.facts.height;
    const images = await Promise.all(
      Array.from({ length: column.height / height }, (_, i) => createImageBitmap(column, 0, i * height, width, height)),
    );
    column.close();
    return images;
  }
}
