// Search runs in a worker, which browsers refuse to start where pages are opened from a
// folder. There an iframe takes its place. Material loads no other script for that if
// the name of this one has "iframe-worker" in it.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inner = frame.contentWindow
      this.inner.postMessage = data => this.receive(data)
      this.inner.importScripts = (...urls) => this.load(urls)
      this.ready = this.load([url])
    }

    // The scripts of the worker, one after another.
    async load(urls) {
      for (const url of urls)
        await new Promise((done, failed) => {
          const script = this.inner.document.createElement("script")
          Object.assign(script, { src: url, onload: done, onerror: failed })
          this.inner.document.body.append(script)
        })
    }

    receive(data) {
      const event = new MessageEvent("message", { data })
      this.dispatchEvent(event)
      this.onmessage?.(event)
    }

    postMessage(data) {
      this.ready.then(() =>
        this.inner.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
}
