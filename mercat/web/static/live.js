// Parts of a page, live: the shop sends each whenever it changes, and a beat whenever it looked (server-sent events).
(() => {
  const page = document.querySelector("[data-live]");
  const away = document.querySelector("[data-live-away]");
  if (!page || !away || !window.EventSource) return;
  const SILENT_MS = 20000; // a line that is cut off on the way is never closed: it is only silent
  const AGAIN_MS = 5000;
  const said = away.querySelector("[data-live-at]");
  let source;
  let heard = Date.now();
  let asked = 0;

  const listen = () => {
    source?.close();
    asked = Date.now();
    source = new EventSource(page.dataset.live);
    for (const part of document.querySelectorAll("[data-part]"))
      source.addEventListener(part.dataset.part, (event) => (part.innerHTML = event.data));
    source.addEventListener("state", (event) => document.dispatchEvent(new CustomEvent("live-state", { detail: event.data })));
    source.addEventListener("beat", (event) => {
      heard = Date.now();
      said.textContent = event.data;
      away.hidden = true;
    });
    source.onerror = () => setTimeout(look, AGAIN_MS);
  };

  // A worker that is replaced is away for a second, which is no news.
  const look = () => {
    const silent = Date.now() - heard;
    away.hidden = silent < SILENT_MS / 2;
    const again = source.readyState === EventSource.CLOSED || silent > SILENT_MS;
    if (again && Date.now() - asked >= AGAIN_MS) listen();
  };
  window.addEventListener("online", listen);
  setInterval(look, AGAIN_MS);
  listen();
})();
