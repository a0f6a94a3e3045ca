/* Where pictures come from: a bank of them, in files beside the page (see finite.js). The work is
   done in a thread of its own, so that nothing jerks. */

export class Bank {
  constructor(facts) {
    this.whole = "bank/0.webp";
    this.count = 0;
    this.asked = new Map();
    this.worker = new Worker(new URL("finite.js", import.meta.url), { type: "module" });
    this.worker.postMessage({ facts, home: new URL("bank/", document.baseURI).href });
    this.worker.onmessage = ({ data: { id, images, trouble } }) => {
      const order = this.asked.get(id);
      this.asked.delete(id);
      if (!order) images?.forEach((image) => image.close());
      else if (images) order.resolve(images);
      else order.reject(Object.assign(new Error(trouble), { seconds: 2 }));
    };
    this.worker.onerror = () => {
      const error = Object.assign(new Error("This browser cannot show the page."), { seconds: 60 });
      for (const order of this.asked.values()) order.reject(error);
      this.asked.clear();
    };
  }

  /* As in server.js. */
  get(form, path, cells, signal) {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      signal.addEventListener("abort", () => {
        this.asked.delete(id);
        this.worker.postMessage({ drop: id });
        reject(signal.reason);
      });
      this.worker.postMessage({ id, form, path, cells });
    });
  }
}
